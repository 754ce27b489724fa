"""Titles, formats and help of the columns of tables, for `st.dataframe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from app.components import glossary
from app.components.formats import FIGURE, SHARE, SHORT, column
from warehouse.metrics.formulas import Measure

Columns = Mapping[str, Any]


_TITLES = {
    "optimizer": "Optimiser",
    "run_id": "Run",
    "low": "95% from",
    "high": "95% to",
    "ndr": "NDR",
    "prompts": "RM-test prompts",
    "rl_prompts": "RL-test prompts",
}
"""Titles of common columns that are not their names in words."""


def defaults(frame: pl.DataFrame) -> dict[str, Any]:
    """A title for every column, and three decimals for figures; a page's own configuration takes precedence."""
    titles = {name: _TITLES.get(name, name.replace("_", " ").capitalize()) for name in frame.columns}
    figures = {name for name, dtype in frame.schema.items() if dtype.is_float() and name != "strength"}
    return {name: number(title) if name in figures else title for name, title in titles.items()}


def number(title: str, format_: str = FIGURE, help_text: str | None = None) -> Any:
    """A column of numbers, in a format of `formats`."""
    return st.column_config.NumberColumn(title, format=column(format_), help=help_text)


def with_interval(label: str, value: str, low: str = "low", high: str = "high", help_text: str = "") -> dict[str, Any]:
    """The columns of a figure and of the two ends of its 95% interval."""
    titles = {value: label, low: f"{label}, 95% from", high: f"{label}, 95% to"}
    return {name: number(title, help_text=help_text or None) for name, title in titles.items()}


def pairs(measure: Measure) -> Columns:
    """Columns of `frames.pairs`."""
    return {
        "golden_flip_rate": number("Golden: labels flipped", SHARE),
        "proxy_flip_rate": number("Proxy: labels flipped", SHARE),
        "value": number(measure.axis, measure.format, measure.help),
        **with_interval("NDR", "ndr", "ndr_low", "ndr_high", glossary.TERMS["NDR"]),
        "regret": number("Regret", help_text=glossary.TERMS["regret"]),
        "defined": None,
    }


def scores(golden: str, proxy: str) -> Columns:
    """Columns of `views.explore.data.pair_scores`."""
    return {
        "golden_score": number(f"{golden} (sd)", SHORT),
        "proxy_score": number(f"{proxy} (sd)", SHORT),
    }


def correlations(correlation: str) -> Columns:
    """Columns of `frames.correlation_of`."""
    terms = glossary.TERMS
    itself = ("measure_itself", "measure_itself_low", "measure_itself_high")
    share = "The plain correlation as a share of the greatest that any measure could reach"
    return {
        **with_interval(f"{correlation}, this test set", "value", help_text=terms["this test set"]),
        **with_interval("The measure itself", *itself, help_text=terms["the measure itself"]),
        "sample": number("Plain", help_text=terms["plain correlation"]),
        "ceiling": number("Noise ceiling", help_text=terms["noise ceiling"]),
        "of_ceiling": number("Plain / ceiling", SHARE, share),
        "p_value": number("p", help_text=terms["p-value"]),
    }


def leaderboard(correlation: str) -> Columns:
    """Columns of `views.measures.data.rows`."""
    paired = "Of the plain correlation from plain accuracy's; intervals hold for all measures at once"
    beats = "How sure it is that this measure alone, compared with nothing else, predicts better than plain accuracy"
    return {
        "measure": None,
        "title": "Measure",
        **correlations(correlation),
        "group": st.column_config.TextColumn("Group", help=glossary.TERMS["group"]),
        **with_interval("Difference", "difference", "difference_low", "difference_high", paired),
        "p_difference": number("p, all at once", help_text=glossary.TERMS["all at once"]),
        "share_better": number("Better, confidence", SHARE, beats),
        "verdict": "Against plain accuracy",
    }


def studies(correlation: str) -> Columns:
    """Columns of the tables of `views.test_sets.data`."""
    best = "How often no plan would have a greater one if the study were repeated"
    paired = "The best's plain correlation minus its own, paired"
    return {
        "chosen_bin": "Chosen from bin",
        "rejected_bin": "Rejected from bin",
        "measured": "Measured on",
        "valued": "Optimised for",
        "held": "Held fixed",
        "responses": "Responses per prompt",
        "measure": None,
        "title": "Measure",
        **correlations(correlation),
        "undefined_pairs": "Pairs undefined",
        **with_interval("Behind the best", "behind", "behind_low", "behind_high", paired),
        "p_behind": number("p, all at once", help_text=glossary.TERMS["all at once"]),
        "share_best": number("Greatest in", SHARE, best),
    }
