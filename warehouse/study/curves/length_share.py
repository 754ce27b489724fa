"""How much of the golden gain of optimised policies do length and finishing explain, and what is left without them?

METHOD, "Length and finishing". For each golden, its scores of π_0's responses are fitted within prompts (both less
their prompt's mean) by the features of `length_features`: unbiased covariances of each prompt, averaged over prompts,
then β_g = Σ_xx⁻¹ Σ_xg. The explained gain of a policy is β_g · (mean features under π − under π_0), per prompt, then
averaged; what is left is the gain minus that. The share is Σ explained / Σ gain over pairs, gains in the golden's
standard deviations within prompts.

What is explained is what responses of that length are worth to the golden *under π_0*, with everything that goes along
with length there. A share below 0: the policies gain in spite of their lengths.

β is fitted again in every draw of prompts, so its noise is in the intervals. That it is fitted to the samples that
best-of-n picks from adds about K divided by all samples to the share, which is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.stats.bootstrap import NOTHING, Bools, Estimate, Floats, first_with_interval, interval
from warehouse.study.curves.gain_curves import with_spread
from warehouse.study.curves.length_features import Matched, PolicyFeatures
from warehouse.study.curves.value_curves import (
    Drawn,
    PairWeights,
    ValueCurves,
    draws,
    fixed_policies,
    gains,
    pair_weights,
)
from warehouse.study.regret import unit_of

_FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Explained:
    """Of the policies at one strength, in the goldens' standard deviations within prompts, means over `pairs`.

    `share` is undefined unless the mean gain is clearly above 0. `r2` is the squared correlation of explained and
    actual gains over the pairs of the sample; None for fewer than three. `unclear` pairs are left out, as their
    golden's own gain is not clear. `finished` is the share of the policies' responses that end.
    """

    gain: Estimate
    explained: Estimate
    left: Estimate
    share: Estimate
    r2: float | None
    pairs: int
    unclear: int
    finished: float


@dataclass(frozen=True)
class MatchedGain:
    """Mean golden gain of matched responses, and the share of the policies' responses that have no match."""

    gain: Estimate
    unmatched: float | None


@dataclass(frozen=True)
class LengthShare:
    """What length and finishing explain at each strength; matched responses are of the last, None: not known.

    `initial_finished` is the share of π_0's responses that end.
    """

    at: tuple[Explained, ...]
    initial_finished: float
    matched: MatchedGain | None
    unit: str
    prompts: int
    resampled: str


def length_share(
    curves: ValueCurves,
    features: PolicyFeatures,
    spread_M: NDArray[np.floating],
    *,
    golden: str | None = None,
    proxy: str | None = None,
    rl_categories: Sequence[str] = (),
    only_clear: bool = True,
    replicates: int = 1000,
    seed: int = 0,
) -> LengthShare:
    """What length and finishing explain of the gains of these curves; a golden, proxy of None averages over all.

    `features` are of the same curves; `spread_M` is `spread_within_prompts` under π_0, taken as known. With
    `only_clear`, means are over the pairs whose golden clearly gains from its own policy at that strength, else over
    those of `gain_curves`. Raises as `gain_curves`.
    """
    curves = curves.for_golden(golden)
    prompts = curves.prompts_in(rl_categories)
    spread = np.asarray(spread_M, dtype=np.float64)
    pair_MM = with_spread(curves, curves.pairs(golden, proxy), spread)
    drawn = draws(len(prompts), curves.roles, replicates, seed)
    scale_M = np.where(spread > 0, spread, 1.0)
    slope_BKM = _slopes(features, prompts, drawn.prompts_BQ) / scale_M
    noisy_M = fixed_policies(curves, golden, proxy)
    at, matched = [], None
    for s, values in enumerate(curves.values):
        gain_BMM = gains(values, prompts, drawn.prompts_BQ, training=seed, noisy_M=noisy_M) / scale_M[:, None]
        moved_KMQ = (features.policies_SKMQ[s] - features.initial_KQ[:, None])[:, :, prompts]
        explained_BMM = np.einsum("bkg,bkm->bgm", slope_BKM, _means(moved_KMQ, drawn.prompts_BQ))
        used_MM = pair_MM
        if only_clear:
            own_BM = np.diagonal(gains(values, prompts, drawn.prompts_BQ, training=seed), axis1=1, axis2=2)
            used_MM = pair_MM & _clear(curves, values, own_BM)[:, None]
        weights = pair_weights(drawn, used_MM, golden, proxy)
        finished_M = features.policies_SKMQ[s, 0][:, prompts].mean(axis=1)
        at.append(
            _explained(
                gain_BMM,
                explained_BMM,
                weights,
                used_MM,
                unclear=int((pair_MM & ~used_MM).sum()),
                finished=float(finished_M[pair_MM.any(axis=0)].mean()),
            )
        )
        if s == len(curves.values) - 1 and features.matched is not None:
            matched = _matched_gain(features.matched, prompts, drawn, weights, scale_M=scale_M)
    return LengthShare(
        at=tuple(at),
        initial_finished=float(features.initial_KQ[0, prompts].mean()),
        matched=matched,
        unit=features.unit,
        prompts=len(prompts),
        resampled=weights.resampled,
    )


def _means(values_KMQ: Floats, counts_BQ: Floats) -> Floats:
    """Means over prompts in each draw, `[B, K, M]`."""
    K, M, Q = values_KMQ.shape
    means: Floats = (weighted_sums(counts_BQ, values_KMQ.reshape(K * M, Q).T) / Q).astype(np.float64)
    return means.reshape(-1, K, M)


