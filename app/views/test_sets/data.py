"""Computations and tables of the Test sets page, cached as in `access.warehouse`: series of test sets, budget plans.

Every table has the columns of `frames.correlation_of`, null where undefined, and what they are based on: `prompts`,
`rl_prompts`, and `undefined_pairs`, the golden–proxy pairs left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from app.access import warehouse
from app.access.frames import CORRELATION, correlation_of, figures_of, floats
from app.access.pool import heavy
from app.access.warehouse import Question, Snapshot
from app.components import words
from app.offers import Options, finest_map
from app.state import Selection
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES
from warehouse.study import MEASURES, Evaluation, TestSet
from warehouse.study.plans import Advice, Plan, annotation_plans, rank_bin_cells, thinned

PLAN_REPLICATES = 200
"""Replicates of a plan's figures, which are as many evaluations as measures × splits."""

ALL = "All"
"""Stands for all categories together in `categories`."""

_MAP_BINS = 4
_MOST_SIZES = 10

_FIGURES: dict[str, type[pl.DataType]] = {
    **floats(*CORRELATION),
    **dict.fromkeys(("prompts", "rl_prompts", "undefined_pairs"), pl.Int64),
}


def map_bins(chosen: Selection, options: Options) -> int:
    """Number of rank bins of the heat map: the chosen one, or four, or as many as there are responses."""
    return chosen.map_bins or min(_MAP_BINS, finest_map(chosen.responses or options.responses))


def plan_budget(chosen: Selection, options: Options) -> int:
    """The budget to plan for: the chosen one, or two annotations for every prompt."""
    return chosen.plan_budget or max(4, 2 * options.prompts_of(chosen.categories, chosen.subsets))


def fixed_budget(chosen: Selection, options: Options) -> int:
    """The annotations held fixed while responses grow: the budget, or two for every prompt that is used."""
    return chosen.budget or 2 * (chosen.prompts or options.prompts_of(chosen.categories, chosen.subsets))


def replicates(chosen: Selection) -> int:
    """Number of replicates behind the intervals of the chosen study."""
    return PLAN_REPLICATES if chosen.study == "budget" else 1000


def rank_map(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[int, int], Evaluation]:
    """The chosen measure on pairs of each cell (chosen bin, rejected bin)."""
    cells = rank_bin_cells(bins := map_bins(chosen, options))
    base = replace(chosen.test_set(), rank_bins=bins)
    test_sets = tuple(replace(base, chosen_bin=better, rejected_bin=worse) for better, worse in cells)
    question = warehouse.question(snapshot, options.run, chosen)
    return dict(zip(cells, warehouse.evaluations(question, chosen.measure, test_sets), strict=True))


def category_table(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[str, str], Evaluation]:
    """The chosen measure on the prompts of one category, policies valued on those of another: {(measured, valued)}.

    Both axes start with `ALL`. A category with fewer than two prompts on a side is left out there.
    """
    measured = warehouse.categories(snapshot, options.run, chosen)
    values = warehouse.policy_values(snapshot, options.run, warehouse.policies(snapshot, options.run, chosen))
    sizes = Counter(values.categories)
    valued = [name for name in chosen.rl_categories or options.rl_categories if sizes[name] >= FEWEST_PROMPTS]
    test_sets = tuple(chosen.test_set_of(name) for name in (None, *measured))
    table: dict[tuple[str, str], Evaluation] = {}
    for name, categories in ((ALL, chosen.rl_categories), *((name, (name,)) for name in valued)):
        question = warehouse.question(snapshot, options.run, chosen, rl_categories=categories)
        column = warehouse.evaluations(question, chosen.measure, test_sets)
        table |= {(row, name): evaluation for row, evaluation in zip([ALL, *measured], column, strict=True)}
    return table


def by_responses(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[str, int], Evaluation]:
    """The chosen measure on more and more responses: {("prompts" | "budget", responses)}.

    Either the number of prompts or the number of annotations is held fixed. Chosen rank bins are ignored.
    """
    most = chosen.prompts or options.prompts_of(chosen.categories, chosen.subsets)
    plain = replace(chosen.test_set_of(None), rank_bins=None, chosen_bin=None, rejected_bin=None)
    budget = fixed_budget(chosen, options)
    test_sets = {}
    for count in thinned(range(FEWEST_RESPONSES, options.responses + 1), _MOST_SIZES):
        test_sets["prompts", count] = replace(plain, responses=count, prompts=chosen.prompts)
        if FEWEST_PROMPTS <= budget // count <= most:
            test_sets["budget", count] = replace(plain, responses=count, budget=budget)
    question = warehouse.question(snapshot, options.run, chosen)
    evaluations = warehouse.evaluations(question, chosen.measure, tuple(test_sets.values()))
    return dict(zip(test_sets, evaluations, strict=True))


