"""How wrong a proxy is about a golden reward model: METHOD's table, for all pairs of reward models at once.

Every measure is first taken per prompt, then averaged over prompts with weights. What a prompt contributes is kept as
`terms [T, P, M golden, M proxy]`, whose weighted sums over prompts `combine` turns into the figure: so slicing and
bootstrapping are matrix products, never recomputation. A prompt on which a measure is undefined contributes zero terms.

Pairs of responses are taken once, as sign and margin matrices `[P, M, K]` with K = R(R − 1)/2; nearly every measure is
then one batched matrix product of a golden side with a proxy side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.measures.best_of_n import tie_bounds

Floats = NDArray[np.float64]
_CONFIDENCE_EDGES = np.linspace(0.5, 1.0, 6)


@dataclass(frozen=True)
class Measure:
    """One way of measuring. `combine` maps summed terms `[T, …, M, M]` to values and where they are defined.

    All values are oriented so that larger means a better reward model.
    """

    name: str
    title: str
    help: str
    terms: Callable[[Responses], Floats]
    combine: Callable[[Floats], tuple[Floats, NDArray[np.bool_]]]


class Responses:
    """The scores `[P, M, R]` of the responses that a measure looks at, with what several measures need of them."""

    def __init__(self, scores_MPR: NDArray[np.floating]) -> None:
        self.scores = np.ascontiguousarray(scores_MPR.transpose(1, 0, 2), dtype=np.float64)
        self.R = self.scores.shape[-1]

    @cached_property
    def margins(self) -> Floats:
        """Score differences of all pairs of responses, `[P, M, K]`."""
        first, second = np.triu_indices(self.R, 1)
        return self.scores[..., first] - self.scores[..., second]

    @cached_property
    def signs(self) -> Floats:
        return np.sign(self.margins)

    @cached_property
    def ordered(self) -> Floats:
        """Number of golden-ordered pairs, `[P, M]`."""
        return np.abs(self.signs).sum(axis=-1)

    @cached_property
    def ranks(self) -> Floats:
        """Average ranks, ascending from 1, `[P, M, R]`."""
        below, upto = tie_bounds(self.scores)
        return (below + upto + 1) / 2

    @cached_property
    def top(self) -> Floats:
        """1 / (number of maxima) at the maxima, else 0: where the argmax falls, ties shared; `[P, M, R]`."""
        at_top = self.scores == self.scores.max(axis=-1, keepdims=True)
        return at_top / at_top.sum(axis=-1, keepdims=True)


def _cross(golden: Floats, proxy: Floats) -> Floats:
    """`[P, M, K]` × `[P, M, K]` → `[P, M golden, M proxy]`."""
    return golden @ proxy.transpose(0, 2, 1)


def _mean_terms(value: Floats, defined: Floats | NDArray[np.bool_]) -> Floats:
    """Terms of an average: the value where it is defined, and whether it is."""
    value, defined = np.broadcast_arrays(value, defined)
    there = defined.astype(bool)
    return np.stack([np.where(there, value, 0.0), there.astype(np.float64)])


def _combine_mean(totals: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    defined = totals[1] > 0
    return np.divide(totals[0], totals[1], out=np.zeros_like(totals[0]), where=defined), defined


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Terms of the average of a per-prompt ratio, undefined where its denominator is zero."""
    defined = denominator > 0
    value = np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=defined)
    return _mean_terms(value, defined)


def _accuracy(responses: Responses) -> Floats:
    agreement = _cross(responses.signs, responses.signs)
    golden_pairs = np.broadcast_to(responses.ordered[:, :, None], agreement.shape)
    terms = _ratio(agreement, golden_pairs)
    terms[0] = 0.5 * (terms[0] + terms[1])
    return terms


def _accuracy_pair(responses: Responses) -> Floats:
    return _accuracy(Responses(responses.scores[..., :2].transpose(1, 0, 2)))


