"""Computations and tables of the Measures page, cached as in `access.warehouse`: all measures against plain accuracy.

Each optimiser at its strength is cached by itself, so that changing one does not compute the other again. Only the
correlation that is shown is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.frames import CORRELATION, correlation_of, figures_of, floats
from app.access.pool import heavy
from app.access.warehouse import Question, Snapshot
from app.components import words
from app.state import Policies, Selection, Source
from warehouse.claims.verdict import compared
from warehouse.metrics.preparation import prepare_all
from warehouse.study import MEASURES, PromptValues, TestSet
from warehouse.study.comparison import replicated_on_all
from warehouse.study.together import Board, boards

PLAIN = "accuracy_pair"
"""The measure that all are compared with: accuracy on one pair per prompt, as benchmarks report it."""

PLAIN_ITSELF = "plain accuracy"
"""What the tables have in place of its verdict."""

BY_CATEGORY_REPLICATES = 200
"""Replicates of the figures by category, which are as many leaderboards as there are categories."""

_SCHEMA: dict[str, type[pl.DataType]] = {
    "measure": pl.String,
    "title": pl.String,
    **floats(*CORRELATION),
    "group": pl.String,
    **floats("difference", "difference_low", "difference_high", "p_difference", "share_better"),
    "verdict": pl.String,
}


def leaderboards(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[Policies, Board]:
    """Every measure for each optimiser's policies: the chosen ones first, then all others at their greatest strength.

    If a KL is chosen, the others are compared at the same KL, provided any of their policies gets that far.
    """
    offered = warehouse.options(snapshot, run_id, chosen.source())
    compared_policies = [warehouse.policies(snapshot, run_id, chosen)]
    for name, strengths in offered.strengths.items():
        if name != chosen.optimizer:
            reaches = chosen.kl is not None and chosen.kl <= offered.kl.get(name, (0.0, 0.0))[1]
            compared_policies.append(Policies(name, kl=chosen.kl) if reaches else Policies(name, max(strengths)))
    return {
        policies: _boards(
            warehouse.question(snapshot, run_id, chosen, optimised=policies), (chosen.test_set(),), replicates=1000
        )[0]
        for policies in compared_policies
    }


def by_category(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[str, Board]:
    """Every measure for the chosen optimiser on the prompts of each category alone."""
    names = warehouse.categories(snapshot, run_id, chosen)
    test_sets = tuple(chosen.test_set_of(name) for name in names)
    boards = _boards(warehouse.question(snapshot, run_id, chosen), test_sets, replicates=BY_CATEGORY_REPLICATES)
    return dict(zip(names, boards, strict=True))


@heavy(100, "Resampling all measures …")
def _boards(question: Question, test_sets: tuple[TestSet, ...], *, replicates: int) -> Sequence[Board]:
    if not test_sets:
        return []
    seen = question.seen(test_sets[0])
    by_test_set = replicated_on_all(
        question.cube(),
        question.values(),
        test_sets=test_sets,
        rl_categories=question.rl_categories or None,
        replicates=replicates,
        prepared=_prompt_values(question.snapshot, question.run_id, question.source, seen),
        selected=question.correlations,
    )
    return boards(by_test_set, PLAIN, selected=question.correlations, grouped=len(test_sets) == 1)


@st.cache_resource(max_entries=4, show_spinner="Measuring …")
def _prompt_values(snapshot: Snapshot, run_id: str, source: Source, seen: TestSet) -> dict[str, PromptValues]:
    """Every measure's value on each prompt."""
    return prepare_all(warehouse.score_cube(snapshot, run_id, source), tuple(MEASURES), seen)


def rows(by_policies: Mapping[Policies, Board], correlation: str, level: str) -> pl.DataFrame:
    """A row per optimiser and measure, the best of the first optimiser first.

    Columns `policies` (`best-of-16`), `measure`, `title`; those of the correlation (`frames.correlation_of`); `group`,
    the letters of the groups that it belongs to; its `difference` from plain accuracy's plain correlation, with an
    interval and a p-value `p_difference` for all measures at once; `share_better`, the confidence that it alone is the
    greater; `verdict`, how it compares with plain accuracy (`claims.verdict.compared`), or `PLAIN_ITSELF`. Undefined
    values are null.
    """
    parts = [
        _rows(board, correlation, level).select(pl.lit(words.called(policies)).alias("policies"), pl.all())
        for policies, board in by_policies.items()
    ]
    order = parts[0].sort("value", descending=True, nulls_last=True)["measure"]
    return pl.concat(parts).sort(pl.col("measure").cast(pl.Enum(order)), maintain_order=True)


def category_rows(by_category: Mapping[str, Board], correlation: str, level: str) -> pl.DataFrame:
    """The same with `category` and `prompts` in the place of `policies`, in the order of the catalogue."""
    parts = [pl.DataFrame(schema={"category": pl.String, "prompts": pl.Int32, **_SCHEMA})]
    for category, board in by_category.items():
        prompts = next(iter(board.comparisons.values())).first.prompts_used
        parts.append(
            _rows(board, correlation, level).select(
                pl.lit(category).alias("category"), pl.lit(prompts, pl.Int32).alias("prompts"), pl.all()
            )
        )
    return pl.concat(parts)


def _rows(board: Board, correlation: str, level: str) -> pl.DataFrame:
    rows = []
    for name, comparison in board.comparisons.items():
        own = words.correlations(comparison.first, level)[correlation]
        difference, p_value, groups = board.adjusted[correlation, level][name]
        row: dict[str, object] = {"measure": name, "title": MEASURES[name].title, **correlation_of(own)}
        row["group"] = "".join(ascii_lowercase[group - 1] for group in groups) or None
        if comparison.first.measure == comparison.second.measure:
            row["verdict"] = PLAIN_ITSELF
        else:
            row |= figures_of("difference", difference, "difference_low", "difference_high")
            row["p_difference"] = p_value
            row["share_better"] = None if level == "within" else comparison.share_better[correlation]
            row["verdict"] = compared(difference, p_value)
        rows.append(row)
    return pl.DataFrame(rows, schema=_SCHEMA)
