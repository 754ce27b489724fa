"""Several scorers as one: the mean of their standardised scores, the worst, or the mean less their disagreement.

Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization" (arXiv 2310.02743): mean, worst-case and
uncertainty-weighted optimisation. They take the variance over members off the mean; here it is the standard deviation,
which has the units of the scores. Members are standardised first, since their scales are their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice

Floats = NDArray[np.float64]

WAYS = ("mean", "worst", "uncertainty")
"""How members become one score: their mean, the lowest, or the mean less `weight` times their standard deviation."""


def scales(reference_MK: NDArray[np.floating], names: Sequence[str]) -> tuple[Floats, Floats]:
    """Mean and standard deviation `[M]` of each member over K reference responses.

    Raises InvalidChoice for a member that scores all of them the same, by its name.
    """
    reference = reference_MK.astype(np.float64)
    constant = reference.max(axis=1) == reference.min(axis=1)
    if constant.any():
        name = names[int(np.flatnonzero(constant)[0])]
        raise InvalidChoice(f"{name!r} gives all RM-test responses the same score, so it has no scale; leave it out")
    return reference.mean(axis=1), reference.std(axis=1)


def standardised(scores_MK: NDArray[np.floating], mean_M: Floats, deviation_M: Floats) -> Floats:
    """Scores in standard deviations from the mean of the reference responses, `[M, K]`."""
    standard: Floats = (scores_MK.astype(np.float64) - mean_M[:, None]) / deviation_M[:, None]
    return standard


def combined(standard_MK: Floats, how: str, weight: float = 1.0) -> Floats:
    """One score `[K]` for each response from M members' standardised ones.

    `weight` matters for `uncertainty` alone. Raises InvalidChoice for an unknown way, fewer than two members, or a
    weight that is negative or not finite.
    """
    if how not in WAYS:
        raise InvalidChoice(f"how is {how!r}; choose one of {', '.join(WAYS)}")
    if len(standard_MK) < 2:
        raise InvalidChoice(f"{len(standard_MK)} member; an ensemble takes two or more")
    if not (np.isfinite(weight) and weight >= 0.0):
        raise InvalidChoice(f"weight is {weight}; it has to be 0 or more")
    ways: Mapping[str, Callable[[], Floats]] = {
        "mean": lambda: standard_MK.mean(axis=0),
        "worst": lambda: standard_MK.min(axis=0),
        "uncertainty": lambda: standard_MK.mean(axis=0) - weight * standard_MK.std(axis=0),
    }
    return ways[how]()
