"""Golden and proxy reward along the strengths of an optimiser, with the fits of Gao et al. and the degree γ.

METHOD, "Goodhart", overoptimisation curves, for one golden–proxy pair or averaged over pairs. Gains are over the
initial policy, in each reward model's standard deviations within prompts, which puts all reward models on one scale.

The standard errors of a least-squares fit would take its points as independent, but those of one curve come from the
same prompts. So every replicate is fitted again, and the intervals of α, β, the peak and γ are the bootstrap's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate
from warehouse.study.overoptimisation import LAWS, Law, coefficients_of, degrees, gains_at, peaks
from warehouse.study.value_curves import ValueCurves, drawn, estimate, gains, pair_weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CURVES: Mapping[str, str] = {
    "own": "Golden reward, the golden optimised",
    "golden": "Golden reward, the proxy optimised",
    "proxy": "Proxy reward, the proxy optimised",
}
"""The three curves of a pair and what they are of."""


@dataclass(frozen=True)
class FittedCurve:
    """One curve: mean distance √KL and gain at each strength, and the sample's fit: α and β, None for too few points.

    `peak` is the distance of the fit's peak, undefined where it does not bend down. Replicates without a peak count as
    peaks beyond every distance: the upper end is None where more than 2.5 % of them have none, and `peaks` is the share
    that has one.
    """

    distances: tuple[float, ...]
    gains: tuple[Estimate, ...]
    law: Law
    fit: tuple[float, float] | None
    alpha: Estimate
    beta: Estimate
    peak: Estimate
    peaks: float

    def fitted_at(self, distance_D: Floats) -> Floats:
        """Gains `[D]` of the fit at these distances √KL. Raises InvalidChoice for a curve without a fit."""
        if self.fit is None:
            raise InvalidChoice(f"{len(self.distances)} points are too few for a fit")
        return gains_at(self.fit, distance_D, self.law)


@dataclass(frozen=True)
class GainCurves:
    """The curves by their names in `CURVES`, and γ over KL from 0 to the largest that both golden curves reach.

    `below_zero` counts the policies whose estimated KL is negative, which are shown at distance 0.
    """

    curves: Mapping[str, FittedCurve]
    degree: Estimate
    strengths: tuple[float, ...]
    below_zero: int
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
    weight_BMM, resampled = pair_weights(models_BM, pair_MM, golden, proxy)
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
        distances = curves.distance_SM @ share_M[name]
        fitted[name], coefficients[name] = _fitted(distances, np.stack(gains_B[name]), there_B, law)
    return GainCurves(
        curves=fitted,
        degree=_degree(fitted, coefficients, there_B, law),
        strengths=curves.strengths,
        below_zero=curves.below_zero,
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        replicates=replicates,
        resampled=resampled,
    )


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


def _fitted(distance_S: Floats, gain_SB: Floats, there_B: Bools, law: Law) -> tuple[FittedCurve, Floats | None]:
    nothing = Estimate(None, None, None, 0)
    gained = tuple(estimate(gain_B, there_B) for gain_B in gain_SB)
    coefficients = coefficients_of(distance_S, gain_SB, law)
    if coefficients is None:
        empty = FittedCurve(
            tuple(distance_S), gained, law=law, fit=None, alpha=nothing, beta=nothing, peak=nothing, peaks=0.0
        )
        return empty, None
    alpha_B, beta_B = coefficients
    peak_B, peaks_B = peaks(coefficients, law)
    peaks_B &= there_B

    curve = FittedCurve(
        distances=tuple(distance_S),
        gains=gained,
        law=law,
        fit=(float(alpha_B[0]), float(beta_B[0])),
        alpha=estimate(alpha_B, there_B),
        beta=estimate(beta_B, there_B),
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
    fitted: Mapping[str, FittedCurve], coefficients: Mapping[str, Floats | None], there_B: Bools, law: Law
) -> Estimate:
    own, golden = coefficients["own"], coefficients["golden"]
    if own is None or golden is None:
        return Estimate(None, None, None, 0)
    farthest = min(max(fitted[name].distances) for name in ("own", "golden"))
    degree_B, defined_B = degrees(own, golden, farthest, law)
    return estimate(degree_B, defined_B & there_B)
