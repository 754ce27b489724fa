"""Access for the Test sets page: one measure on series of test sets, and plans for a budget. Keyed as in `access`.

Series of test sets as tables: evaluations, or plans → Polars frame. Pure functions.

Every frame has the correlation `value` from `low` to `high`, null where undefined, and of what it was taken: `prompts`,
`rl_prompts`, and `undefined_pairs`, the golden–proxy pairs left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import words
from app.offers import Options, most_map_bins
from app.state import Policies, Selection, Source
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES
from warehouse.study import MEASURES, Advice, Estimate, Evaluation, Plan, TestSet, annotation_plans, rank_bin_cells
from warehouse.study.plans import thinned

PLAN_REPLICATES = 200
"""Of the bootstrap of plans: that is as many evaluations as there are measures × splits."""

_MAP_BINS = 4
_MOST_SIZES = 10
_PLANS_KEPT = 12


def map_bins(chosen: Selection, options: Options) -> int:
    """How many rank bins the heat map has: those chosen, or four, or as many as there are responses."""
    return chosen.map_bins or min(_MAP_BINS, most_map_bins(chosen.responses or options.responses))


def plan_budget(chosen: Selection, options: Options) -> int:
    """The budget to plan for: the chosen one, or two annotations for every prompt."""
    return chosen.plan_budget or max(4, 2 * options.prompts_of(chosen.categories, chosen.subsets))


def fixed_budget(chosen: Selection, options: Options) -> int:
    """The annotations held fixed while responses grow: the budget, or two for every prompt that is used."""
    there = options.prompts_of(chosen.categories, chosen.subsets)
    return chosen.budget or 2 * (chosen.prompts or there)


def replicates(chosen: Selection) -> int:
    """How many bootstrap replicates the intervals of the chosen study have."""
    return PLAN_REPLICATES if chosen.study == "budget" else 1000


def rank_map(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[int, int], Evaluation]:
    """The chosen measure on pairs of each cell (chosen bin, rejected bin)."""
    bins = map_bins(chosen, options)
    cells = rank_bin_cells(bins)
    base = replace(chosen.test_set(), rank_bins=bins)
    test_sets = [replace(base, chosen_bin=better, rejected_bin=worse) for better, worse in cells]
    return dict(zip(cells, _each(snapshot, options, chosen, test_sets, chosen.rl_categories), strict=True))


def category_table(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[str, str], Evaluation]:
    """The chosen measure on the prompts of one category, policies valued on those of another: {(measured, valued)}.

    Both axes start with `ALL`. A category with fewer than two prompts on a side is left out there.
    """
    measured = warehouse.categories(snapshot, options.run, chosen)
    values = warehouse.policy_values(snapshot, options.run, warehouse.policies(snapshot, options.run, chosen))
    sizes = Counter(values.categories)
    valued = [name for name in chosen.rl_categories or options.rl_categories if sizes[name] >= FEWEST_PROMPTS]
    whole = replace(chosen.test_set(), prompts=None, budget=None)  # one category has fewer prompts than all
    test_sets = [whole, *(replace(whole, categories=(name,)) for name in measured)]
    found: dict[tuple[str, str], Evaluation] = {}
    for name, categories in ((ALL, chosen.rl_categories), *((name, (name,)) for name in valued)):
        column = _each(snapshot, options, chosen, test_sets, categories)
        found |= {(row, name): one for row, one in zip([ALL, *measured], column, strict=True)}
    return found


def by_responses(snapshot: Snapshot, options: Options, chosen: Selection) -> dict[tuple[str, int], Evaluation]:
    """The chosen measure on ever more responses: {("prompts" | "budget", responses)}.

    Held fixed is either the number of prompts or the number of annotations. Rank bins are not kept.
    """
    there = chosen.prompts or options.prompts_of(chosen.categories, chosen.subsets)
    plain = replace(chosen.test_set(), rank_bins=None, chosen_bin=None, rejected_bin=None, prompts=None, budget=None)
    budget = fixed_budget(chosen, options)
    jobs = {}
    for count in thinned(range(FEWEST_RESPONSES, options.responses + 1), _MOST_SIZES):
        jobs["prompts", count] = replace(plain, responses=count, prompts=chosen.prompts)
        if FEWEST_PROMPTS <= budget // count <= there:
            jobs["budget", count] = replace(plain, responses=count, budget=budget)
    found = _each(snapshot, options, chosen, list(jobs.values()), chosen.rl_categories)
    return dict(zip(jobs, found, strict=True))


def plans(snapshot: Snapshot, options: Options, chosen: Selection) -> list[Plan]:
    """Every way to spend the planned budget under every measure."""
    base = TestSet(categories=chosen.categories or None, subsets=chosen.subsets or None, seed=chosen.seed)
    return _plans(
        snapshot,
        options.run,
        chosen.source(),
        plan_budget(chosen, options),
        chosen.plan_noise,
        base,
        warehouse.policies(snapshot, options.run, chosen),
        chosen.rl_categories,
        (chosen.correlation, chosen.level),
    )


def _each(
    snapshot: Snapshot, options: Options, chosen: Selection, test_sets: list[TestSet], rl_categories: tuple[str, ...]
) -> list[Evaluation]:
    policies = warehouse.policies(snapshot, options.run, chosen)
    shown = ((chosen.correlation, chosen.level),)
    return warehouse.evaluations(
        snapshot, options.run, chosen.source(), chosen.measure, tuple(test_sets), policies, rl_categories, shown
    )


@st.cache_resource(max_entries=_PLANS_KEPT, show_spinner="Trying every way to spend the budget …")
def _plans(
    snapshot: Snapshot,
    run_id: str,
    source: Source,
    budget: int,
    noise: float,
    base: TestSet,
    policies: Policies,
    rl_categories: tuple[str, ...],
    shown: tuple[str, str],
) -> list[Plan]:
    return annotation_plans(
        warehouse.score_cube(snapshot, run_id, source),
        warehouse.policy_values(snapshot, run_id, policies),
        budget,
        noise=noise or None,
        test_set=base,
        rl_categories=rl_categories or None,
        replicates=PLAN_REPLICATES,
        wanted=(shown,),
    )


ALL = "All"
"""Stands for all categories together in `categories`."""

Place = TypeVar("Place", tuple[int, int], tuple[str, str], tuple[str, int])

_FIGURES = {
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "prompts": pl.Int64,
    "rl_prompts": pl.Int64,
    "undefined_pairs": pl.Int64,
}


def ranks(cells: Mapping[tuple[int, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `chosen_bin`, `rejected_bin`."""
    return _frame(cells, {"chosen_bin": pl.Int64, "rejected_bin": pl.Int64}, correlation, level)


