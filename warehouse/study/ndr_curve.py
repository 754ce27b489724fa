"""NDR along the strengths of an optimiser: of one golden–proxy pair, or averaged over the pairs where it is defined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Estimate
from warehouse.study.gain_curves import pairs_of
from warehouse.study.regret import regret_of
from warehouse.study.value_curves import ValueCurves, drawn, estimate, pair_weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class NdrCurve:
    """Mean NDR at each strength with its interval, and how many of the pairs are undefined there.

    `change` is that from the first strength at which it is defined to the last, on the same draws.
    """

    strengths: tuple[float, ...]
    ndr: tuple[Estimate, ...]
    undefined: tuple[int, ...]
    change: Estimate
    pairs: int
    prompts: int
    resampled: str


def ndr_curve(
    curves: ValueCurves,
    *,
    golden: str | None = None,
    proxy: str | None = None,
    rl_categories: Sequence[str] = (),
    replicates: int = 1000,
    seed: int = 0,
) -> NdrCurve:
    """NDR of a golden and a proxy; None for either averages over all there are. Raises as `gain_curves`."""
    prompts = curves.prompts_in(rl_categories)
    pair_MM = pairs_of(curves, golden, proxy)
    counts_BQ, models_BM = drawn(len(prompts), len(pair_MM), replicates, seed)
    weight_BMM, resampled = pair_weights(models_BM, pair_MM, golden, proxy)
    means, theres, undefined = [], [], []
    for values in curves.values:
        found = regret_of(values, prompts, counts_BQ[1:])
        ndr_BMM = np.concatenate([found.ndr_MM[None], found.ndr_BMM])
        defined_BMM = np.concatenate([found.defined_MM[None], found.defined_BMM])
        weight = weight_BMM * defined_BMM
        total_B = weight.sum(axis=(1, 2))
        mean_B = np.divide((weight * ndr_BMM).sum(axis=(1, 2)), total_B, out=np.zeros_like(total_B), where=total_B > 0)
        means.append(mean_B)
        theres.append(total_B > 0)
        undefined.append(int((pair_MM & ~found.defined_MM).sum()))
    return NdrCurve(
        strengths=curves.strengths,
        ndr=tuple(estimate(mean_B, there_B) for mean_B, there_B in zip(means, theres, strict=True)),
        undefined=tuple(undefined),
        change=_change(means, theres),
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        resampled=resampled,
    )


def _change(means: Sequence[Floats], theres: Sequence[Bools]) -> Estimate:
    defined = [s for s, there_B in enumerate(theres) if there_B[0]]
    if len(defined) < 2:
        return Estimate(None, None, None, 0)
    first, last = defined[0], defined[-1]
    return estimate(means[last] - means[first], theres[first] & theres[last])
