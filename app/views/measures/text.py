"""The sentences of the Measures page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from app.components import words
from app.components.formats import count, escape, interval, number
from app.offers import Options
from app.state import Policies, Selection
from warehouse.study import Comparison


def what_is_shown(boards: Mapping[Policies, Mapping[str, Comparison]], chosen: Selection, options: Options) -> str:
    """One line: the test set, the policies, and where the intervals come from."""
    board = next(iter(boards.values()))
    return words.what_is_shown(chosen, options, next(iter(board.values())).first)


def findings(board: pl.DataFrame, chosen: Selection) -> list[str]:
    """For each optimiser which measure predicts best, and which ones beat plain accuracy."""
    symbol = words.CORRELATIONS[chosen.correlation].symbol
    lines = []
    for policies in board["policies"].unique(maintain_order=True):
        there = board.filter(pl.col("policies") == policies).drop_nulls("value").sort("value", descending=True)
        if there.is_empty():
            lines.append(f"Under **{policies}** no correlation is defined.")
            continue
        best = there.row(0, named=True)
        lines.append(
            f"Under **{policies}**, **{best['title']}** has the greatest {symbol}: {number(best['value'])} "
            f"({interval(best['low'], best['high'])}). {_beats(there)}"
        )
    return lines


def _beats(there: pl.DataFrame) -> str:
    others = there.filter(pl.col("verdict") != "plain accuracy")
    better = others.filter(verdict="better")["title"].to_list()
    if not better:
        return f"Of the other {count(others.height, 'measure')}, none is shown to beat plain accuracy on one pair."
    return f"{len(better)} of {count(others.height, 'measure')} beat plain accuracy on one pair: {_named(better)}."


def where_captions(rows: pl.DataFrame) -> dict[str, str]:
    """What stands under each category's name."""
    sizes = rows.select("category", "prompts").unique(maintain_order=True)
    better = rows.filter(verdict="better")["category"].to_list()
    return {
        category: f"{count(prompts, 'prompt')}, {better.count(category)} better"
        for category, prompts in sizes.iter_rows()
    }


def _named(titles: Sequence[str]) -> str:
    return ", ".join(escape(title) for title in titles)