def plans(snapshot: Snapshot, options: Options, chosen: Selection) -> list[Plan]:
    """Every way to spend the planned budget under every measure."""
    base = TestSet(categories=chosen.categories or None, subsets=chosen.subsets or None, seed=chosen.seed)
    question = warehouse.question(snapshot, options.run, chosen)
    return _plans(question, plan_budget(chosen, options), chosen.plan_noise, base)


@heavy(12, "Trying every way to spend the budget …")
def _plans(question: Question, budget: int, noise: float, base: TestSet) -> list[Plan]:
    return annotation_plans(
        question.cube(),
        question.values(),
        budget,
        noise=noise or None,
        test_set=base,
        rl_categories=question.rl_categories or None,
        replicates=PLAN_REPLICATES,
        selected=question.correlations,
    )


def ranks(cells: Mapping[tuple[int, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `chosen_bin`, `rejected_bin`."""
    return _table(cells, {"chosen_bin": pl.Int64, "rejected_bin": pl.Int64}, correlation, level)


def categories(cells: Mapping[tuple[str, str], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `measured`, the category measured on, and `valued`, the one the policies are valued on."""
    return _table(cells, {"measured": pl.String, "valued": pl.String}, correlation, level)


def responses(points: Mapping[tuple[str, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per point: what is `held` fixed (`prompts` or `budget`), `responses`, and `annotations` in all."""
    table = _table(points, {"held": pl.String, "responses": pl.Int64}, correlation, level)
    return table.with_columns(annotations=pl.col("responses") * pl.col("prompts"))


def plan_rows(plans: Sequence[Plan], advice: Advice | None, correlation: str, level: str) -> pl.DataFrame:
    """A row per plan, the best first: `measure, title, responses, prompts`, its figures, and how far it is behind.

    `behind` from `behind_low` to `behind_high` is the best's plain correlation minus its own, paired, and the order is
    by it; `p_behind` is the p-value of that for all plans at once; `share_best` says how often no plan would have a
    greater one. Without advice all five are null.
    """
    rows: list[dict[str, object]] = [
        {
            "measure": plan.measure,
            "title": MEASURES[plan.measure].title,
            "responses": plan.responses,
            **_figures(plan.part.evaluation, correlation, level),
        }
        for plan in plans
    ]
    if advice:
        for row, behind, p_value, share in zip(rows, advice.behind, advice.p_values, advice.shares, strict=True):
            row |= figures_of("behind", behind, "behind_low", "behind_high")
            row |= {"p_behind": p_value, "share_best": share}
    schema: dict[str, type[pl.DataType]] = {"measure": pl.String, "title": pl.String, "responses": pl.Int64, **_FIGURES}
    schema |= floats("behind", "behind_low", "behind_high", "p_behind", "share_best")
    return pl.DataFrame(rows, schema=schema).sort("sample", descending=True, nulls_last=True, maintain_order=True)


def best_splits(plans: pl.DataFrame) -> pl.DataFrame:
    """The row of each measure's best split, the best measure first; measures without a value are left out."""
    return plans.drop_nulls("value").unique("measure", keep="first", maintain_order=True)


def curves(plans: pl.DataFrame, measures: Sequence[str]) -> pl.DataFrame:
    """All splits of these measures."""
    return plans.filter(pl.col("measure").is_in(list(measures))).sort("responses", maintain_order=True)


def _table(
    evaluations: Mapping[tuple[int, int], Evaluation]
    | Mapping[tuple[str, str], Evaluation]
    | Mapping[tuple[str, int], Evaluation],
    keys: Mapping[str, type[pl.DataType]],
    correlation: str,
    level: str,
) -> pl.DataFrame:
    rows = [
        dict(zip(keys, place, strict=True)) | _figures(evaluation, correlation, level)
        for place, evaluation in evaluations.items()
    ]
    return pl.DataFrame(rows, schema={**keys, **_FIGURES})


def _figures(evaluation: Evaluation, correlation: str, level: str) -> dict[str, float | int | None]:
    return {
        **correlation_of(words.correlations(evaluation, level)[correlation]),
        "prompts": evaluation.prompts_used,
        "rl_prompts": evaluation.rl_prompts_used,
        "undefined_pairs": evaluation.undefined_pairs,
    }
