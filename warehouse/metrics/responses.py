"""The scores of some responses in the forms that measures need: differences and order of pairs, ranks, favourites.

Pairs of responses are formed once, as sign and margin matrices `[P, M, K]` with K = R(R − 1)/2; nearly every measure is
then one batched matrix product of a golden side with a proxy side. The golden side may have a mask of the pairs that
count in the test set (METHOD, "Test sets": rank bins).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.ranks import extremes, tie_bounds


class Responses:
    """Scores `[P, M, R]`, with what several measures need of them; `M` are goldens or proxies.

    `counted_PMK` says which pairs count on the golden side (default: all); `variance_M` is each reward model's variance
    over all responses of the initial policy, of which these may be a part.
    """

    def __init__(
        self, scores_PMR: NDArray[np.floating], variance_M: Floats | None = None, counted_PMK: Bools | None = None
    ) -> None:
        self.scores: Floats = np.ascontiguousarray(scores_PMR, dtype=np.float64)
        self.R = self.scores.shape[-1]
        self._variance = variance_M
        self._counted = counted_PMK

    @cached_property
    def variance(self) -> Floats:
        """Variance of each reward model, `[M]`."""
        return np.asarray(self.scores.var(axis=(0, 2))) if self._variance is None else self._variance

    @cached_property
    def margins(self) -> Floats:
        """Score differences of all pairs of responses, 0 for pairs that do not count; `[P, M, K]`."""
        first, second = np.triu_indices(self.R, 1)
        margins: Floats = self.scores[..., first] - self.scores[..., second]
        return margins if self._counted is None else margins * self._counted

    @cached_property
    def signs(self) -> Floats:
        """Which response of each pair is better: 1 the first, −1 the second, 0 neither; `[P, M, K]`."""
        return np.asarray(np.sign(self.margins))

    @cached_property
    def ordered(self) -> Floats:
        """Number of ordered pairs, `[P, M]`."""
        return np.abs(self.signs).sum(axis=-1)

    @cached_property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each response how many score less, and how many score less or the same; `[P, M, R]` each."""
        return tie_bounds(self.scores)

    @cached_property
    def ranks(self) -> Floats:
        """Average ranks, ascending from 1, `[P, M, R]`."""
        below, upto = self.places
        return (below + upto + 1) / 2

    @cached_property
    def top(self) -> Floats:
        """1 / (number of maxima) at the maxima, else 0: where the argmax falls, ties shared; `[P, M, R]`."""
        at_top = self.scores == self.extremes[1][..., None]
        return at_top / at_top.sum(axis=-1, keepdims=True)

    @cached_property
    def extremes(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """The lowest and the highest score, `[P, M]` each."""
        return extremes(self.scores)

    @cached_property
    def constant(self) -> Bools:
        """Whether all responses score the same, `[P, M]`."""
        lowest, highest = self.extremes
        return lowest == highest


def cross(golden: Floats, proxy: Floats) -> Floats:
    """`[P, G, K]` × `[P, M, K]` → `[P, G, M]`: every golden side with every proxy side."""
    return np.asarray(golden @ proxy.transpose(0, 2, 1))
