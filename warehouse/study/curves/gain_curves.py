"""Golden and proxy reward along the strengths of an optimiser, their fits (`gain_laws`), and the degree γ of pairs.

METHOD, "Overoptimisation and Goodhart". `gain_curves` is for one golden–proxy pair or averaged over pairs, in each
reward model's standard deviations within prompts, which puts all reward models on one scale; `degree_map` has the γ of
every pair.

The standard errors of a least-squares fit would take its points as independent, but those of one curve come from the
same prompts. So every replicate is fitted again, and the intervals of α, β, the peak and γ are the bootstrap's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import NOTHING, Bools, Estimate, Floats, first_with_interval
from warehouse.study.curves.gain_laws import LAWS, Law, coefficients_of, degrees, gains_at, peaks
from warehouse.study.curves.value_curves import ValueCurves, draws, fixed_policies, gains, pair_weights

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
    """The curves of a golden and a proxy; None for either averages over all of them.

    `spread_M` is `spread_within_prompts` under the initial policy, of the reward models of `curves`; it is taken as
    known, as are divergences. Prompts are resampled, and reward models too where they are averaged over. Pairs whose
    golden has no policy of its own are left out; if that is all of them, the curve `own` is undefined.
    Raises UnknownName, and InvalidChoice for a reward model against itself or pairs without any spread.
    """
    curves = curves.for_golden(golden)
    prompts = curves.prompts_in(rl_categories)
    spread = np.asarray(spread_M, dtype=np.float64)
    pair_MM = with_spread(curves, curves.pairs(golden, proxy), spread)
    optimised_M = curves.values[-1].optimised_M
    has_own = optimised_M is None or bool((pair_MM & optimised_M[:, None]).any())
    drawn = draws(len(prompts), curves.roles, replicates, seed)
    counts_BQ = drawn.prompts_BQ
    weight_BMM, models, resampled = pair_weights(drawn, pair_MM, golden, proxy)
    totals_B = weight_BMM.sum(axis=(1, 2))
    defined_B = totals_B > 0

    gains_B: dict[str, list[Floats]] = {name: [] for name in CURVES}
    scale = np.where(spread > 0, spread, 1.0)
    noisy_M = fixed_policies(curves, golden, proxy)
    for values in curves.values:
        gain_BMM = gains(values, prompts, counts_BQ, training=seed, noisy_M=noisy_M) / scale[:, None]
        own_BM = np.diagonal(gain_BMM, axis1=1, axis2=2)
        for name, summed in (
            ("own", np.einsum("bg,bgm->b", own_BM, weight_BMM)),
            ("golden", np.einsum("bgm,bgm->b", gain_BMM, weight_BMM)),
            ("proxy", np.einsum("bm,bgm->b", own_BM, weight_BMM)),
        ):
            gains_B[name].append(np.divide(summed, totals_B, out=np.zeros_like(summed), where=defined_B))

    share_M = {"own": pair_MM.sum(axis=1) / pair_MM.sum(), "golden": pair_MM.sum(axis=0) / pair_MM.sum()}
    share_M["proxy"] = share_M["golden"]
    law = LAWS[curves.optimizer]
    fitted: dict[str, FittedCurve] = {}
    fits_2B: dict[str, Floats | None] = {}
    for name in CURVES:
        distances, gain_SB = curves.distance_SM @ share_M[name], np.stack(gains_B[name])
        known_B = defined_B & (has_own or name != "own")
        fits_2B[name] = coefficients_of(distances, gain_SB, law) if known_B.any() else None
        fitted[name] = _fitted(_Drawn(distances, gain_SB, known_B, models), fits_2B[name], law)
    degree, own, of_proxy = NOTHING, fits_2B["own"], fits_2B["golden"]
    if own is not None and of_proxy is not None:
        farthest = min(max(fitted[name].distances) for name in ("own", "golden"))
        degree_B, has_degree_B = degrees(own, of_proxy, farthest, law)
        degree = first_with_interval(degree_B, has_degree_B & defined_B, models)
    return GainCurves(
        curves=fitted,
        degree=degree,
        strengths=curves.strengths,
        below_zero=curves.below_zero,
        pairs=int(pair_MM.sum()),
        prompts=len(prompts),
        replicates=replicates,
        resampled=resampled,
    )


def with_spread(curves: ValueCurves, pair_MM: Bools, spread_M: Floats) -> Bools:
    """Those of these pairs `[M, M]` in which both tell responses apart and a policy was optimised against the proxy.

    Against the golden too, if that is so of any: all curves are of the same pairs. Raises InvalidChoice without any.
    """
    pair_MM = pair_MM & (spread_M > 0)[:, None] & (spread_M > 0)
    optimised_M = curves.values[-1].optimised_M
    if optimised_M is not None:
        pair_MM &= optimised_M
        own_MM = pair_MM & optimised_M[:, None]
        pair_MM = own_MM if own_MM.any() else pair_MM
    if not pair_MM.any():
        raise InvalidChoice(
            "no golden–proxy pair in which both tell responses apart and a policy was optimised against the proxy; "
            "choose others"
        )
    return pair_MM


class _Drawn(NamedTuple):
    """Mean gains `[S, 1 + B]` at S distances, where they are defined, and how many reward models are drawn."""

    distance_S: Floats
    gain_SB: Floats
    defined_B: Bools
    models: int | None

    def estimate(self, value_B: Floats) -> Estimate:
        """A figure `[1 + B]` of these gains with its interval."""
        return first_with_interval(value_B, self.defined_B, self.models)


def _fitted(drawn: _Drawn, fit_2B: Floats | None, law: Law) -> FittedCurve:
    distances, gained = tuple(drawn.distance_S), tuple(drawn.estimate(gain_B) for gain_B in drawn.gain_SB)
    if fit_2B is None:
        return FittedCurve(distances, gained, law=law, fit=None, alpha=NOTHING, beta=NOTHING, peak=NOTHING, peaks=0.0)
    alpha_B, beta_B = fit_2B
    peak_B, bends_B = peaks(fit_2B, law)
    defined_B = drawn.defined_B
    bends_B &= defined_B
    return FittedCurve(
        distances,
        gained,
        law=law,
        fit=(float(alpha_B[0]), float(beta_B[0])),
        alpha=drawn.estimate(alpha_B),
        beta=drawn.estimate(beta_B),
        peak=_peak(peak_B[defined_B], bends_B[defined_B], bootstrap.tail(drawn.models)),
        peaks=float(bends_B[1:].sum() / max(1, defined_B[1:].sum())),
    )


def _peak(peak_B: Floats, bends_B: Bools, tail: float) -> Estimate:
    """The sample's peak, with the interval of all replicates: one without a peak counts as beyond every distance."""
    replicates = int(bends_B[1:].sum())
    if not bends_B[0] or not replicates:
        return Estimate.undefined(replicates)
    ordered = np.sort(np.where(bends_B[1:], peak_B[1:], np.inf))
    low, high = (float(ordered[round(share * (len(ordered) - 1))]) for share in (tail, 1 - tail))
    return Estimate(float(peak_B[0]), low, high if np.isfinite(high) else None, replicates)


