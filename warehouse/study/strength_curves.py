"""NDR and response length along the strengths of an optimiser, averaged over reward models or prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.stats.bootstrap import NOTHING, Estimate, first_with_interval
from warehouse.study.regret import regret_of
from warehouse.study.value_curves import ValueCurves, draws, pair_weights


@dataclass(frozen=True)
class NdrCurve:
    """Mean NDR at each strength with its interval, and how many of the pairs are undefined at it.

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
    """NDR of a golden and a proxy; None for either averages over all of them. Raises as `gain_curves`."""
    prompts = curves.prompts_in(rl_categories)
    pair_MM = curves.pairs(golden, proxy)
    counts_BQ, models_BM = draws(len(prompts), len(pair_MM), replicates, seed)
    weight_BMM, resampled = pair_weights(models_BM, pair_MM, golden, proxy)
    mean_SB, defined_SB = np.zeros((2, len(curves.strengths), 1 + replicates))
    undefined = []
    for s, values in enumerate(curves.values):
        regret = regret_of(values, prompts, counts_BQ[1:])
        ndr_BMM = np.concatenate([regret.ndr_MM[None], regret.ndr_BMM])
        weight = weight_BMM * np.concatenate([regret.defined_MM[None], regret.defined_BMM])
        total_B = weight.sum(axis=(1, 2))
        defined_SB[s] = total_B > 0
        np.divide((weight * ndr_BMM).sum(axis=(1, 2)), total_B, out=mean_SB[s], where=total_B > 0)
        undefined.append(int((pair_MM & ~regret.defined_MM).sum()))
    defined_SB = defined_SB.astype(bool)
    change, defined = NOTHING, np.flatnonzero(defined_SB[:, 0])
    if len(defined) >= 2:
        first, last = defined[0], defined[-1]
        change = first_with_interval(mean_SB[last] - mean_SB[first], defined_SB[first] & defined_SB[last])
    return NdrCurve(
        strengths=curves.strengths,
        ndr=tuple(
            first_with_interval(mean_B, defined_B) for mean_B, defined_B in zip(mean_SB, defined_SB, strict=True)
        ),
        undefined=tuple(undefined),
        change=change,
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        resampled=resampled,
    )


@dataclass(frozen=True)
class LengthDrift:
    """Mean tokens at each strength: over all reward models (resampled with the prompts) and of each (prompts only)."""

    mean: tuple[Estimate, ...]
    of_each: tuple[tuple[Estimate, ...], ...]


def length_drift(tokens_SMQ: NDArray[np.floating], *, replicates: int = 1000, seed: int = 0) -> LengthDrift:
    """Mean tokens of the policies optimised against M reward models at S strengths, on Q prompts."""
    if tokens_SMQ.ndim != 3 or 0 in tokens_SMQ.shape:
        raise InvalidChoice(f"lengths have shape {tokens_SMQ.shape}; they take strengths × reward models × prompts")
    S, M, Q = tokens_SMQ.shape
    counts_BQ, models_BM = draws(Q, M, replicates, seed)
    means_BSM = (counts_BQ @ tokens_SMQ.reshape(S * M, Q).T / Q).reshape(-1, S, M)
    overall_BS = np.einsum("bsm,bm->bs", means_BSM, models_BM) / M
    defined_B = np.ones(1 + replicates, dtype=bool)
    return LengthDrift(
        mean=tuple(first_with_interval(overall_BS[:, s], defined_B) for s in range(S)),
        of_each=tuple(tuple(first_with_interval(means_BSM[:, s, m], defined_B) for m in range(M)) for s in range(S)),
    )
