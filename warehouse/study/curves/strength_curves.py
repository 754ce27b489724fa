"""NDR and response length along the strengths of an optimiser, averaged over reward models or prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.roles import Roles
from warehouse.stats.bootstrap import Bools, Estimate, Floats, first_with_interval
from warehouse.study.curves.value_curves import ValueCurves, draws, fixed_policies, pair_weights
from warehouse.study.regret import Quantity, regret_of, unit_of


@dataclass(frozen=True)
class NdrChange:
    """From the first strength at which some pair is defined to the last: of the pairs that are defined at both.

    `first` and `last` are these strengths with the mean NDR of these `pairs`; `difference` is last minus first on the
    same draws, all undefined if no pair is defined at both.
    """

    first: tuple[float, float | None]
    last: tuple[float, float | None]
    difference: Estimate
    pairs: int


@dataclass(frozen=True)
class NdrCurve:
    """Mean NDR at each strength with its interval, and how many of the pairs are undefined at it.

    `quantity` says if it is NDR, or gains in standard deviations in its place (`study.regret`).
    `change` is None if fewer than two strengths have a defined pair.
    """

    strengths: tuple[float, ...]
    ndr: tuple[Estimate, ...]
    undefined: tuple[int, ...]
    change: NdrChange | None
    pairs: int
    prompts: int
    resampled: str
    quantity: Quantity = "ndr"


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
    curves = curves.for_golden(golden)
    prompts = curves.prompts_in(rl_categories)
    pair_MM = curves.pairs(golden, proxy)
    drawn = draws(len(prompts), curves.roles, replicates, seed)
    counts_BQ = drawn.prompts_BQ
    weight_BMM, models, resampled = pair_weights(drawn, pair_MM, golden, proxy)
    unit = unit_of(curves.values[-1], curves.roles)
    ends: list[_At] = []  # the first strength at which some pair is defined, and the last
    ndr, undefined = [], []
    noisy_M = fixed_policies(curves, golden, proxy)
    for strength, values in zip(curves.strengths, curves.values, strict=True):
        regret = regret_of(values, prompts, counts_BQ[1:], unit=unit, seed=seed, noisy_M=noisy_M)
        ndr_BMM = np.concatenate([regret.ndr_MM[None], regret.ndr_BMM])
        defined_BMM = pair_MM & np.concatenate([regret.defined_MM[None], regret.defined_BMM])
        ndr.append(first_with_interval(*_mean(ndr_BMM, weight_BMM * defined_BMM), models))
        undefined.append(int((pair_MM & ~defined_BMM[0]).sum()))
        if defined_BMM[0].any():
            ends = [*ends[:1], _At(strength, ndr_BMM, defined_BMM)]
    return NdrCurve(
        strengths=curves.strengths,
        ndr=tuple(ndr),
        undefined=tuple(undefined),
        change=_change(weight_BMM, ends[0], ends[1], models) if len(ends) == 2 else None,
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        resampled=resampled,
        quantity="ndr" if unit is None else "gain",
    )


class _At(NamedTuple):
    """NDR at a strength `[1 + B, M golden, M proxy]`, and where it is defined."""

    strength: float
    ndr_BMM: NDArray[np.floating]
    defined_BMM: Bools


def _mean(ndr_BMM: NDArray[np.floating], weight_BMM: Floats) -> tuple[Floats, Bools]:
    """Weighted mean over pairs in the sample and each replicate, and where there is one: both `[1 + B]`."""
    total_B = weight_BMM.sum(axis=(1, 2))
    sum_B = (weight_BMM * ndr_BMM).sum(axis=(1, 2))
    return np.divide(sum_B, total_B, out=np.zeros_like(total_B), where=total_B > 0), total_B > 0


def _change(weight_BMM: Floats, first: _At, last: _At, models: int | None) -> NdrChange:
    both_BMM = first.defined_BMM & last.defined_BMM
    (first_B, defined_B), (last_B, _) = (_mean(at.ndr_BMM, weight_BMM * both_BMM) for at in (first, last))
    means = (float(first_B[0]), float(last_B[0])) if defined_B[0] else (None, None)
    return NdrChange(
        first=(first.strength, means[0]),
        last=(last.strength, means[1]),
        difference=first_with_interval(last_B - first_B, defined_B, models),
        pairs=int(both_BMM[0].sum()),
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
    counts_BQ, _, models_BM, _ = draws(Q, Roles.every(M), replicates, seed)
    means_BSM = (counts_BQ @ tokens_SMQ.reshape(S * M, Q).T / Q).reshape(-1, S, M)
    overall_BS = np.einsum("bsm,bm->bs", means_BSM, models_BM) / M
    defined_B = np.ones(1 + replicates, dtype=bool)
    return LengthDrift(
        mean=tuple(first_with_interval(overall_BS[:, s], defined_B, M) for s in range(S)),
        of_each=tuple(tuple(first_with_interval(means_BSM[:, s, m], defined_B) for m in range(M)) for s in range(S)),
    )
