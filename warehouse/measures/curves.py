"""Series of test sets: where an annotation budget is best spent, and which ranks tell reward models apart.

METHOD, "Test-set constructions" 2 and 3: P·R held fixed while R grows; the k×k heat map of rank bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from warehouse.errors import InvalidChoice
from warehouse.measures.cube import PolicyValues, ScoreCube
from warehouse.measures.evaluate import Evaluation, evaluate_each
from warehouse.measures.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES, TestSet, prompts_in


@dataclass(frozen=True)
class BudgetPoint:
    """One way to spend a budget: so many responses for each of so many prompts, and what it tells."""

    responses: int
    prompts: int
    evaluation: Evaluation


def budget_curve(
    cube: ScoreCube,
    values: PolicyValues,
    budget: int,
    *,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    responses: Sequence[int] | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> tuple[BudgetPoint, ...]:
    """Evaluate a measure on `budget` annotations, spread over ever more responses of ever fewer prompts.

    `responses` are the numbers to try; without them, all that leave two prompts or more and as many as there are.
    Raises InvalidChoice where the budget allows none.
    """
    base = test_set or TestSet()
    R = cube.scores_MPR.shape[2]
    available = len(prompts_in(cube.categories, cube.subsets, base.categories, base.subsets, "RM-test"))
    tried = responses or splits(budget, available, R)
    found = evaluate_each(
        cube,
        values,
        [replace(base, responses=count, prompts=None, budget=budget) for count in tried],
        measure=measure,
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
    )
    return tuple(BudgetPoint(count, one.prompts_used, one) for count, one in zip(tried, found, strict=True))


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


def rank_bin_map(
    cube: ScoreCube,
    values: PolicyValues,
    bins: int,
    *,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Mapping[tuple[int, int], Evaluation]:
    """Evaluate a measure on each cell (chosen bin, rejected bin). Raises InvalidChoice for more bins than responses."""
    base, cells = test_set or TestSet(), rank_bin_cells(bins)
    found = evaluate_each(
        cube,
        values,
        [replace(base, rank_bins=bins, chosen_bin=chosen, rejected_bin=rejected) for chosen, rejected in cells],
        measure=measure,
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
    )
    return dict(zip(cells, found, strict=True))