@dataclass(frozen=True)
class DegreeMap:
    """γ `[M golden, M proxy]` with its 95 % interval over prompts; 0 where undefined.

    `below_zero` counts the policies whose estimated KL is negative, which are taken to be at distance 0.
    """

    degree_MM: Floats
    low_MM: Floats
    high_MM: Floats
    defined_MM: Bools
    replicates: int
    below_zero: int


def degree_map(
    curves: ValueCurves, *, rl_categories: Sequence[str] = (), replicates: int = 1000, seed: int = 0
) -> DegreeMap:
    """γ of all pairs under one optimiser (Kim et al., arXiv 2505.12763).

    Undefined where optimising the golden itself gains nothing, and for reward models with fewer than three policies at
    a distance above 0. Raises InvalidChoice if that is so for all of them.
    """
    prompts = curves.prompts_in(rl_categories)
    M = len(curves.reward_models)
    counts_BQ = draws(len(prompts), curves.roles, replicates, seed).prompts_BQ
    gain_SBMM = np.stack([gains(values, prompts, counts_BQ, training=seed) for values in curves.values])
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
    for golden, proxy in np.argwhere(curves.roles.pairs_MM):
        own_2BM, other_2BM = curve_2BM[golden], curve_2BM[proxy]
        if own_2BM is None or other_2BM is None:
            continue
        farthest = float(min(distance_SM[:, golden].max(), distance_SM[:, proxy].max()))
        degree_B, defined_B = degrees(own_2BM[:, :, golden], other_2BM[:, :, golden], farthest, law)
        degree = first_with_interval(degree_B, defined_B)
        if degree.value is None or degree.low is None or degree.high is None:
            continue
        defined_MM[golden, proxy] = True
        degree_MM[golden, proxy] = degree.value
        low_MM[golden, proxy], high_MM[golden, proxy] = degree.low, degree.high
    return DegreeMap(degree_MM, low_MM, high_MM, defined_MM, replicates, curves.below_zero)
