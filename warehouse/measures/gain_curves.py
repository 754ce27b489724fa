"""Golden and proxy reward along the strengths of an optimizer, with the fits of Gao et al. and the degree γ.

METHOD, "Goodhart", overoptimisation curves, for one golden–proxy pair or averaged over pairs. Gains are over the
initial policy, in each reward model's standard deviations within prompts, which puts all reward models on one scale.

The standard errors of a fit by itself would take its points as independent; those of one curve come from the same
prompts. So every replicate is fitted anew, and the intervals of α, β, the peak and γ are the bootstrap's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures import bootstrap
from warehouse.measures.bootstrap import Estimate
from warehouse.measures.overoptimisation import Optimizer, OveroptimisationFit, basis, fit_overoptimisation
from warehouse.measures.value_curves import ValueCurves, drawn, gains
from warehouse.schema import RL_ALGORITHMS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CURVES: Mapping[str, str] = {
    "own": "Golden reward, the golden optimised",
    "golden": "Golden reward, the proxy optimised",
    "proxy": "Proxy reward, the proxy optimised",
}
"""The three curves of a pair and what they are of."""

LAWS: Mapping[str, Optimizer] = {"bon": "best-of-n", **dict.fromkeys(RL_ALGORITHMS, "rl")}
"""By which law the gain of an optimizer's policies grows and falls."""

_FARTHEST = 700.0  # beyond it, e to that power is beyond every distance there is


@dataclass(frozen=True)
class FittedCurve:
    """One curve: mean distance √KL and gain at each strength, and its fit, None where points are too few.

    `peak` is the distance of the fit's peak, undefined where it does not bend down. Replicates without a peak count as
    peaks beyond every distance: the upper end is None where more than 2.5 % of them have none, and `peaks` is the share
    that has one.
    """

    distances: tuple[float, ...]
    gains: tuple[Estimate, ...]
    fit: OveroptimisationFit | None
    alpha: Estimate
    beta: Estimate
    peak: Estimate
    peaks: float


@dataclass(frozen=True)
class GainCurves:
    """The curves by their names in `CURVES`, and γ over KL from 0 to the largest that both golden curves reach."""

    curves: Mapping[str, FittedCurve]
    degree: Estimate
    strengths: tuple[float, ...]
    pairs: int
    prompts: int
    replicates: int
    resampled: str


def gain_curves(
    curves: ValueCurves,
    spread_M: NDArray[np.floating],
    *,
    golden: str | None = None,
    proxy: str | None = None,
    rl_categories: Sequence[str] = (),
    replicates: int = 1000,
    seed: int = 0,
) -> GainCurves:
    """The curves of a golden and a proxy; None for either averages over all there are.

    `spread_M` is `spread_within_prompts` under the initial policy, of the reward models of `curves`; it is taken as
    known, as are divergences. Prompts are resampled, and reward models too where they are averaged over.
    Raises UnknownName, and InvalidChoice for a reward model against itself or one without any spread.
    """
    prompts = curves.prompts_in(rl_categories)
    pair_MM = pairs_of(curves, golden, proxy)
    spread = np.asarray(spread_M, dtype=np.float64)
    pair_MM &= (spread > 0)[:, None] & (spread > 0)
    if not pair_MM.any():
        raise InvalidChoice("no golden–proxy pair in which both reward models tell responses apart")
    counts_BQ, models_BM = drawn(len(prompts), len(spread), replicates, seed)
    fixed = np.ones_like(models_BM)
    golden_BM, proxy_BM = (models_BM if name is None else fixed for name in (golden, proxy))
    weight_BMM = golden_BM[:, :, None] * proxy_BM[:, None, :] * pair_MM
    totals_B = weight_BMM.sum(axis=(1, 2))
    there_B = totals_B > 0

    gains_B: dict[str, list[Floats]] = {name: [] for name in CURVES}
    scale = np.where(spread > 0, spread, 1.0)
    for values in curves.values:
        gain_BMM = gains(values, prompts, counts_BQ) / scale[:, None]
        own_BM = np.diagonal(gain_BMM, axis1=1, axis2=2)
        for name, summed in (
            ("own", np.einsum("bg,bgm->b", own_BM, weight_BMM)),
            ("golden", np.einsum("bgm,bgm->b", gain_BMM, weight_BMM)),
            ("proxy", np.einsum("bm,bgm->b", own_BM, weight_BMM)),
        ):
            gains_B[name].append(np.divide(summed, totals_B, out=np.zeros_like(summed), where=there_B))

    share_M = {"own": pair_MM.sum(axis=1) / pair_MM.sum(), "golden": pair_MM.sum(axis=0) / pair_MM.sum()}
    share_M["proxy"] = share_M["golden"]
    law = LAWS[curves.optimizer]
    fitted, coefficients = {}, {}
    for name in CURVES:
        distances = np.sqrt(curves.kl_SM) @ share_M[name]
        fitted[name], coefficients[name] = _fitted(distances, np.stack(gains_B[name]), there_B, law)
    return GainCurves(
        curves=fitted,
        degree=_degree(fitted, coefficients, there_B, law),
        strengths=curves.strengths,
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        replicates=replicates,
        resampled="prompts" if golden and proxy else "reward models × prompts",
    )


def coefficients_of(distance_S: Floats, gain_SB: Floats, law: Optimizer) -> Floats | None:
    """Least-squares α and β `[2, B]` of many curves at the same distances; None for fewer than three above 0."""
    there = distance_S > 0
    if there.sum() < 3 or len(np.unique(distance_S[there])) < 2:
        return None
    design = np.stack(basis(distance_S[there], law), axis=1)
    solved: Floats = np.linalg.pinv(design) @ gain_SB[there]
    return solved


