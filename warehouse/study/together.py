"""Many comparisons at once: intervals and p-values that hold for all of them together, and groups that do not differ.

METHOD, "Many comparisons"; the stepdown method of Romano and Wolf 2005 with the greatest t in absolute value. What all
figures do together under other reward models and prompts is simulated from their joint covariance, that of the
jackknife plus that of the prompts, as normal numbers over a common χ (a multivariate t).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.stats import bootstrap, intervals
from warehouse.stats.across_pairs import EVERY, Selected
from warehouse.stats.bootstrap import NOTHING, Bools, Estimate, Floats
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows
from warehouse.study.comparison import (
    Comparison,
    difference_figure,
    greatest,
    of_difference,
    paired,
    shared_rows,
    spread_of_difference,
)
from warehouse.study.evaluate import Replicated

_DRAWS = 4000
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Together:
    """Differences with intervals that hold for all at once with 95 % confidence, and adjusted p-values.

    A p-value (None where undefined) below 0.05 says that the difference is real: the chance of any false one is 5 %.
    """

    differences: tuple[Estimate, ...]
    p_values: tuple[float | None, ...]


class Adjusted(NamedTuple):
    """A measure's difference with its interval and p-value for all at once, and its groups (`groups`)."""

    difference: Estimate
    p_value: float | None
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Board:
    """A leaderboard: every measure on one test set compared with a second one, `{measure: comparison}`.

    `adjusted` has the same differences as `Adjusted`, by (correlation, level), then measure; the second itself has its
    groups, and neither a difference nor a p-value.
    """

    comparisons: Mapping[str, Comparison]
    adjusted: Mapping[tuple[str, str], Mapping[str, Adjusted]]


def boards(
    by_test_set: Sequence[Mapping[str, Replicated]],
    second: str,
    *,
    selected: Selected = EVERY,
    grouped: bool = True,
    seed: int = 0,
) -> list[Board]:
    """A leaderboard for each test set of `comparison.replicated_on_all`.

    Differences are taken together over all measures of all test sets; groups within a test set, none unless `grouped`.
    """
    compared = [(place, name) for place, parts in enumerate(by_test_set) for name in parts if name != second]
    adjusted: list[dict[tuple[str, str], dict[str, Adjusted]]] = [{} for _ in by_test_set]
    rows = by_test_set[0][second].rows
    for key in selected:
        figures = [
            difference_figure(by_test_set[place][name], by_test_set[place][second], *key) for place, name in compared
        ]
        together = all_at_once(rows, figures, seed, most=greatest(key[0])) if figures else Together((), ())
        by_place = dict(zip(compared, zip(together.differences, together.p_values, strict=True), strict=True))
        for place, parts in enumerate(by_test_set):
            own = [part.figures(key[1])[key[0]] for part in parts.values()]
            numbers = groups(rows, own, seed) if grouped else [()] * len(own)
            adjusted[place][key] = {
                name: Adjusted(*by_place.get((place, name), (NOTHING, None)), of_name)
                for name, of_name in zip(parts, numbers, strict=True)
            }
    return [
        Board({name: paired(part, parts[second]) for name, part in parts.items()}, of_place)
        for parts, of_place in zip(by_test_set, adjusted, strict=True)
    ]


def simultaneous(
    parts: Sequence[Replicated],
    second: Replicated,
    seed: int = 0,
    *,
    name: str = "kendall",
    level: str = "pooled",
) -> Together:
    """Differences of each one's correlation from the second's."""
    figures = [difference_figure(part, second, name, level) for part in parts]
    return all_at_once(shared_rows([second, *parts]), figures, seed, most=greatest(name))


def all_at_once(rows: Rows, figures: Sequence[Figure], seed: int = 0, *, most: float = 2.0) -> Together:
    """Differences of correlations, each `[rows]`; one that never differs from 0 has an interval of width 0.

    `most` is the greatest difference that there can be.
    """
    estimates = [of_difference(rows, figure, most) for figure in figures]
    p_values: list[float | None] = [None] * len(figures)
    degrees = int(rows.inside.sum()) - 1
    half = np.array([_half(rows, figure) for figure in figures]) / intervals.t_quantile(degrees)
    tested = [place for place, size in enumerate(half) if np.isfinite(size) and size > _ROUNDING]
    for place, size in enumerate(half):
        if np.isfinite(size) and size <= _ROUNDING:
            p_values[place] = 1.0
    if len(tested) == 1:  # nothing else to allow for
        (place,) = tested
        p_values[place] = 2.0 * intervals.t_share(-abs(estimates[place].value or 0.0) / float(half[place]), degrees)
    elif tested:
        deviation_BL = joint_deviations(rows, [figures[place] for place in tested], seed)
        deviation_BL /= np.maximum(deviation_BL.std(axis=0), _ROUNDING)
        rng = bootstrap.generator(seed, bootstrap.TOGETHER, "chi")
        t_BL = np.abs(deviation_BL) / np.sqrt(rng.chisquare(degrees, len(deviation_BL)) / degrees)[:, None]
        values = np.array([estimates[place].value for place in tested], dtype=np.float64)
        width = float(np.quantile(t_BL.max(axis=1), bootstrap.LEVEL))
        for place, value, p in zip(tested, values.tolist(), stepdown(np.abs(values) / half[tested], t_BL), strict=True):
            reach = width * float(half[place])
            low, high = max(value - reach, -most), min(value + reach, most)
            estimates[place] = Estimate(value, low, high, estimates[place].replicates)
            p_values[place] = p
    return Together(tuple(estimates), tuple(p_values))


