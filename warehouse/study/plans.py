"""Series of test sets: where an annotation budget is best spent, and which ranks tell reward models apart.

METHOD, "Test-set constructions" 2 and 3: P·R held fixed while R grows; the k×k heat map of rank bins.

What to do with an annotation budget: every split into prompts × responses under every measure, and the best of them.

METHOD, "Test-set constructions" 2 and 6. All plans share the replicates, so that the best is told from the others by
the paired bootstrap. The greatest of many figures is flattered by having been picked: `Advice.shares` says how often
each plan is the greatest, which a lucky one is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES, TestSet, prompts_in
from warehouse.stats.across_pairs import EVERY, Wanted
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import paired
from warehouse.study.evaluate import Replicated, replicated


def splits(budget: int, prompts: int, responses: int) -> list[int]:
    """The numbers of responses per prompt that spend a budget on two prompts or more of so many, ascending.

    `prompts` and `responses` are what there is of them. Raises InvalidChoice where the budget allows none.
    """
    found = [count for count in range(FEWEST_RESPONSES, responses + 1) if FEWEST_PROMPTS <= budget // count <= prompts]
    if not found:
        raise InvalidChoice(
            f"a budget of {budget} cannot be spent on {prompts} prompts with {FEWEST_RESPONSES} to {responses} "
            f"responses each; it has to be from {FEWEST_PROMPTS * FEWEST_RESPONSES} to {prompts * responses}"
        )
    return found


def rank_bin_cells(bins: int) -> tuple[tuple[int, int], ...]:
    """The cells (chosen bin, rejected bin) of the heat map, every chosen above rejected; bin 1 is the worst."""
    return tuple((chosen, rejected) for chosen in range(2, bins + 1) for rejected in range(1, chosen))


PLANNED = tuple(name for name in MEASURES if name not in ("accuracy_pair", "reward_variance"))
"""The measures a budget is planned for: one pair is accuracy on two responses, reward variance asks no annotator."""

PLAIN = "accuracy"
"""On the fewest responses: what benchmarks do with a budget."""

MOST_SPLITS = 8


@dataclass(frozen=True)
class Plan:
    """A measure on so many responses to each of so many prompts."""

    measure: str
    responses: int
    prompts: int
    found: Replicated

    def figure(self, correlation: str, level: str) -> Estimate:
        """Its correlation with NDR, pooled or within goldens."""
        evaluation = self.found.evaluation
        return (evaluation.within if level == "within" else evaluation.correlations)[correlation]


@dataclass(frozen=True)
class Advice:
    """The best of some plans, by its place among them, beside plain accuracy on the fewest responses.

    Per plan: `behind` is the best's correlation minus its own with the paired interval, `shares` the share of
    replicates in which it has the greatest correlation, equal ones sharing; None where its correlation is undefined.
    """

    best: int
    plain: int
    behind: tuple[Estimate, ...]
    shares: tuple[float | None, ...]


def annotation_plans(
    cube: ScoreCube,
    values: PolicyValues,
    budget: int,
    *,
    noise: float | None = None,
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    wanted: Wanted = EVERY,
) -> list[Plan]:
    """Evaluate PLANNED on every split of `budget` annotations, whose annotator flips a share `noise` of the pairs.

    Of `test_set` the categories, the subsets and the seed are kept. Tried are at most MOST_SPLITS of those that the
    budget allows, closer together where responses are few. Raises InvalidChoice where it allows none.
    """
    base = test_set or TestSet()
    there = len(prompts_in(cube.categories, cube.subsets, base.categories, base.subsets, "RM-test"))
    tried = thinned(splits(budget, there, cube.scores_MPR.shape[2]), MOST_SPLITS)
    plain = TestSet(categories=base.categories, subsets=base.subsets, seed=base.seed, budget=budget, noise=noise)
    jobs = [(measure, replace(plain, responses=count)) for measure in PLANNED for count in tried]
    found = replicated(cube, values, jobs, rl_categories, replicates, seed, wanted=wanted)
    return [
        Plan(measure, chosen.responses or 0, one.evaluation.prompts_used, one)
        for (measure, chosen), one in zip(jobs, found, strict=True)
    ]


def advise(plans: Sequence[Plan], correlation: str = "kendall", level: str = "pooled") -> Advice | None:
    """The plan with the greatest correlation, and how far the others are behind; None where no plan has one."""
    figures = {place: plan.figure(correlation, level).value for place, plan in enumerate(plans)}
    defined = {place: value for place, value in figures.items() if value is not None}
    if not defined:
        return None
    best = max(defined, key=defined.__getitem__)
    plain = min(
        (place for place, plan in enumerate(plans) if plan.measure == PLAIN), key=lambda place: plans[place].responses
    )
    return Advice(
        best=best,
        plain=plain,
        behind=tuple(_difference(plans[best], plan, correlation, level) for plan in plans),
        shares=_shares(plans, correlation, level),
    )


def thinned(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of ascending numbers, the first and the last among them, evenly apart in ratio."""
    if len(numbers) <= most:
        return list(numbers)
    wanted = np.geomspace(numbers[0], numbers[-1], most)
    there = np.asarray(numbers)
    return [int(number) for number in np.unique(there[np.abs(there[None] - wanted[:, None]).argmin(axis=1)])]


def _difference(best: Plan, other: Plan, correlation: str, level: str) -> Estimate:
    comparison = paired(best.found, other.found)
    return (comparison.within if level == "within" else comparison.correlations)[correlation]


def _shares(plans: Sequence[Plan], correlation: str, level: str) -> tuple[float | None, ...]:
    sample = [plan.figure(correlation, level).value for plan in plans]
    drawn = [(plan.found.within if level == "within" else plan.found.pooled)[correlation] for plan in plans]
    values_LB: NDArray[np.float64] = np.stack(
        [
            np.where(defined & (value is not None), value_B, -np.inf)
            for value, (value_B, defined) in zip(sample, drawn, strict=True)
        ]
    )
    told_B = np.isfinite(values_LB).any(axis=0)
    greatest_LB = values_LB[:, told_B] == values_LB[:, told_B].max(axis=0, initial=-np.inf)
    shares = (greatest_LB / greatest_LB.sum(axis=0)).sum(axis=1) / max(1, int(told_B.sum()))
    return tuple(None if value is None else float(share) for value, share in zip(sample, shares, strict=True))