def _correlation(values: Floats) -> Floats:
    """Pearson correlation of `[P, M, R]` within each prompt, for all pairs; undefined where one side is constant."""
    centred = values - values.mean(axis=-1, keepdims=True)
    constant = values.max(axis=-1) == values.min(axis=-1)
    norms = np.sqrt((centred**2).sum(axis=-1))
    unit = np.divide(centred, norms[..., None], out=np.zeros_like(centred), where=~constant[..., None])
    return _mean_terms(np.clip(_cross(unit, unit), -1.0, 1.0), ~constant[:, :, None] & ~constant[:, None, :])


def _kendall(responses: Responses) -> Floats:
    counts = responses.ordered
    return _ratio(_cross(responses.signs, responses.signs), np.sqrt(counts[:, :, None] * counts[:, None, :]))


def _xi(responses: Responses) -> Floats:
    """Chatterjee (2021): 1 − R Σ|r(i+1) − r(i)| / 2Σ l(R − l), responses in the proxy's order, ranks r, l of golden.

    Proxy ties keep the order of the responses.
    """
    R = responses.R
    below, upto = tie_bounds(responses.scores)
    at_least = R - below
    spread = 2.0 * (at_least * (R - at_least)).sum(axis=-1)
    order = np.argsort(responses.scores, axis=-1, kind="stable")
    steps = [
        np.abs(np.diff(np.take_along_axis(upto, order[:, m, None, :], axis=-1), axis=-1)).sum(axis=-1)
        for m in range(order.shape[1])
    ]
    terms = _ratio(R * np.stack(steps, axis=-1).astype(np.float64), np.repeat(spread[:, :, None], len(steps), axis=2))
    terms[0] = terms[1] - terms[0]
    return terms


def _bo_r(responses: Responses) -> Floats:
    mean = responses.scores.mean(axis=-1)
    room = responses.scores.max(axis=-1) - mean
    gain = _cross(responses.scores, responses.top) - mean[:, :, None]
    return _ratio(gain, np.broadcast_to(np.where(responses.ordered > 0, room, 0.0)[:, :, None], gain.shape))


def _mrr(responses: Responses) -> Floats:
    value = _cross(responses.top, 1.0 / (responses.R + 1 - responses.ranks))
    return _mean_terms(value, (responses.ordered > 0)[:, :, None])


def _ndcg(responses: Responses) -> Floats:
    """Gains are golden scores scaled to [0, 1]; responses that the proxy ties share their discounts."""
    R = responses.R
    upto_discount = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(R) + 2.0))])
    below, upto = tie_bounds(-responses.scores)
    discounts = (upto_discount[upto] - upto_discount[below]) / (upto - below)
    lowest = responses.scores.min(axis=-1, keepdims=True)
    gains = responses.scores - lowest
    ideal = (np.sort(gains, axis=-1)[..., ::-1] * np.diff(upto_discount)).sum(axis=-1)
    value = _cross(gains, discounts)
    return _ratio(value, np.broadcast_to(ideal[:, :, None], value.shape))


def _probability_loss(loss: Callable[[Floats], Floats]) -> Callable[[Responses], Floats]:
    """Minus the mean over golden-ordered pairs of a loss of the proxy's margin in the golden's direction."""

    def terms(responses: Responses) -> Floats:
        forward, backward = (responses.signs > 0).astype(float), (responses.signs < 0).astype(float)
        total = _cross(forward, loss(responses.margins)) + _cross(backward, loss(-responses.margins))
        return _ratio(-total, np.broadcast_to(responses.ordered[:, :, None], total.shape))

    return terms


def _sigmoid(margins: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -margins))