def categories(cells: Mapping[tuple[str, str], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `measured`, the category measured on, and `valued`, the one the policies are valued on."""
    return _frame(cells, {"measured": pl.String, "valued": pl.String}, correlation, level)


def responses(points: Mapping[tuple[str, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per point: `held` fixed (`prompts` or `budget`), `responses`, and `annotations` made in all."""
    frame = _frame(points, {"held": pl.String, "responses": pl.Int64}, correlation, level)
    return frame.with_columns(annotations=pl.col("responses") * pl.col("prompts"))


def plan_rows(found: Sequence[Plan], advice: Advice | None, correlation: str, level: str) -> pl.DataFrame:
    """A row per plan, the best first: `measure, title, responses, prompts`, its figures, and how far it is behind.

    `behind` from `behind_low` to `behind_high` is the best's correlation minus its own, paired; `share_best` the share
    of replicates in which none has a greater one.
    """
    behind = advice.behind if advice else [Estimate(None, None, None, 0)] * len(found)
    shares = advice.shares if advice else [None] * len(found)
    rows = [
        {
            "measure": plan.measure,
            "title": MEASURES[plan.measure].title,
            "responses": plan.responses,
            **_figures(plan.found.evaluation, correlation, level),
            "behind": after.value,
            "behind_low": after.low,
            "behind_high": after.high,
            "share_best": share,
        }
        for plan, after, share in zip(found, behind, shares, strict=True)
    ]
    schema = {"measure": pl.String, "title": pl.String, "responses": pl.Int64, **_FIGURES}
    schema |= dict.fromkeys(("behind", "behind_low", "behind_high", "share_best"), pl.Float64)
    return pl.DataFrame(rows, schema=schema).sort("value", descending=True, nulls_last=True, maintain_order=True)


def best_splits(plans: pl.DataFrame) -> pl.DataFrame:
    """Of each measure the row of its best split, the best measure first; measures without a figure are left out."""
    return plans.drop_nulls("value").unique("measure", keep="first", maintain_order=True)


def curves(plans: pl.DataFrame, measures: Sequence[str]) -> pl.DataFrame:
    """All splits of these measures."""
    return plans.filter(pl.col("measure").is_in(list(measures))).sort("responses", maintain_order=True)


def _frame(
    found: Mapping[Place, Evaluation],
    keys: Mapping[str, type[pl.DataType]],
    correlation: str,
    level: str,
) -> pl.DataFrame:
    rows = [
        dict(zip(keys, place, strict=True)) | _figures(evaluation, correlation, level)
        for place, evaluation in found.items()
    ]
    return pl.DataFrame(rows, schema={**keys, **_FIGURES})


def _figures(evaluation: Evaluation, correlation: str, level: str) -> dict[str, float | int | None]:
    estimate = words.correlations(evaluation, level)[correlation]
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "prompts": evaluation.prompts_used,
        "rl_prompts": evaluation.rl_prompts_used,
        "undefined_pairs": evaluation.undefined_pairs,
    }
