"""Access for the Measures page: every measure on a test set, against plain pairwise accuracy. Keyed as in `access`.

Each optimiser at its strength is kept by itself, so that changing one does not compute the other again. Of the
correlations, the one that is shown is computed, at its level.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import access
from app.access import Snapshot
from app.state import Policies, Selection, Source
from warehouse.measures import Comparison, TestSet, compare_all

PLAIN = "accuracy_pair"
"""The measure that all are held against: accuracy on one pair per prompt, as benchmarks report it."""

BY_CATEGORY_REPLICATES = 200
"""Of the bootstrap, category by category: that is as many leaderboards as there are categories."""

_KEPT = 100

Board = dict[str, Comparison]


def leaderboards(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[Policies, Board]:
    """Every measure for each optimiser's policies: first the chosen ones, then all others at their greatest strength.

    Where a KL is chosen, the others are taken at the same one, if any of their policies gets so far.
    """
    offered = access.options(snapshot, run_id, chosen.source())
    others = [
        Policies(name, kl=chosen.kl)
        if chosen.kl is not None and chosen.kl <= offered.kl.get(name, (0.0, 0.0))[1]
        else Policies(name, max(there))
        for name, there in offered.strengths.items()
        if name != chosen.optimizer
    ]
    test_sets, shown = (chosen.test_set(),), (chosen.correlation, chosen.level)
    return {
        policies: _boards(snapshot, run_id, chosen.source(), test_sets, policies, chosen.rl_categories, 1000, shown)[0]
        for policies in [access.policies(snapshot, run_id, chosen), *others]
    }


def by_category(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[str, Board]:
    """Every measure for the chosen optimiser on the prompts of each category alone."""
    categories = access.categories(snapshot, run_id, chosen)
    whole = replace(chosen.test_set(), prompts=None, budget=None)  # one category has fewer prompts than all
    test_sets = tuple(replace(whole, categories=(name,)) for name in categories)
    policies = access.policies(snapshot, run_id, chosen)
    shown = (chosen.correlation, chosen.level)
    found = _boards(
        snapshot, run_id, chosen.source(), test_sets, policies, chosen.rl_categories, BY_CATEGORY_REPLICATES, shown
    )
    return dict(zip(categories, found, strict=True))


@st.cache_resource(max_entries=_KEPT, show_spinner="Resampling all measures …")
def _boards(
    snapshot: Snapshot,
    run_id: str,
    source: Source,
    test_sets: tuple[TestSet, ...],
    policies: Policies,
    rl_categories: tuple[str, ...],
    replicates: int,
    shown: tuple[str, str],
) -> list[Board]:
    return compare_all(
        access.score_cube(snapshot, run_id, source),
        access.policy_values(snapshot, run_id, policies),
        PLAIN,
        test_sets=test_sets,
        rl_categories=rl_categories or None,
        replicates=replicates,
        prepared=access.all_prompt_values(snapshot, run_id, source, test_sets[0]) if test_sets else None,
        wanted=(shown,),
    )
