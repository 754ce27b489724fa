"""The bootstrap: how often each unit is drawn in each replicate, percentile intervals, and means over prompts.

METHOD, "Correlation with regret": reward models and prompts are drawn with replacement, together. A replicate is a row
of counts, never a copy of the data, so a figure on it is a re-weighting. Shapes: `B` replicates, `P` prompts, `C`
columns of values. An array `[1 + B, …]` holds the sample's figure first, then those of the replicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice

Counts = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 0.95
SMALL_SAMPLE = 3.0
"""A variance over M reward models is taken M / (M − 3) times: else intervals of ten unlike ones cover 90 %, not 95."""

REWARD_MODELS, RM_PROMPTS, RL_PROMPTS, ANNOTATOR, TEST_SET, PARAPHRASES, PERMUTATIONS, HALVES, TOGETHER, PICKS = range(
    10
)
OUTCOMES, TRAININGS = 10, 11
"""What is drawn at random in this package, each from its own stream (`generator`): the reward models, RM-test prompts
and RL-test prompts of a bootstrap replicate, an annotator's noise, the prompts of a test set, which prompts are
paraphrased, how reward models are renamed, halves of prompts that serve on both sides, draws of several figures
together, which samples best-of-n picks from, the errors of outcomes, and the noise of training policies. A new purpose
gets the next number; changing a number would change published figures."""

_REMEMBERED_ENTRIES = 10_000_000
_STEP_ENTRIES = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where undefined. `replicates` counts those in which it was defined."""

    value: float | None
    low: float | None
    high: float | None
    replicates: int

    @classmethod
    def undefined(cls, replicates: int = 0) -> Estimate:
        """A figure that is undefined in the sample, though perhaps not in some replicates."""
        return cls(value=None, low=None, high=None, replicates=replicates)


NOTHING = Estimate.undefined()
MOST_REPLICATES = 100_000


def counts(size: int, replicates: int, seed: int, stream: int) -> Counts:
    """How often each of `size` units is drawn in each replicate: `[B, size]`, whole numbers that sum to `size` per row.

    The same arguments give the same array, which must not be written to. Raises InvalidChoice for fewer than one
    replicate or a negative seed.
    """
    check_replicates(replicates)
    draw = _remembered if size * replicates <= _REMEMBERED_ENTRIES else _draw
    return draw(size, replicates, seed, stream)


def check_replicates(replicates: int) -> None:
    """Raise InvalidChoice for fewer replicates than one, or more than memory is there for."""
    if not 1 <= replicates <= MOST_REPLICATES:
        raise InvalidChoice(f"replicates is {replicates}; the bootstrap takes 1 or more, at most {MOST_REPLICATES:,}")


def generator(seed: int, stream: int, name: str = "") -> np.random.Generator:
    """A random generator for one purpose of a seed, independent of those for other purposes and names.

    All random choices of this package come from here. `name` separates choices of the same purpose, such as the
    annotators of two reward models. Raises InvalidChoice for a negative seed.
    """
    if seed < 0:
        raise InvalidChoice(f"seed is {seed}; it has to be 0 or more")
    return np.random.default_rng((seed, stream, *name.encode()))


