"""The figures of the Measures page: every measure's correlation with NDR, and its difference from plain accuracy's."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app import notebook_code
from app.charts.leaderboard import leaderboard, where
from app.components import columns, estimates, figure, words
from app.offers import Options
from app.state import Selection
from app.views.measures import text
from app.views.measures.data import BY_CATEGORY_REPLICATES, PLAIN_ITSELF


def leaderboards(board: pl.DataFrame, chosen: Selection, options: Options) -> None:
    """Draw every measure's correlation, and its difference from that of plain accuracy, side by side."""
    name = words.correlation(chosen.correlation, chosen.level)
    difference = f"Difference of {words.CORRELATIONS[chosen.correlation].symbol}"
    order = board["title"].unique(maintain_order=True).to_list()
    facts = words.facts(chosen, options)
    shared: dict[str, Any] = {
        "columns": columns.leaderboard(name),
        # a row names its own policies, of which there may be several
        "facts": {key: value for key, value in facts.items() if key not in ("optimizer", "strength")},
    }
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            figure.show(
                "leaderboard",
                leaderboard(board, order, "value", f"{name} with NDR"),
                board,
                title="Correlation with NDR",
                note=f"{estimates.KEY}. Measures with a letter in common cannot be told apart, all pairs compared at "
                "once.",
                alt=f"{name} of every measure with NDR, with intervals",
                file_name=f"{options.run}-leaderboard",
                code=notebook_code.leaderboard(chosen, options) if name == "Kendall τ" else "",
                **shared,
            )
        with right:
            figure.show(
                "differences",
                leaderboard(board, order, "difference", difference),
                board,
                title="Against plain accuracy",
                note="Differences of the plain correlations, which have the same noise. The 95% intervals hold for all "
                "measures at once (Romano–Wolf; the p-values in the table go step by step and can be a little "
                "sharper); right of the dashed line is better.",
                alt=f"Difference of every measure's {name} from that of accuracy on one pair, with intervals",
                file_name=f"{options.run}-differences",
                **shared,
            )


def by_category(rows: pl.DataFrame, chosen: Selection, options: Options) -> None:
    """Draw the differences category by category; nothing where there is one category only."""
    captions = text.category_captions(rows)
    if len(captions) < 2 or rows["difference"].null_count() == rows.height:
        return
    name = words.correlation(chosen.correlation, chosen.level)
    order = rows.filter(pl.col("verdict") != PLAIN_ITSELF)["title"].unique(maintain_order=True).to_list()
    figure.show(
        "where",
        where(rows, order, captions, f"Difference of {words.CORRELATIONS[chosen.correlation].symbol}"),
        rows,
        title="Where does it matter?",
        note=f"The same difference on the test prompts of one category, under {words.policies(chosen, options)}; "
        f"pale: neither better nor worse. Intervals hold for all panels at once (up to {BY_CATEGORY_REPLICATES} "
        "replicates).",
        alt=f"Difference of every measure's {name} from that of plain accuracy, a panel for each category",
        file_name=f"{options.run}-differences-by-category",
        columns={"category": "Category", "prompts": "Prompts", **columns.leaderboard(name), "group": None},
        facts=words.facts(chosen, options),
    )