def peaks(alpha_B: Floats, beta_B: Floats, law: Optimizer) -> tuple[Floats, Bools]:
    """Distances of the peaks, and which curves have one: those that bend down."""
    there = (beta_B > 0) & (alpha_B > 0) if law == "best-of-n" else beta_B > 0
    ratio = np.divide(alpha_B, beta_B, out=np.zeros_like(alpha_B), where=there)
    there &= ratio < _FARTHEST
    if law == "best-of-n":
        return ratio / 2, there
    return np.exp(np.where(there, ratio, 0.0) - 1), there


def degrees(own_2B: Floats, golden_2B: Floats, farthest: float, law: Optimizer) -> tuple[Floats, Bools]:
    """`overoptimisation_degree` of many pairs of fits at once, up to the distance `farthest`; and where it is defined.

    `own_2B` are α and β of the golden curves under the golden's own optimisation, `golden_2B` under the proxy's.
    """
    D = np.full(own_2B.shape[1:], farthest)
    under = _area(own_2B, D, law)
    between = own_2B - golden_2B
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = between[0] / between[1]
        crossing = ratio if law == "best-of-n" else np.exp(np.minimum(ratio, _FARTHEST))
    crosses = (between[1] != 0) & (crossing > 0) & (crossing < farthest)
    upto = np.where(crosses, crossing, D)
    before = _area(between, upto, law)
    total = np.abs(before) + np.abs(_area(between, D, law) - before)
    there = under > 0
    return np.divide(total, under, out=np.zeros_like(total), where=there), there


def pairs_of(curves: ValueCurves, golden: str | None, proxy: str | None) -> Bools:
    names = curves.reward_models
    for name in (golden, proxy):
        if name is not None and name not in names:
            raise UnknownName(f"no {curves.optimizer} policies of reward model {name!r}; there are {', '.join(names)}")
    if golden is not None and golden == proxy:
        raise InvalidChoice(f"golden and proxy are both {golden!r}; nothing is lost on oneself")
    pair_MM = ~np.eye(len(names), dtype=bool)
    if golden is not None:
        pair_MM[np.arange(len(names)) != names.index(golden)] = False
    if proxy is not None:
        pair_MM[:, np.arange(len(names)) != names.index(proxy)] = False
    return pair_MM


def _fitted(distance_S: Floats, gain_SB: Floats, there_B: Bools, law: Optimizer) -> tuple[FittedCurve, Floats | None]:
    nothing = Estimate(None, None, None, 0)
    found = tuple(bootstrap.estimate(float(row[0]), bool(there_B[0]), row[1:], there_B[1:]) for row in gain_SB)
    coefficients = coefficients_of(distance_S, gain_SB, law)
    if coefficients is None:
        return FittedCurve(tuple(distance_S), found, None, nothing, nothing, nothing, 0.0), None
    alpha_B, beta_B = coefficients
    peak_B, peaks_B = peaks(alpha_B, beta_B, law)
    peaks_B &= there_B

    def estimate(value_B: Floats) -> Estimate:
        return bootstrap.estimate(float(value_B[0]), bool(there_B[0]), value_B[1:], there_B[1:])

    curve = FittedCurve(
        distances=tuple(distance_S),
        gains=found,
        fit=fit_overoptimisation(distance_S**2, gain_SB[:, 0], law),
        alpha=estimate(alpha_B),
        beta=estimate(beta_B),
        peak=_peak(peak_B[there_B], peaks_B[there_B]),
        peaks=float(peaks_B[1:].sum() / max(1, there_B[1:].sum())),
    )
    return curve, coefficients


def _peak(peak_B: Floats, there_B: Bools) -> Estimate:
    """The peak of the first, the sample's, with the interval of the others, none of them left out."""
    replicates = int(there_B[1:].sum())
    if not there_B[0] or not replicates:
        return Estimate(None, None, None, replicates)
    ordered = np.sort(np.where(there_B[1:], peak_B[1:], np.inf))
    tail = (1 - bootstrap.LEVEL) / 2
    low, high = (float(ordered[round(share * (len(ordered) - 1))]) for share in (tail, 1 - tail))
    return Estimate(float(peak_B[0]), low, high if np.isfinite(high) else None, replicates)


def _degree(
    fitted: Mapping[str, FittedCurve], coefficients: Mapping[str, Floats | None], there_B: Bools, law: Optimizer
) -> Estimate:
    own, golden = coefficients["own"], coefficients["golden"]
    if own is None or golden is None:
        return Estimate(None, None, None, 0)
    farthest = min(max(fitted[name].distances) for name in ("own", "golden"))
    degree_B, defined_B = degrees(own, golden, farthest, law)
    defined_B &= there_B
    return bootstrap.estimate(float(degree_B[0]), bool(defined_B[0]), degree_B[1:], defined_B[1:])


def _area(coefficients: Floats, D: Floats, law: Optimizer) -> Floats:
    """∫ over KL from 0 to D² of curves with these α and β, as in `overoptimisation`."""
    alpha, beta = coefficients
    cubed = D * D * D  # powers of arrays take many times as long
    if law == "best-of-n":
        return 2 * cubed * (alpha / 3 - beta * D / 4)
    return 2 * cubed * (alpha / 3 - beta * (np.log(D) / 3 - 1 / 9))
