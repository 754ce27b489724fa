"""Which of two ways of measuring predicts NDR better: the paired difference of their correlations.

METHOD, "Intervals". Both are evaluated on the same altered studies, so what leaving out a reward model or drawing other
prompts does to both of them, which is most of what makes intervals wide, cancels out of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet
from warehouse.stats import intervals
from warehouse.stats.across_pairs import EVERY, Selected
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows
from warehouse.study.correlation import less_noise
from warehouse.study.evaluate import Evaluation, Replicated, replicated

_ROUNDING = 1e-9
_FEWEST_LEFT_OUT = 3


@dataclass(frozen=True)
class Comparison:
    """Two evaluations and the differences of their correlations, first minus second.

    `share_better` is the confidence that the first predicts better, pooled: the share above 0 of the distribution that
    the interval is of; None where undefined.
    """

    first: Evaluation
    second: Evaluation
    correlations: Mapping[str, Estimate]
    within: Mapping[str, Estimate]
    share_better: Mapping[str, float | None]


def compare(
    cube: ScoreCube,
    values: PolicyValues,
    first: str,
    second: str,
    *,
    test_set: TestSet | None = None,
    second_test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: tuple[PromptValues | None, PromptValues | None] = (None, None),
) -> Comparison:
    """Compare two measures, or one on two test sets (`second_test_set` is `test_set` if not given).

    Test sets of different prompts are drawn separately, each within itself; the draws of reward models and RL-test
    prompts are shared even then. Raises as `evaluate` does.
    """
    first_set = test_set or TestSet()
    left, right = replicated(
        cube,
        values,
        [(first, first_set), (second, second_test_set or first_set)],
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        prepared=prepared,
    )
    return paired(left, right)


def compare_all(
    cube: ScoreCube,
    values: PolicyValues,
    second: str,
    *,
    measures: Sequence[str] = tuple(MEASURES),
    test_sets: Sequence[TestSet] = (TestSet(),),
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Mapping[str, PromptValues] | None = None,
    selected: Selected = EVERY,
) -> list[dict[str, Comparison]]:
    """Compare every measure with the second one on each test set: `{measure: comparison}` per test set.

    All share the draws of reward models and RL-test prompts. `prepared` are values by measure, good for all test sets.
    """
    by_test_set = replicated_on_all(
        cube,
        values,
        tuple(dict.fromkeys((*measures, second))),
        test_sets=test_sets,
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        prepared=prepared,
        selected=selected,
    )
    return [{name: paired(parts[name], parts[second]) for name in measures} for parts in by_test_set]


def replicated_on_all(
    cube: ScoreCube,
    values: PolicyValues,
    measures: Sequence[str] = tuple(MEASURES),
    *,
    test_sets: Sequence[TestSet] = (TestSet(),),
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Mapping[str, PromptValues] | None = None,
    selected: Selected = EVERY,
) -> list[dict[str, Replicated]]:
    """Every measure on every test set, all in the same altered studies: `{measure: part}` per test set."""
    jobs = [(name, test_set) for test_set in test_sets for name in measures]
    parts = replicated(
        cube,
        values,
        jobs,
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        prepared=[(prepared or {}).get(name) for name, _ in jobs],
        selected=selected,
    )
    n = len(measures)
    return [dict(zip(measures, parts[start : start + n], strict=True)) for start in range(0, len(parts), n)]


def paired(left: Replicated, right: Replicated) -> Comparison:
    """The comparison of two evaluations of the same altered studies."""
    pooled = {name: difference(left, right, name, "pooled") for name in left.pooled}
    within = {name: difference(left, right, name, "within") for name in left.within}
    share = {
        name: _confidence(shared_rows([left, right]), difference_figure(left, right, name, "pooled"))
        for name in left.pooled
    }
    return Comparison(left.evaluation, right.evaluation, pooled, within, share)


def difference(left: Replicated, right: Replicated, name: str = "kendall", level: str = "pooled") -> Estimate:
    """The difference of two correlations, first minus second, with its interval (`of_difference`)."""
    return of_difference(shared_rows([left, right]), difference_figure(left, right, name, level), greatest(name))


def greatest(name: str) -> float:
    """The greatest difference that two correlations of this name can have: MRR is never below 0."""
    return 1.0 if name == "mrr" else 2.0


def of_difference(rows: Rows, figure: Figure, most: float = 2.0) -> Estimate:
    """A difference of correlations `[rows]` with its 95 % interval, from −most to most.

    Around the sample's difference, by Student's t with reward models − 1 degrees of freedom; the variance is the
    greater of the jackknife's over reward models and that over prompts: either contains part of the other, and their
    sum finds too little. With three reward models, or if a difference is the same in all altered studies though it is
    not 0, nothing is known of others, and the interval is all there is.
    """
    value, defined = float(figure[0][0]), bool(figure[1][0])
    if not defined:
        return Estimate.undefined(int(figure[1][rows.prompts].sum()))
    spread = spread_of_difference(rows, figure)
    if spread is None:
        return Estimate(value, -most, most, 0)
    value = value if spread.variance > 0.0 else 0.0  # what is left of rounding is no difference
    return intervals.around(value, spread, low=-most, high=most)


def shared_rows(parts: Sequence[Replicated]) -> Rows:
    """The rows that parts on the same draws share: of the widest, where some are of a part of the reward models."""
    return max((part.rows for part in parts), key=lambda rows: int(rows.inside.sum()))


def spread_of_difference(rows: Rows, figure: Figure) -> intervals.Spread | None:
    """Its variance and degrees of freedom (`of_difference`); None if nothing is known of other studies."""
    left_out, drawn = intervals.without_each(rows, figure), intervals.defined_in(rows.prompts, figure)
    if len(left_out) < _FEWEST_LEFT_OUT or len(drawn) < 2:
        return None
    variance = max(intervals.jackknife(left_out).variance, float(drawn.var()))
    if variance < _ROUNDING**2:
        if abs(float(figure[0][0])) > _ROUNDING:
            return None
        variance = 0.0
    return intervals.Spread(variance, len(left_out) - 1.0, len(drawn))


def _confidence(rows: Rows, figure: Figure) -> float | None:
    """The share of the distribution around the difference that lies above 0: ½ if there is no difference at all."""
    spread = spread_of_difference(rows, figure)
    if spread is None or not figure[1][0]:
        return None
    if spread.variance == 0.0:
        return 0.5
    return intervals.t_share(float(figure[0][0] / np.sqrt(spread.variance)), spread.degrees)


def difference_figure(left: Replicated, right: Replicated, name: str, level: str) -> Figure:
    """The difference of two correlations in each altered study, first minus second, `[rows]`."""
    first, second = left.figures(level)[name], right.figures(level)[name]
    return first[0] - second[0], first[1] & second[1]


def contrast(parts: Sequence[tuple[float, Replicated]]) -> Estimate:
    """A weighted sum of pooled Kendall τ of the same altered studies, such as a mean of some minus a mean of others.

    Undefined if one of them is.
    """
    if not parts:
        return NOTHING
    value_B = np.sum([weight * part.pooled["kendall"][0] for weight, part in parts], axis=0)
    defined_B = np.all([part.pooled["kendall"][1] for _, part in parts], axis=0)
    return of_difference(shared_rows([part for _, part in parts]), (value_B, defined_B))


def without_noise(left: Replicated, right: Replicated) -> Estimate:
    """The difference of two Kendall τ, each about this test set: the noise of the policies' values is taken off both.

    For policies that are valued with unequal noise, such as those of two optimisers: the noisier one's plain
    correlation is lower for that reason alone.
    """
    sides = []
    for part in (left, right):
        value_B, defined_B = part.pooled["kendall"]
        if not defined_B[0]:
            return NOTHING
        fixed = less_noise(part.rows, "kendall", (value_B, defined_B), part.rm_noise)
        sides.append((fixed, fixed.factor * value_B, defined_B))
    (first, first_B, first_defined), (second, second_B, second_defined) = sides
    figure = first_B - second_B, first_defined & second_defined
    rows = shared_rows([left, right])
    spread = spread_of_difference(rows, figure)
    if spread is None:
        return Estimate(first.value - second.value, -2.0, 2.0, 0)
    drawn = float(intervals.defined_in(rows.prompts, figure).var())
    models = intervals.jackknife(intervals.without_each(rows, figure))
    total = intervals.Spread(models.variance + drawn, models.degrees, spread.draws)
    error = float(np.hypot(first.error, second.error))
    return intervals.around(first.value - second.value, total, low=-2.0, high=2.0, error=error)
