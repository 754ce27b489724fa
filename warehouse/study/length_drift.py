"""How the length of responses moves as a policy is optimised: mean tokens at each strength.

For best-of-n the expected length of its pick, by the same order statistic as its value; for PPO the mean of what its
checkpoints said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.best_of_n import best_of_n_values
from warehouse.stats.bootstrap import Estimate
from warehouse.study.value_curves import drawn, estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LengthDrift:
    """Mean tokens at each strength: over all reward models (drawn again with the prompts) and of each (prompts)."""

    mean: tuple[Estimate, ...]
    of_each: tuple[tuple[Estimate, ...], ...]


def length_drift(tokens_SMQ: NDArray[np.floating], *, replicates: int = 1000, seed: int = 0) -> LengthDrift:
    """Mean tokens of the policies optimised against M reward models at S strengths, on Q prompts."""
    if tokens_SMQ.ndim != 3 or 0 in tokens_SMQ.shape:
        raise InvalidChoice(f"lengths have shape {tokens_SMQ.shape}; they take strengths × reward models × prompts")
    S, M, Q = tokens_SMQ.shape
    counts_BQ, models_BM = drawn(Q, M, replicates, seed)
    means_BSM = (counts_BQ @ tokens_SMQ.reshape(S * M, Q).T / Q).reshape(-1, S, M)
    overall_BS = np.einsum("bsm,bm->bs", means_BSM, models_BM) / M
    defined_B = np.ones(1 + replicates, dtype=bool)
    return LengthDrift(
        mean=tuple(estimate(overall_BS[:, s], defined_B) for s in range(S)),
        of_each=tuple(tuple(estimate(means_BSM[:, s, m], defined_B) for m in range(M)) for s in range(S)),
    )


def best_of_n_tokens(
    scores_MPN: NDArray[np.floating], tokens_PN: NDArray[np.integer], strengths: tuple[int, ...]
) -> Floats:
    """Expected tokens `[S, M, P]` of what best-of-n picks under each reward model."""
    if scores_MPN.shape[1:] != tokens_PN.shape:
        raise InvalidChoice(f"lengths are {tokens_PN.shape}, scores of {scores_MPN.shape[1:]}; they have to agree")
    found = np.empty((len(strengths), *scores_MPN.shape[:2]))
    for m, scores_PN in enumerate(scores_MPN):
        both = np.stack([tokens_PN.astype(np.float64), scores_PN.astype(np.float64)])
        found[:, m] = best_of_n_values(both, strengths)[:, 0, 1]
    return found
