"""The degree of overoptimisation γ of every golden–proxy pair, from the fits of its two golden curves.

Kim et al., arXiv 2505.12763; METHOD, "Goodhart". Each bootstrap replicate, of RL-test prompts, is fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.study.overoptimisation import LAWS, coefficients_of, degrees
from warehouse.study.value_curves import ValueCurves, drawn, estimate, gains

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DegreeMap:
    """γ `[M golden, M proxy]` with its 95 % interval over prompts; 0 where undefined.

    `below_zero` counts the policies whose estimated KL is negative, which are taken to be at distance 0.
    """

    degree_MM: Floats
    low_MM: Floats
    high_MM: Floats
    defined_MM: NDArray[np.bool_]
    replicates: int
    below_zero: int


def degree_map(
    curves: ValueCurves, *, rl_categories: Sequence[str] = (), replicates: int = 1000, seed: int = 0
) -> DegreeMap:
    """γ of all pairs of an optimizer.

    Undefined where optimising the golden itself gains nothing, and for reward models with fewer than three policies at
    a distance above 0. Raises InvalidChoice where that is so for all of them.
    """
    prompts = curves.prompts_in(rl_categories)
    M = len(curves.reward_models)
    counts_BQ, _ = drawn(len(prompts), M, replicates, seed)
    gain_SBMM = np.stack([gains(values, prompts, counts_BQ) for values in curves.values])
    distance_SM = curves.distance_SM
    law = LAWS[curves.optimizer]
    fits_M = [
        coefficients_of(distance_SM[:, m], gain_SBMM[..., m].reshape(len(distance_SM), -1), law) for m in range(M)
    ]
    curve_2BM = [None if fit is None else fit.reshape(2, -1, M) for fit in fits_M]  # by optimised reward model
    if all(fit is None for fit in curve_2BM):
        raise InvalidChoice(f"{len(curves.strengths)} strengths; a fit takes three or more above no optimisation")
    degree_MM, low_MM, high_MM = (np.zeros((M, M)) for _ in range(3))
    defined_MM = np.zeros((M, M), dtype=bool)
    for golden, proxy in np.argwhere(~np.eye(M, dtype=bool)):
        own_2BM, other_2BM = curve_2BM[golden], curve_2BM[proxy]
        if own_2BM is None or other_2BM is None:
            continue
        farthest = float(min(distance_SM[:, golden].max(), distance_SM[:, proxy].max()))
        degree_B, there_B = degrees(own_2BM[:, :, golden], other_2BM[:, :, golden], farthest, law)
        degree = estimate(degree_B, there_B)
        if degree.value is None or degree.low is None or degree.high is None:
            continue
        defined_MM[golden, proxy] = True
        degree_MM[golden, proxy] = degree.value
        low_MM[golden, proxy], high_MM[golden, proxy] = degree.low, degree.high
    return DegreeMap(degree_MM, low_MM, high_MM, defined_MM, replicates, curves.below_zero)