def _slopes(features: PolicyFeatures, prompts: NDArray[np.int64], counts_BQ: Floats) -> Floats:
    """β `[B, K, M golden]` in each draw of these prompts; of features that do not vary, 0."""
    samples = features.samples.of_prompts(prompts)
    inside_QR, counts_Q = samples.is_response_PR, samples.counts_P
    if not (counts_Q > 1).any():
        raise InvalidChoice("no prompt has two responses; what length explains within prompts takes two")

    def centred(values_KQR: NDArray[np.floating]) -> Floats:
        """Less the mean of each prompt, 0 beyond its responses."""
        values = np.where(inside_QR, values_KQR, 0.0)
        return np.where(inside_QR, values - (values.sum(axis=2) / counts_Q)[:, :, None], 0.0)

    x_KQR, y_MQR = centred(features.initial_KQR[:, prompts]), centred(samples.scores_MPR)
    K, M, Q = len(x_KQR), len(y_MQR), len(prompts)
    spare_Q = np.maximum(counts_Q - 1, 1)[:, None]
    own_QK2 = np.einsum("kqr,lqr->qkl", x_KQR, x_KQR).reshape(Q, K * K) / spare_Q
    with_QKM = np.einsum("kqr,mqr->qkm", x_KQR, y_MQR, optimize=True).reshape(Q, K * M) / spare_Q
    size_K = np.sqrt(np.diagonal(own_QK2.mean(axis=0).reshape(K, K)))
    size_K = np.where(size_K > 1e-9, size_K, 1.0)
    own_BKK = (counts_BQ @ own_QK2).reshape(-1, K, K) / np.outer(size_K, size_K)
    with_BKM = (counts_BQ @ with_QKM).reshape(-1, K, M) / size_K[:, None]
    return np.linalg.pinv(own_BKK, rcond=1e-6, hermitian=True) @ with_BKM / size_K[:, None]


def _clear(curves: ValueCurves, values: PolicyValues, own_BM: Floats) -> Bools:
    """Which goldens clearly gain from their own policy `[M]`; all where gains stand in NDR's place (`regret`)."""
    optimised_M = np.ones(own_BM.shape[1], dtype=bool) if values.optimised_M is None else values.optimised_M
    if unit_of(values, curves.roles) is not None:
        return np.ones_like(optimised_M)
    return (interval(own_BM[1:])[0] > 0) & optimised_M


class _Mean(NamedTuple):
    """Mean over pairs in the sample and each draw `[1 + B]`, and where there is one."""

    value_B: Floats
    defined_B: Bools


def _mean(values_BMM: Floats, weight_BMM: Floats) -> _Mean:
    totals_B = weight_BMM.sum(axis=(1, 2))
    sums_B = np.einsum("bgm,bgm->b", values_BMM, weight_BMM)
    return _Mean(np.divide(sums_B, totals_B, out=np.zeros_like(sums_B), where=totals_B > 0), totals_B > 0)


def _explained(
    gain_BMM: Floats, explained_BMM: Floats, weights: PairWeights, pair_MM: Bools, *, unclear: int, finished: float
) -> Explained:
    means = [_mean(part, weights.weight_BMM) for part in (gain_BMM, explained_BMM, gain_BMM - explained_BMM)]
    gain, explained, left = (first_with_interval(*mean, weights.models) for mean in means)
    (gain_B, defined_B), (explained_B, _), _ = means
    share = NOTHING
    if gain.low is not None and gain.low > 0:
        gained_B = defined_B & (gain_B > 0)
        share_B = np.divide(explained_B, gain_B, out=np.zeros_like(gain_B), where=gained_B)
        share = first_with_interval(share_B, gained_B, weights.models)
    return Explained(
        gain=gain,
        explained=explained,
        left=left,
        share=share,
        r2=_squared_correlation(gain_BMM[0][pair_MM], explained_BMM[0][pair_MM]),
        pairs=int(pair_MM.sum()),
        unclear=unclear,
        finished=finished,
    )


def _squared_correlation(gains_T: Floats, explained_T: Floats) -> float | None:
    if len(gains_T) < _FEWEST_PAIRS or min(gains_T.std(), explained_T.std()) < 1e-12:
        return None
    return float(np.corrcoef(gains_T, explained_T)[0, 1] ** 2)


def _matched_gain(
    matched: Matched, prompts: NDArray[np.int64], drawn: Drawn, weights: PairWeights, *, scale_M: Floats
) -> MatchedGain:
    """Each matched response counts the same, whichever prompt it answers; then pairs are averaged."""
    difference_BMM = _means(matched.difference_MMQ[:, :, prompts], drawn.prompts_BQ) / scale_M[:, None]
    share_BM = _means(matched.share_MQ[None, :, prompts], drawn.prompts_BQ)
    matched_BM = share_BM > 0
    gain_BMM = np.divide(difference_BMM, share_BM, out=np.zeros_like(difference_BMM), where=matched_BM)
    gain = first_with_interval(*_mean(gain_BMM, weights.weight_BMM * matched_BM), weights.models)
    proxy_M = weights.weight_BMM[0].any(axis=0)
    return MatchedGain(gain, 1.0 - float(share_BM[0, 0, proxy_M].mean()) if proxy_M.any() else None)
