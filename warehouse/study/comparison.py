"""Which of two ways of measuring predicts NDR better: the paired bootstrap of the difference.

METHOD, "Correlation with regret". Both ways are taken on the same draws, so what these do to both alike, most
of what makes intervals wide, drops out of the difference.
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
from warehouse.stats.across_pairs import EVERY, Figures, Wanted
from warehouse.stats.bootstrap import Estimate
from warehouse.study.evaluate import Evaluation, Replicated, replicated

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Two evaluations and the differences of their correlations, first minus second.

    `share_better` is the share of replicates in which the pooled correlation of the first is the greater, an equal one
    counting ½; None where no replicate defines both.
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
    one = test_set or TestSet()
    jobs = [(first, one), (second, second_test_set or one)]
    left, right = replicated(cube, values, jobs, rl_categories, replicates, seed, prepared)
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
    wanted: Wanted = EVERY,
) -> list[dict[str, Comparison]]:
    """Compare every measure with the second one on each test set: `{measure: comparison}` per test set.

    All share the draws of reward models and RL-test prompts. `prepared` are values by measure, good for all test sets.
    """
    names = tuple(dict.fromkeys((*measures, second)))
    jobs = [(name, test_set) for test_set in test_sets for name in names]
    ready = [(prepared or {}).get(name) for name, _ in jobs]
    found = replicated(cube, values, jobs, rl_categories, replicates, seed, ready, wanted)
    comparisons = []
    for start in range(0, len(found), len(names)):
        here = dict(zip(names, found[start : start + len(names)], strict=True))
        comparisons.append({name: paired(here[name], here[second]) for name in measures})
    return comparisons


def paired(left: Replicated, right: Replicated) -> Comparison:
    """The comparison of two evaluations that share their replicates."""
    return Comparison(
        left.evaluation,
        right.evaluation,
        _differences(left.evaluation.correlations, right.evaluation.correlations, left.pooled, right.pooled),
        _differences(left.evaluation.within, right.evaluation.within, left.within, right.within),
        {name: _share_better(left.pooled, right.pooled, name) for name in left.pooled},
    )


def contrast(parts: Sequence[tuple[float, Replicated]], correlation: str = "kendall") -> Estimate:
    """A weighted sum of pooled correlations on shared replicates, as of a mean of some minus a mean of others.

    Undefined where one of them is.
    """
    values = [part.evaluation.correlations[correlation].value for _, part in parts]
    drawn = [part.pooled[correlation] for _, part in parts]
    if not parts or any(value is None for value in values):
        return Estimate(None, None, None, 0)
    defined_B = np.all([defined for _, defined in drawn], axis=0)
    weights = [weight for weight, _ in parts]
    value = sum(weight * (value or 0.0) for weight, value in zip(weights, values, strict=True))
    value_B = np.sum([weight * value_B for weight, (value_B, _) in zip(weights, drawn, strict=True)], axis=0)
    return bootstrap.estimate(value, True, value_B, defined_B)


def simultaneous(found: Sequence[Replicated], second: Replicated, correlation: str = "kendall") -> list[Estimate]:
    """Differences of each from the second, with intervals that hold all at once with 95 % confidence.

    The width is the bootstrap's 95 % quantile of the greatest deviation of any, each in its own standard deviations:
    what is picked as the greatest of them keeps its interval. One that never differs has an interval of width 0.
    """
    plain = [paired(one, second).correlations[correlation] for one in found]
    defined = [place for place, estimate in enumerate(plain) if estimate.value is not None]
    nothing = [Estimate(one.value, None, None, 0) for one in plain]
    if not defined:
        return nothing
    base_B, there_B = second.pooled[correlation]
    both_B = there_B & np.all([found[place].pooled[correlation][1] for place in defined], axis=0)
    drawn_LB = np.array([found[place].pooled[correlation][0] - base_B for place in defined])[:, both_B]
    if drawn_LB.shape[1] < 2:
        return nothing
    sd_L = drawn_LB.std(axis=1, ddof=1)
    sd_L[sd_L < _ROUNDING] = 0.0
    deviation_LB = np.abs(drawn_LB - drawn_LB.mean(axis=1, keepdims=True))[sd_L > 0] / sd_L[sd_L > 0, None]
    widths_L = sd_L * float(np.percentile(deviation_LB.max(axis=0, initial=0.0), 100 * bootstrap.LEVEL))
    for place, width in zip(defined, widths_L, strict=True):
        value = plain[place].value or 0.0
        plain[place] = Estimate(value, value - float(width), value + float(width), drawn_LB.shape[1])
    return plain


def _differences(
    first: Mapping[str, Estimate], second: Mapping[str, Estimate], first_B: Figures, second_B: Figures
) -> dict[str, Estimate]:
    found = {}
    for name in first_B:
        one, other = first[name].value, second[name].value
        (one_B, one_defined), (other_B, other_defined) = first_B[name], second_B[name]
        both = one_defined & other_defined
        if one is None or other is None:
            found[name] = Estimate(None, None, None, int(both.sum()))
        else:
            found[name] = bootstrap.estimate(one - other, True, one_B - other_B, both)
    return found


def _share_better(first_B: Figures, second_B: Figures, name: str) -> float | None:
    (one_B, one_defined), (other_B, other_defined) = first_B[name], second_B[name]
    both = one_defined & other_defined
    if not both.any():
        return None
    return float(np.mean(0.5 * (1.0 + np.sign(one_B - other_B)[both])))
