"""The figures of the Measures page."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.charts.leaderboard import leaderboard, where
from app.components import columns, figure, words
from app.offers import Options
from app.state import Selection
from app.views.measures import text
from app.views.measures.data import BY_CATEGORY_REPLICATES


def leaderboards(board: pl.DataFrame, chosen: Selection, options: Options) -> None:
    """Draw every measure's correlation, and its difference from that of plain accuracy, side by side."""
    name = words.correlation(chosen.correlation, chosen.level)
    difference = f"Difference of {words.CORRELATIONS[chosen.correlation].symbol}"
    order = board["title"].unique(maintain_order=True).to_list()
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            figure.show(
                "leaderboard",
                leaderboard(board, order, "value", f"{name} with NDR"),
                board,
                title="Correlation with NDR",
                note="A dot a measure with its 95% interval; the best stands at the top.",
                alt=f"{name} of every measure with NDR, with intervals",
                file_name=f"{options.run}-leaderboard",
                columns=columns.leaderboard(name),
                facts=_facts(chosen, options),
            )
        with right:
            figure.show(
                "differences",
                leaderboard(board, order, "difference", difference),
                board,
                title="Against plain accuracy",
                note="Paired bootstrap; right of the dashed line beats accuracy on one pair.",
                alt=f"Difference of every measure's {name} from that of accuracy on one pair, with intervals",
                file_name=f"{options.run}-differences",
                columns=columns.leaderboard(name),
                facts=_facts(chosen, options),
            )


def by_category(rows: pl.DataFrame, chosen: Selection, options: Options) -> None:
    """Draw the differences category by category; nothing where there is one category only."""
    captions = text.where_captions(rows)
    if len(captions) < 2 or rows["difference"].null_count() == rows.height:
        return
    name = words.correlation(chosen.correlation, chosen.level)
    order = rows.filter(pl.col("verdict") != "plain accuracy")["title"].unique(maintain_order=True).to_list()
    figure.show(
        "where",
        where(rows, order, captions, f"Difference of {words.CORRELATIONS[chosen.correlation].symbol}"),
        rows,
        title="Where does it matter?",
        note=f"The same difference on the test prompts of one category, under {words.policies(chosen, options)}; "
        f"pale: neither better nor worse. B = {BY_CATEGORY_REPLICATES}.",
        alt=f"Difference of every measure's {name} from that of plain accuracy, a panel for each category",
        file_name=f"{options.run}-differences-by-category",
        columns={"category": "Category", "prompts": "Prompts", **columns.leaderboard(name)},
        facts=words.facts(chosen, options),
    )


def _facts(chosen: Selection, options: Options) -> dict[str, object]:
    """What a whole board has in common: its rows name their policies, of which there may be several."""
    facts = words.facts(chosen, options)
    return {name: fact for name, fact in facts.items() if name not in ("optimizer", "strength")}
