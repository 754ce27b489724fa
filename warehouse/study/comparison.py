"""Which of two ways of measuring predicts NDR better: the paired bootstrap of the difference.

METHOD, "Correlation with regret". Both are evaluated on the same draws, so what a draw does to both of them, which is
most of what makes intervals wide, cancels out of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet
from warehouse.stats import bootstrap
from warehouse.stats.across_pairs import EVERY, Figures, Selected
from warehouse.stats.bootstrap import NOTHING, Bools, Estimate, Floats
from warehouse.study.evaluate import Evaluation, Replicated, replicated

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Two evaluations and the differences of their correlations, first minus second.

    `share_better` is the share of replicates in which the pooled correlation of the first is the greater, equal ones
    counting ½; None if both are defined in no replicate.
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
    names = tuple(dict.fromkeys((*measures, second)))
    jobs = [(name, test_set) for test_set in test_sets for name in names]
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
    comparisons = []
    for start in range(0, len(parts), len(names)):
        by_name = dict(zip(names, parts[start : start + len(names)], strict=True))
        comparisons.append({name: paired(by_name[name], by_name[second]) for name in measures})
    return comparisons


def paired(left: Replicated, right: Replicated) -> Comparison:
    """The comparison of two evaluations that share their replicates."""
    pooled, within = _differences(left.pooled, right.pooled), _differences(left.within, right.within)
    first, second = left.evaluation, right.evaluation
    return Comparison(
        first,
        second,
        {name: _estimate(first.correlations[name], second.correlations[name], *pooled[name]) for name in pooled},
        {name: _estimate(first.within[name], second.within[name], *within[name]) for name in within},
        {
            name: float(np.mean(0.5 * (1.0 + np.sign(value_B[defined_B])))) if defined_B.any() else None
            for name, (value_B, defined_B) in pooled.items()
        },
    )


def _differences(first: Figures, second: Figures) -> Figures:
    """First minus second in every replicate `[B]`, and where both are defined."""
    return {name: (first[name][0] - second[name][0], first[name][1] & second[name][1]) for name in first}


def _estimate(first: Estimate, second: Estimate, difference_B: Floats, defined_B: Bools) -> Estimate:
    if first.value is None or second.value is None:
        return Estimate.undefined(int(defined_B.sum()))
    return bootstrap.estimate(first.value - second.value, defined=True, value_B=difference_B, defined_B=defined_B)


def contrast(parts: Sequence[tuple[float, Replicated]]) -> Estimate:
    """A weighted sum of pooled Kendall τ on shared replicates, such as a mean of some minus a mean of others.

    Undefined if one of them is.
    """
    values = [part.evaluation.correlations["kendall"].value for _, part in parts]
    if not parts or None in values:
        return NOTHING
    value = sum(weight * (value or 0.0) for (weight, _), value in zip(parts, values, strict=True))
    value_B = np.sum([weight * part.pooled["kendall"][0] for weight, part in parts], axis=0)
    defined_B = np.all([part.pooled["kendall"][1] for _, part in parts], axis=0)
    return bootstrap.estimate(value, defined=True, value_B=value_B, defined_B=defined_B)


def simultaneous(parts: Sequence[Replicated], second: Replicated) -> list[Estimate]:
    """Differences of each Kendall τ from the second's, with intervals that hold all at once with 95 % confidence.

    The width is the bootstrap's 95 % quantile of the greatest deviation of any, each in its own standard deviations:
    so the interval is valid for whichever of them turns out to be the greatest. One that never differs has an interval
    of width 0.
    """
    plain = [paired(part, second).correlations["kendall"] for part in parts]
    estimates = [Estimate(estimate.value, low=None, high=None, replicates=0) for estimate in plain]
    defined = [place for place, estimate in enumerate(plain) if estimate.value is not None]
    if not defined:
        return estimates
    differences = [_differences(parts[place].pooled, second.pooled)["kendall"] for place in defined]
    all_B = np.all([defined_B for _, defined_B in differences], axis=0)
    drawn_LB = np.array([value_B for value_B, _ in differences])[:, all_B]
    if drawn_LB.shape[1] < 2:
        return estimates
    sd_L = drawn_LB.std(axis=1, ddof=1)
    sd_L[sd_L < _ROUNDING] = 0.0
    deviation_LB = np.abs(drawn_LB - drawn_LB.mean(axis=1, keepdims=True))[sd_L > 0] / sd_L[sd_L > 0, None]
    widths_L = sd_L * float(np.percentile(deviation_LB.max(axis=0, initial=0.0), 100 * bootstrap.LEVEL))
    for place, width in zip(defined, widths_L.tolist(), strict=True):
        value = plain[place].value or 0.0
        estimates[place] = Estimate(value, value - width, value + width, drawn_LB.shape[1])
    return estimates
