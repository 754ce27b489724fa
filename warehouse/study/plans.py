"""What to do with an annotation budget: every split into prompts × responses under every measure, and the best of them.

METHOD, "Test sets". All plans are evaluated on the same altered studies, so that the best is compared with the others
pair by pair. The greatest of many figures looks better than it is (winner's curse): `Advice.shares` says how often each
plan is the greatest, which a lucky one is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES, TestSet, chosen_prompts
from warehouse.stats.across_pairs import EVERY, Selected
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import difference_figure, of_difference
from warehouse.study.correlation import Correlation
from warehouse.study.evaluate import Replicated, replicated
from warehouse.study.together import all_at_once, joint_deviations

PLANNED = tuple(name for name in MEASURES if name not in ("accuracy_pair", "reward_variance"))
"""The measures a budget is planned for: one pair is accuracy on two responses, reward variance needs no annotator."""

PLAIN = "accuracy"
"""On the fewest responses: what benchmarks do with a budget."""

MOST_SPLITS = 8
_ROUNDING = 1e-12


def splits(budget: int, prompts: int, responses: int) -> list[int]:
    """The numbers of responses per prompt, ascending, with which a budget pays for 2 to `prompts` prompts.

    `prompts` and `responses` are how many a run has. Raises InvalidChoice if the budget allows none.
    """
    counts = [count for count in range(FEWEST_RESPONSES, responses + 1) if FEWEST_PROMPTS <= budget // count <= prompts]
    if not counts:
        raise InvalidChoice(
            f"a budget of {budget} cannot be spent on {prompts} prompts with {FEWEST_RESPONSES} to {responses} "
            f"responses each; it has to be from {FEWEST_PROMPTS * FEWEST_RESPONSES} to {prompts * responses}"
        )
    return counts


def thinned(numbers: Sequence[int], most: int) -> list[int]:
    """At most `most` of ascending numbers, including the first and the last, evenly spaced in ratio."""
    if len(numbers) <= most:
        return list(numbers)
    all_numbers, targets = np.asarray(numbers), np.geomspace(numbers[0], numbers[-1], most)
    nearest = np.abs(all_numbers[None] - targets[:, None]).argmin(axis=1)
    return [int(number) for number in np.unique(all_numbers[nearest])]


def rank_bin_cells(bins: int) -> tuple[tuple[int, int], ...]:
    """The cells (chosen bin, rejected bin) of the heat map, every chosen above rejected; bin 1 is the worst."""
    return tuple((chosen, rejected) for chosen in range(2, bins + 1) for rejected in range(1, chosen))


@dataclass(frozen=True)
class Plan:
    """A measure, and the numbers of responses per prompt and of prompts that it is computed on."""

    measure: str
    responses: int
    prompts: int
    part: Replicated

    def figure(self, correlation: str, level: str) -> Correlation:
        """Its correlation with NDR, pooled or within goldens."""
        evaluation = self.part.evaluation
        return (evaluation.within if level == "within" else evaluation.correlations)[correlation]


@dataclass(frozen=True)
class Advice:
    """The best of some plans, by its place among them, and the place of plain accuracy on the fewest responses.

    Per plan: `behind` is the best's correlation minus its own with the paired interval, `p_values` has the p-value of
    that for all plans at once, and `shares` says how often it would have the greatest correlation if the study were
    repeated (divided between equal ones); None where undefined.
    """

    best: int
    plain: int
    behind: tuple[Estimate, ...]
    p_values: tuple[float | None, ...]
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
    selected: Selected = EVERY,
) -> list[Plan]:
    """Evaluate PLANNED on every split of `budget` annotations, whose annotator flips a share `noise` of the pairs.

    Only the categories, the subsets and the seed of `test_set` count. At most MOST_SPLITS of the splits that the budget
    allows are tried, closer together where responses are few. Raises InvalidChoice if it allows none.
    """
    base = test_set or TestSet()
    prompts = len(chosen_prompts(cube, TestSet(categories=base.categories, subsets=base.subsets)))
    counts = thinned(splits(budget, prompts, cube.scores_MPR.shape[2]), MOST_SPLITS)
    tried = [(measure, count) for measure in PLANNED for count in counts]
    plain = TestSet(categories=base.categories, subsets=base.subsets, seed=base.seed, budget=budget, noise=noise)
    parts = replicated(
        cube,
        values,
        [(measure, replace(plain, responses=count)) for measure, count in tried],
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        selected=selected,
    )
    return [Plan(*split, part.evaluation.prompts_used, part) for split, part in zip(tried, parts, strict=True)]


def advise(plans: Sequence[Plan], correlation: str = "kendall", level: str = "pooled") -> Advice | None:
    """The plan with the greatest correlation, and how far the others are behind; None if no plan has one."""
    figures = {place: plan.figure(correlation, level).sample.value for place, plan in enumerate(plans)}
    defined = {place: value for place, value in figures.items() if value is not None}
    if not defined:
        return None
    best = max(defined, key=defined.__getitem__)
    plain = min(
        (place for place, plan in enumerate(plans) if plan.measure == PLAIN), key=lambda place: plans[place].responses
    )
    first = plans[best].part
    behind = [difference_figure(first, plan.part, correlation, level) for plan in plans]
    return Advice(
        best=best,
        plain=plain,
        behind=tuple(of_difference(first.rows, figure) for figure in behind),
        p_values=all_at_once(first.rows, behind, first.evaluation.seed).p_values,
        shares=_shares(plans, correlation, level),
    )


def _shares(plans: Sequence[Plan], correlation: str, level: str) -> tuple[float | None, ...]:
    """How often each plan is the greatest when all deviate together as their joint covariance says."""
    sample = [plan.figure(correlation, level).sample.value for plan in plans]
    defined = [place for place, value in enumerate(sample) if value is not None]
    rows = plans[0].part.rows
    figures = [plans[place].part.figures(level)[correlation] for place in defined]
    value_BL = np.array([sample[place] for place in defined]) + joint_deviations(
        rows, figures, plans[0].part.evaluation.seed
    )
    greatest_BL = value_BL >= value_BL.max(axis=1, keepdims=True) - _ROUNDING
    share_L = (greatest_BL / greatest_BL.sum(axis=1, keepdims=True)).mean(axis=0)
    shares: list[float | None] = [None] * len(plans)
    for place, share in zip(defined, share_L.tolist(), strict=True):
        shares[place] = share
    return tuple(shares)
