"""Access for the Measures page: every measure on a test set, against plain pairwise accuracy. Keyed as in `access`.

Each optimizer at its strength is kept by itself, so that changing one does not compute the other again.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import access
from app.access import Snapshot
from app.selection import Selection
from warehouse.measures import MEASURES, Comparison, TestSet, compare_all

PLAIN = "accuracy_pair"
"""The measure that all are held against: accuracy on one pair per prompt, as benchmarks report it."""

BY_CATEGORY_REPLICATES = 200
"""Of the bootstrap, category by category: that is as many leaderboards as there are categories."""

_KEPT = 100

Board = dict[str, Comparison]


def leaderboards(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[tuple[str, float], Board]:
    """Every measure for each (optimizer, strength): first the chosen one, then all others at their greatest."""
    strengths = access.options(snapshot, run_id).strengths
    first = dict([access.policies(snapshot, run_id, chosen)])
    at = first | {name: max(there) for name, there in strengths.items() if name not in first}
    return {
        policies: _boards(snapshot, run_id, (chosen.test_set(),), *policies, chosen.rl_categories, 1000)[0]
        for policies in at.items()
    }


def by_category(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[str, Board]:
    """Every measure for the chosen optimizer on the prompts of each category alone."""
    categories = access.categories(snapshot, run_id, chosen)
    whole = replace(chosen.test_set(), prompts=None, budget=None)  # one category has fewer prompts than all
    test_sets = tuple(replace(whole, categories=(name,)) for name in categories)
    policies = access.policies(snapshot, run_id, chosen)
    found = _boards(snapshot, run_id, test_sets, *policies, chosen.rl_categories, BY_CATEGORY_REPLICATES)
    return dict(zip(categories, found, strict=True))


@st.cache_resource(max_entries=_KEPT, show_spinner="Resampling all measures …")
def _boards(
    snapshot: Snapshot,
    run_id: str,
    test_sets: tuple[TestSet, ...],
    optimizer: str,
    strength: float,
    rl_categories: tuple[str, ...],
    replicates: int,
) -> list[Board]:
    return compare_all(
        access.score_cube(snapshot, run_id),
        access.policy_values(snapshot, run_id, optimizer, strength),
        PLAIN,
        test_sets=test_sets,
        rl_categories=rl_categories or None,
        replicates=replicates,
        prepared={name: access.prompt_values(snapshot, run_id, name, test_sets[0]) for name in MEASURES}
        if test_sets
        else None,
    )