def _draw(size: int, replicates: int, seed: int, stream: int) -> Counts:
    rng = generator(seed, stream)
    drawn = np.empty((replicates, size), dtype=np.float32)
    step = max(1, _STEP_ENTRIES // size)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        units = rng.integers(0, size, (rows, size), dtype=np.int32).astype(np.int64)
        units += np.arange(rows)[:, None] * size
        drawn[start : start + rows] = np.bincount(units.ravel(), minlength=rows * size).reshape(rows, size)
    drawn.setflags(write=False)
    return drawn


_remembered = lru_cache(maxsize=6)(_draw)


def sample_and_counts(size: int, replicates: int, seed: int, stream: int) -> Floats:
    """`counts` with a first row of ones, the sample itself: `[1 + B, size]`."""
    return np.concatenate([np.ones((1, size)), counts(size, replicates, seed, stream)])


def first_with_interval(value_B: Floats, defined_B: Bools, models: int | None = None) -> Estimate:
    """The sample's figure, first of `[1 + B]`, with the percentile interval over the replicates in which it is defined.

    `models` is the number of reward models where these are drawn as well: `tail` then widens the interval.
    """
    drawn = value_B[1:][defined_B[1:]]
    if not defined_B[0] or len(drawn) == 0:
        return Estimate.undefined(len(drawn))
    low, high = interval(drawn, tail(models))
    return Estimate(float(value_B[0]), float(low), float(high), len(drawn))


def tail(models: int | None = None) -> float:
    """The share of replicates beyond either end of a 95 % interval: 2.5 %, less where few reward models are drawn.

    The expanded percentile interval (Hesterberg 2015): as far out as Student's t with M − 1 degrees of freedom, and
    √(M / (M − SMALL_SAMPLE)) times that, since pairs of reward models that are drawn twice drop out. Without it, the
    interval of a mean over the pairs of 10 to 14 reward models covers 85 to 89 %.
    """
    if models is None:
        return 0.5 * (1.0 - LEVEL)
    from scipy import special  # importing SciPy takes as long as the whole package

    few = max(models, SMALL_SAMPLE + 1.0)
    t = special.stdtrit(few - 1.0, 0.5 * (1.0 + LEVEL))
    return float(special.ndtr(-t * np.sqrt(few / (few - SMALL_SAMPLE))))


def interval(drawn_B: NDArray[np.floating], tail: float = 0.5 * (1.0 - LEVEL)) -> tuple[Floats, Floats]:
    """Lower and upper end of the percentile interval over the first axis, as `np.percentile` computes it.

    `tail` is the share beyond either end. Sorting each column as a contiguous block takes a fraction of the time.
    """
    ordered = np.sort(np.ascontiguousarray(np.moveaxis(drawn_B, 0, -1)), axis=-1)
    return _quantile(ordered, tail), _quantile(ordered, 1.0 - tail)


def _quantile(ordered: NDArray[np.floating], share: float) -> Floats:
    """The quantile of the last axis, interpolated linearly between neighbours."""
    place = share * (ordered.shape[-1] - 1)
    lower = int(place)
    below, above = (ordered[..., min(at, ordered.shape[-1] - 1)].astype(np.float64) for at in (lower, lower + 1))
    quantile: Floats = below + (place - lower) * (above - below)
    return quantile


def prompt_sums(
    values_PC: NDArray[np.floating], defined_PC: Bools | None = None, *, replicates: int = 1000, seed: int = 0
) -> tuple[Floats, Floats]:
    """Sums over prompts `[1 + B, C]` and how many prompts they are over, `[1 + B, C]`; only prompts are resampled."""
    if values_PC.ndim != 2 or len(values_PC) == 0:
        raise InvalidChoice(f"values have shape {values_PC.shape}; a mean takes prompts × columns, one prompt or more")
    defined = np.ones(values_PC.shape, dtype=bool) if defined_PC is None else defined_PC
    counts_BP = sample_and_counts(len(values_PC), replicates, seed, RM_PROMPTS)
    return counts_BP @ np.where(defined, values_PC, 0.0), counts_BP @ defined.astype(np.float64)


def prompt_means(
    values_PC: NDArray[np.floating], defined_PC: Bools | None = None, *, replicates: int = 1000, seed: int = 0
) -> tuple[Estimate, ...]:
    """The mean of each of C columns over the prompts on which it is defined; undefined if there are no such prompts."""
    totals_BC, weights_BC = prompt_sums(values_PC, defined_PC, replicates=replicates, seed=seed)
    means_BC = np.divide(totals_BC, weights_BC, out=np.zeros_like(totals_BC), where=weights_BC > 0)
    return tuple(
        first_with_interval(means_B, weight_B > 0) for means_B, weight_B in zip(means_BC.T, weights_BC.T, strict=True)
    )


@lru_cache(maxsize=4096)  # SciPy computes an exact test beside it
def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927). Raises InvalidChoice for no trials or too many successes.

    SciPy's statistics are imported here because importing them takes as long as the whole package does.
    """
    from scipy.stats import binomtest

    if trials < 1 or not 0 <= successes <= trials:
        raise InvalidChoice(f"{successes} successes in {trials} trials; give 1 trial or more, and no more successes")
    ends = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(ends.low), float(ends.high)