def joint_deviations(rows: Rows, figures: Sequence[Figure], seed: int) -> Floats:
    """How the figures would deviate together in other studies, `[draws, figures]`: normal numbers."""
    rng = bootstrap.generator(seed, bootstrap.TOGETHER)
    parts = []
    for part, of_models in ((rows.left_out, True), (rows.prompts, False)):
        value_BL = np.stack([np.where(defined[part], value[part], 0.0) for value, defined in figures], axis=1)
        defined_BL = np.stack([defined[part] for _, defined in figures], axis=1)
        if of_models:
            value_BL, defined_BL = value_BL[rows.inside], defined_BL[rows.inside]
        mean_L = value_BL.sum(axis=0) / np.maximum(defined_BL.sum(axis=0), 1)
        value_BL = np.where(defined_BL, value_BL, mean_L)
        n = max(1, len(value_BL))
        scale = np.sqrt((n - 1) / n) if of_models else np.sqrt(1.0 / n)
        parts.append(scale * (value_BL - value_BL.mean(axis=0)))
    influence_UL = np.concatenate(parts)
    if len(influence_UL) > influence_UL.shape[1]:  # the same covariance from fewer random numbers
        root_LL = np.asarray(np.linalg.qr(influence_UL, mode="r"))
        influence_UL = root_LL * np.where(np.diagonal(root_LL) < 0, -1.0, 1.0)[:, None]  # LAPACK leaves signs open
    deviations: Floats = rng.standard_normal((_DRAWS, len(influence_UL))) @ influence_UL
    return deviations


def groups(rows: Rows, figures: Sequence[Figure], seed: int = 0) -> tuple[tuple[int, ...], ...]:
    """Groups of figures that cannot be told apart, numbered from 1 for that of the greatest: figure → its groups.

    All pairs are compared at once. Two figures have a group in common if and only if they do not differ clearly; one
    may be in several (compact letter display by insertion and absorption; Piepho 2004). An undefined one is in none.
    """
    defined = [place for place, (_, is_defined) in enumerate(figures) if is_defined[0]]
    order = sorted(defined, key=lambda place: -float(figures[place][0][0]))
    pairs = [(a, b) for a, first in enumerate(order) for b in range(a + 1, len(order))]
    pair_figures = [
        (figures[order[a]][0] - figures[order[b]][0], figures[order[a]][1] & figures[order[b]][1]) for a, b in pairs
    ]
    together = all_at_once(rows, pair_figures, seed) if pairs else Together((), ())
    apart = np.zeros((len(order), len(order)), dtype=bool)
    for (a, b), p in zip(pairs, together.p_values, strict=True):
        apart[a, b] = apart[b, a] = p is not None and p < 1.0 - bootstrap.LEVEL
    places = dict(zip(order, lettered(apart), strict=True))
    return tuple(places.get(place, ()) for place in range(len(figures)))


def lettered(apart_LL: Bools) -> tuple[tuple[int, ...], ...]:
    """Groups of L figures, the greatest first, of which `apart_LL` says which pairs differ: figure → its groups.

    Two have a group in common if and only if they do not differ (compact letter display by insertion and absorption).
    """
    members = [set(range(len(apart_LL)))]
    for pair in np.argwhere(np.triu(apart_LL)).tolist():  # every group with both of them becomes one without either
        for group in [group for group in members if group.issuperset(pair)]:
            members.remove(group)
            for left in (group - {place} for place in reversed(pair)):
                if not any(left <= other for other in members):
                    members.append(left)
    numbered = [*enumerate(sorted(members, key=sorted), start=1)]
    return tuple(tuple(number for number, group in numbered if place in group) for place in range(len(apart_LL)))


def _half(rows: Rows, figure: Figure) -> float:
    """Half the width of a difference's own interval, also where that ends earlier because no figure is greater."""
    spread = spread_of_difference(rows, figure) if figure[1][0] else None
    return inf if spread is None else intervals.t_quantile(spread.degrees) * float(np.sqrt(spread.variance))


def stepdown(t_L: Floats, t_BL: NDArray[np.floating]) -> list[float]:
    """Adjusted p-values of L figures: each against the greatest of those that are not more extreme.

    `t_BL` `[draws, L]` is what the figures would be by chance. No p-value is below that of a more extreme figure.
    """
    order = np.argsort(-t_L)
    greatest_BL = np.maximum.accumulate(t_BL[:, order[::-1]], axis=1)[:, ::-1]
    p_L = (1 + (greatest_BL >= t_L[order]).sum(axis=0)) / (1 + len(t_BL))
    p_values = np.zeros(len(t_L))
    p_values[order] = np.maximum.accumulate(p_L)
    return [float(p) for p in p_values]
