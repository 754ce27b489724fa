"""How right a proxy is about a golden reward model, prompt by prompt: METHOD's table of measures.

A measure's `terms` are what each prompt contributes for all pairs of a golden and a proxy at once, `[T, P, G, M]`, and
where it is defined; the figure of a test set is their weighted sum over prompts (`prompt_values`). So slicing and
bootstrapping are matrix products, never recomputation. T is 1 for all but the calibration error.

Ties follow METHOD: a golden tie is no pair, a proxy tie counts ½; responses that the proxy ties share their places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from warehouse.metrics.responses import Bools, Floats, Responses, cross
from warehouse.stats.ranks import extremes

Terms = tuple[Floats, Bools]
"""Values `[T, P, G, M]`, 0 where undefined, and where they are defined, `[P, G, M]`."""


@dataclass(frozen=True)
class Measure:
    """One way of measuring; larger is a better reward model, for every measure.

    `title` is for a menu, `help` one sentence. `looks_at` says what of a prompt's responses it uses: all pairs of them,
    one pair, or the whole list. `symmetric` says whether golden and proxy can change places: always, when no scores are
    tied, or never. `unit` is that of its values, empty for shares and correlations; `digits` how many decimals are
    written; `negated`, whether a value is minus the figure of that name, so that larger is better.
    """

    name: str
    title: str
    help: str
    terms: Callable[[Responses, Responses], Terms]
    looks_at: Literal["pairs", "one pair", "list"]
    symmetric: Literal["always", "untied", "never"] = "never"
    unit: str = ""
    digits: int = 3
    negated: bool = False

    @property
    def axis(self) -> str:
        """Its title with the unit, for axes and columns: `Log-loss (negated), nats`."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def format(self) -> str:
        """How a value is written, as Python and D3 have it: `.3f`."""
        return f".{self.digits}f"


def ratio(numerator: Floats, denominator: Floats | Bools) -> Terms:
    """A per-prompt ratio, undefined where its denominator is not above zero."""
    defined = np.broadcast_to(denominator > 0, numerator.shape)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=defined)[None], defined


def accuracy(golden: Responses, proxy: Responses) -> Terms:
    """Share of golden-ordered pairs that the proxy orders the same way; a proxy tie counts ½."""
    pairs = golden.ordered[:, :, None]
    return ratio(0.5 * (cross(golden.signs, proxy.signs) + pairs), pairs)


def margin_accuracy(golden: Responses, proxy: Responses) -> Terms:
    """Accuracy with each pair weighted by its golden margin |a_i − a_j|."""
    weight = np.abs(golden.margins).sum(axis=-1)[:, :, None]
    return ratio(0.5 * (cross(golden.margins, proxy.signs) + weight), weight)


def kendall(golden: Responses, proxy: Responses) -> Terms:
    """Kendall τ-b: (concordant − discordant) / √(golden-ordered · proxy-ordered pairs)."""
    ordered = np.sqrt(golden.ordered[:, :, None] * proxy.ordered[:, None, :])
    return ratio(cross(golden.signs, proxy.signs), ordered)


def pearson(golden: Responses, proxy: Responses) -> Terms:
    """Pearson r of the scores; undefined where one side is constant."""
    return _correlation(golden.scores, proxy.scores, golden, proxy)


def spearman(golden: Responses, proxy: Responses) -> Terms:
    """Spearman ρ: Pearson r of average ranks; undefined where one side is constant."""
    return _correlation(golden.ranks, proxy.ranks, golden, proxy)


def _correlation(a: Floats, b: Floats, golden: Responses, proxy: Responses) -> Terms:
    value = np.clip(cross(_unit(a, golden.constant), _unit(b, proxy.constant)), -1.0, 1.0)
    return value[None], ~golden.constant[:, :, None] & ~proxy.constant[:, None, :]


def _unit(values: Floats, constant: Bools) -> Floats:
    """Centred and scaled to length 1 within each prompt; zero where constant.

    Scaled by the greatest deviation first, so that the squares of tiny or huge scores neither vanish nor overflow.
    """
    centred = values - values.mean(axis=-1, keepdims=True)
    size = extremes(np.abs(centred))[1][..., None]
    centred = np.divide(centred, size, out=np.zeros_like(centred), where=~constant[..., None] & (size > 0))
    norm = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return np.divide(centred, norm, out=centred, where=norm > 0)


def xi(golden: Responses, proxy: Responses) -> Terms:
    """Chatterjee's ξ of golden given proxy: 1 − R Σ|r(i+1) − r(i)| / 2Σ l(R − l), in the proxy's order.

    `r` counts golden scores up to this one, `l` those from this one on (Chatterjee 2021, arXiv 1909.10140). Proxy ties
    keep the order of the responses. Undefined where golden is constant.
    """
    R, M = golden.R, proxy.scores.shape[1]
    below, upto = golden.places
    spread = 2.0 * ((R - below) * below).sum(axis=-1).astype(np.float64)
    order = np.argsort(proxy.scores, axis=-1, kind="stable")
    steps = np.empty((*spread.shape, M))
    for m in range(M):
        in_order = np.take_along_axis(upto, order[:, m, None, :], axis=-1)
        steps[..., m] = np.abs(np.diff(in_order, axis=-1)).sum(axis=-1)
    value, defined = ratio(R * steps, spread[:, :, None])
    return np.where(defined, 1.0 - value, 0.0), defined


def bo_r(golden: Responses, proxy: Responses) -> Terms:
    """Best-of-R as a metric: (golden score of the proxy's favourite − mean) / (maximum − mean)."""
    mean = golden.scores.mean(axis=-1)
    room = np.where(golden.constant, 0.0, golden.extremes[1] - mean)[:, :, None]
    return ratio(cross(golden.scores, proxy.top) - mean[:, :, None], room)


def mrr(golden: Responses, proxy: Responses) -> Terms:
    """1 / (rank that the proxy gives to the golden favourite), 1 its best; undefined where golden is constant."""
    return ratio(cross(golden.top, 1.0 / (proxy.R + 1 - proxy.ranks)), ~golden.constant[:, :, None])


def ndcg(golden: Responses, proxy: Responses) -> Terms:
    """NDCG of the proxy's ranking: gains are golden scores scaled to [0, 1], discounts log2(1 + rank).

    Responses that the proxy ties share the mean of their discounts. Undefined where golden is constant.
    """
    R = golden.R
    discounts = 1.0 / np.log2(np.arange(R) + 2.0)
    upto_discount = np.concatenate([[0.0], np.cumsum(discounts)])
    below, upto = proxy.places  # ascending: the best response has the place R
    shared = (upto_discount[R - below] - upto_discount[R - upto]) / (upto - below)
    lowest, highest = (end[..., None] for end in golden.extremes)
    gains = np.divide(
        golden.scores - lowest, highest - lowest, out=np.zeros_like(golden.scores), where=highest > lowest
    )
    ideal = (np.sort(gains, axis=-1)[..., ::-1] * discounts).sum(axis=-1)
    return ratio(cross(gains, shared), ideal[:, :, None])


def reward_variance(golden: Responses, proxy: Responses) -> Terms:
    """Variance of the proxy's scores, in units of its variance over all of π_0's responses (arXiv 2503.15477)."""
    scale = proxy.variance
    value = np.divide(proxy.scores.var(axis=-1), scale, out=np.zeros(proxy.scores.shape[:2]), where=scale > 0)
    shape = (*golden.scores.shape[:2], len(scale))
    return np.broadcast_to(value[:, None, :], shape)[None], np.broadcast_to(scale > 0, shape)
