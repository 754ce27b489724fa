"""Means over prompts with their intervals: what is said of one reward model, or of one policy, alone.

The 95 % percentile bootstrap resamples prompts only; the reward model is taken as it is. A prompt on which a value is
undefined has weight 0, in the sample as in every replicate.

The interval of a share of independent trials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import LEVEL, Estimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RESAMPLED = "prompts"


def prompt_means(
    values_PC: NDArray[np.floating],
    defined_PC: Bools | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    stream: int = bootstrap.RM_PROMPTS,
) -> tuple[Estimate, ...]:
    """The mean of each of C columns over the P prompts on which it is defined; undefined where there is none."""
    totals_BC, weights_BC = prompt_sums(values_PC, defined_PC, replicates=replicates, seed=seed, stream=stream)
    means_BC = np.divide(totals_BC, weights_BC, out=np.zeros_like(totals_BC), where=weights_BC > 0)
    there = np.ones(values_PC.shape, dtype=bool) if defined_PC is None else defined_PC
    counts_C = there.sum(axis=0)
    mean_C = np.divide(
        np.where(there, values_PC, 0.0).sum(axis=0), counts_C, out=np.zeros(values_PC.shape[1]), where=counts_C > 0
    )
    return tuple(
        bootstrap.estimate(float(mean_C[c]), bool(counts_C[c]), means_BC[:, c], weights_BC[:, c] > 0)
        for c in range(values_PC.shape[1])
    )


def prompt_sums(
    values_PC: NDArray[np.floating],
    defined_PC: Bools | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    stream: int = bootstrap.RM_PROMPTS,
) -> tuple[Floats, Floats]:
    """Sums `[B, C]` over the drawn prompts and the weights `[B, C]` behind them, one row a replicate."""
    if values_PC.ndim != 2 or len(values_PC) == 0:
        raise InvalidChoice(f"values have shape {values_PC.shape}; a mean takes prompts × columns, one prompt or more")
    there = np.ones(values_PC.shape, dtype=bool) if defined_PC is None else defined_PC
    counts_BP = bootstrap.counts(len(values_PC), replicates, seed, stream).astype(np.float64)
    return counts_BP @ np.where(there, values_PC, 0.0), counts_BP @ there.astype(np.float64)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927). Raises InvalidChoice for no trials or too many successes.

    SciPy's statistics are imported here, on first use: at the top of the module they would double the time that
    importing this package takes.
    """
    from scipy.stats import binomtest

    if trials < 1 or not 0 <= successes <= trials:
        raise InvalidChoice(f"{successes} successes in {trials} trials; give 1 trial or more, and no more successes")
    found = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)
