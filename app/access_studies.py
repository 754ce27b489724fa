"""Access for the Test sets page: one measure on series of test sets, and plans for a budget. Keyed as in `access`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import streamlit as st

from app import access
from app.access import Snapshot
from app.offers import Options, most_map_bins
from app.state import Policies, Selection, Source
from app.study_frames import ALL
from warehouse.measures import Evaluation, Plan, TestSet, annotation_plans, rank_bin_cells
from warehouse.measures.plans import thinned
from warehouse.measures.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES

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
    measured = access.categories(snapshot, options.run, chosen)
    values = access.policy_values(snapshot, options.run, access.policies(snapshot, options.run, chosen))
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
        access.policies(snapshot, options.run, chosen),
        chosen.rl_categories,
        (chosen.correlation, chosen.level),
    )


def _each(
    snapshot: Snapshot, options: Options, chosen: Selection, test_sets: list[TestSet], rl_categories: tuple[str, ...]
) -> list[Evaluation]:
    policies = access.policies(snapshot, options.run, chosen)
    shown = ((chosen.correlation, chosen.level),)
    return access.evaluations(
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
        access.score_cube(snapshot, run_id, source),
        access.policy_values(snapshot, run_id, policies),
        budget,
        noise=noise or None,
        test_set=base,
        rl_categories=rl_categories or None,
        replicates=PLAN_REPLICATES,
        wanted=(shown,),
    )