def _ece(responses: Responses) -> Floats:
    """Per bin of confidence: pairs, summed confidence, and number ordered right.

    A pair seen from both sides falls into two bins that mirror one another about ½ with equal gaps; so the ten
    equal-width bins of [0, 1] are five of confidence in [½, 1], whichever response comes first.
    """
    confidence = _sigmoid(np.abs(responses.margins))
    bins = np.clip(np.digitize(confidence, _CONFIDENCE_EDGES) - 1, 0, len(_CONFIDENCE_EDGES) - 2)
    there = np.abs(responses.signs)
    terms = []
    for bin_number in range(len(_CONFIDENCE_EDGES) - 1):
        inside = (bins == bin_number).astype(float)
        pairs = _cross(there, inside)
        terms += [
            pairs,
            _cross(there, inside * confidence),
            0.5 * (pairs + _cross(responses.signs, responses.signs * inside)),
        ]
    # every prompt weighs the same, however many golden-ordered pairs it has
    share = np.divide(1.0, responses.ordered, out=np.zeros_like(responses.ordered), where=responses.ordered > 0)
    return np.stack(terms) * share[None, :, :, None]


def _combine_ece(totals: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    pairs, confidence, right = totals[0::3], totals[1::3], totals[2::3]
    count = pairs.sum(axis=0)
    defined = count > 0
    gap = np.abs(confidence - right).sum(axis=0)
    return -np.divide(gap, count, out=np.zeros_like(gap), where=defined), defined


def _margin_accuracy(responses: Responses) -> Floats:
    agreement = _cross(responses.margins, responses.signs)
    weight = np.abs(responses.margins).sum(axis=-1)
    terms = _ratio(agreement, np.broadcast_to(weight[:, :, None], agreement.shape))
    terms[0] = 0.5 * (terms[0] + terms[1])
    return terms


def _reward_variance(responses: Responses) -> Floats:
    scale = responses.scores.var(axis=(0, 2))
    value = responses.scores.var(axis=-1) / np.where(scale > 0, scale, 1.0)
    M = len(scale)
    return _mean_terms(np.repeat(value[:, None, :], M, axis=1), (scale > 0)[None, None, :])


def _mean(name: str, title: str, text: str, terms: Callable[[Responses], Floats]) -> Measure:
    return Measure(name, title, text, terms, _combine_mean)


MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        _mean(
            "accuracy", "Accuracy", "Share of golden-ordered pairs of responses that the proxy orders alike.", _accuracy
        ),
        _mean(
            "accuracy_pair",
            "Accuracy, one pair",
            "Accuracy on two responses per prompt only, the usual benchmark form.",
            _accuracy_pair,
        ),
        _mean(
            "pearson",
            "Pearson",
            "Linear correlation of golden and proxy scores within a prompt.",
            lambda r: _correlation(r.scores),
        ),
        _mean(
            "spearman",
            "Spearman",
            "Rank correlation of golden and proxy scores within a prompt.",
            lambda r: _correlation(r.ranks),
        ),
        _mean("kendall", "Kendall τ-b", "Ordered pairs minus misordered ones, corrected for ties.", _kendall),
        _mean("xi", "Chatterjee ξ", "How far the golden order is a function of the proxy's.", _xi),
        _mean(
            "bo_r",
            "Best of R",
            "Golden gain of the proxy's favourite, as a share of the greatest gain there is.",
            _bo_r,
        ),
        _mean("mrr", "Reciprocal rank", "One over the rank that the proxy gives to the golden favourite.", _mrr),
        _mean("ndcg", "NDCG", "Discounted gain of the proxy's ranking, golden scores as gains.", _ndcg),
        Measure(
            "ece",
            "Calibration error (negated)",
            "Minus the expected calibration error of the proxy's pair probabilities.",
            _ece,
            _combine_ece,
        ),
        _mean(
            "brier",
            "Brier score (negated)",
            "Minus the squared error of the proxy's pair probabilities.",
            _probability_loss(lambda d: _sigmoid(-d) ** 2),
        ),
        _mean(
            "log_loss",
            "Log-loss (negated)",
            "Minus the log-loss of the proxy's pair probabilities.",
            _probability_loss(lambda d: np.logaddexp(0.0, -d)),
        ),
        _mean(
            "margin_accuracy",
            "Margin accuracy",
            "Accuracy with every pair weighted by its golden margin.",
            _margin_accuracy,
        ),
        _mean(
            "reward_variance",
            "Reward variance",
            "Variance of the proxy's scores within a prompt, as a share of all its variance.",
            _reward_variance,
        ),
    )
}
