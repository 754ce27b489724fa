"""The sentences of the Measures page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.components import words
from app.components.formats import count, escape, interval, number
from app.state import Selection
from app.views.measures.data import PLAIN_ITSELF
from warehouse.study import MEASURES


def measures() -> str:
    """A list with a line for each measure."""
    return "\n".join(f"- **{escape(measure.title)}**: {escape(measure.help)}" for measure in MEASURES.values())


def findings(board: pl.DataFrame, chosen: Selection) -> list[str]:
    """For each optimiser which measure predicts best, and which ones beat plain accuracy."""
    symbol = words.CORRELATIONS[chosen.correlation].symbol
    lines = []
    for policies in board["policies"].unique(maintain_order=True):
        ranked = board.filter(policies=policies).drop_nulls("value").sort("value", descending=True)
        if ranked.is_empty():
            lines.append(f"Under **{policies}** no correlation is defined.")
            continue
        best = ranked.row(0, named=True)
        lines.append(
            f"Under **{policies}**, **{best['title']}** has the greatest {symbol} on this test set: "
            f"{number(best['value'])} ({interval(best['low'], best['high'])}). {_beats(ranked)}{_alike(ranked, best)}"
        )
    return lines


def _alike(ranked: pl.DataFrame, best: Mapping[str, Any]) -> str:
    """Which measures cannot be told apart from the best."""
    letters = set(best["group"] or "")
    others = sum(bool(letters & set(group or "")) for group in ranked["group"]) - 1
    return (
        f" {count(others, 'other measure')} cannot be told apart from it (letters on the right of the chart)."
        if others
        else ""
    )


def _beats(ranked: pl.DataFrame) -> str:
    others = ranked.filter(pl.col("verdict") != PLAIN_ITSELF)
    better = others.filter(verdict="better")["title"].to_list()
    if not better:
        return (
            f"Of the other {count(others.height, 'measure')}, none is shown to beat plain accuracy, "
            "all compared at once."
        )
    names = ", ".join(escape(title) for title in better)
    return (
        f"{len(better)} of {count(others.height, 'measure')} beat plain accuracy, all compared at once (Romano–Wolf): "
        f"{names}."
    )


def category_captions(rows: pl.DataFrame) -> dict[str, str]:
    """What is written under each category's name."""
    sizes = rows.select("category", "prompts").unique(maintain_order=True)
    better = rows.filter(verdict="better")["category"].to_list()
    return {
        category: f"{count(prompts, 'prompt')}, {better.count(category)} better"
        for category, prompts in sizes.iter_rows()
    }
