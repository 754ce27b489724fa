"""Access for the Measures page: every measure on a test set, against plain pairwise accuracy. Keyed as in `access`.

Each optimiser at its strength is kept by itself, so that changing one does not compute the other again. Of the
correlations, the one that is shown is computed, at its level.

The leaderboard of measures as tables: comparisons → Polars frame. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import words
from app.state import Policies, Selection, Source
from warehouse.claims.verdict import compared
from warehouse.study import MEASURES, Comparison, TestSet, compare_all

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
    offered = warehouse.options(snapshot, run_id, chosen.source())
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
        for policies in [warehouse.policies(snapshot, run_id, chosen), *others]
    }


def by_category(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[str, Board]:
    """Every measure for the chosen optimiser on the prompts of each category alone."""
    categories = warehouse.categories(snapshot, run_id, chosen)
    whole = replace(chosen.test_set(), prompts=None, budget=None)  # one category has fewer prompts than all
    test_sets = tuple(replace(whole, categories=(name,)) for name in categories)
    policies = warehouse.policies(snapshot, run_id, chosen)
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
        warehouse.score_cube(snapshot, run_id, source),
        warehouse.policy_values(snapshot, run_id, policies),
        PLAIN,
        test_sets=test_sets,
        rl_categories=rl_categories or None,
        replicates=replicates,
        prepared=warehouse.all_prompt_values(snapshot, run_id, source, test_sets[0]) if test_sets else None,
        wanted=(shown,),
    )


BoardRows = Mapping[str, Comparison]

_SCHEMA = {
    "measure": pl.String,
    "title": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "share_better": pl.Float64,
    "verdict": pl.String,
}


def rows(boards: Mapping[Policies, BoardRows], correlation: str, level: str) -> pl.DataFrame:
    """A row per optimiser and measure, the best of the first optimiser first.

    Columns `policies` (`best-of-16`), `measure`, `title`; the correlation `value` from `low` to `high`; its
    `difference` from that of plain accuracy with the paired interval; `share_better`, the share of replicates in which
    it is the greater; `verdict`, how it compares with plain accuracy (`claims.verdict.compared`), or `plain accuracy`
    itself. Figures are null where undefined.
    """
    parts = [
        _rows(board, correlation, level).select(pl.lit(words.called(policies)).alias("policies"), pl.all())
        for policies, board in boards.items()
    ]
    order = parts[0].sort("value", descending=True, nulls_last=True)["measure"]
    return pl.concat(parts).sort(pl.col("measure").cast(pl.Enum(order)), maintain_order=True)


def category_rows(boards: Mapping[str, BoardRows], correlation: str, level: str) -> pl.DataFrame:
    """The same with `category` and `prompts` in the place of `policies`, in the order of the catalogue."""
    parts = [
        _rows(board, correlation, level).select(
            pl.lit(category).alias("category"),
            pl.lit(next(iter(board.values())).first.prompts_used).alias("prompts"),
            pl.all(),
        )
        for category, board in boards.items()
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"category": pl.String, "prompts": pl.Int32, **_SCHEMA})


def defined(board: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a correlation."""
    return board.drop_nulls("value")


def _rows(board: BoardRows, correlation: str, level: str) -> pl.DataFrame:
    found = []
    for name, comparison in board.items():
        own = words.correlations(comparison.first, level)[correlation]
        difference = (comparison.within if level == "within" else comparison.correlations)[correlation]
        plain = comparison.first.measure == comparison.second.measure
        found.append(
            {
                "measure": name,
                "title": MEASURES[name].title,
                "value": own.value,
                "low": own.low,
                "high": own.high,
                "difference": None if plain else difference.value,
                "difference_low": None if plain else difference.low,
                "difference_high": None if plain else difference.high,
                "share_better": None if plain or level == "within" else comparison.share_better[correlation],
                "verdict": "plain accuracy" if plain else compared(difference),
            }
        )
    return pl.DataFrame(found, schema=_SCHEMA)
