"""How the columns of tables are called and written, for `st.dataframe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from warehouse.metrics.formulas import Measure


def with_interval(label: str, value: str, low: str = "low", high: str = "high", help_text: str = "") -> dict[str, Any]:
    """The columns of a figure and of the two ends of its 95 % interval."""
    titles = {value: label, low: f"{label}, 95% from", high: f"{label}, 95% to"}
    return {
        name: st.column_config.NumberColumn(title, format="%.3f", help=help_text or None)
        for name, title in titles.items()
    }


def pairs(measure: Measure) -> Mapping[str, Any]:
    """Columns of `frames.pairs`."""
    return {
        "golden": "Golden",
        "proxy": "Proxy",
        "golden_flip_rate": st.column_config.NumberColumn("Golden: labels flipped", format="percent"),
        "proxy_flip_rate": st.column_config.NumberColumn("Proxy: labels flipped", format="percent"),
        "value": st.column_config.NumberColumn(measure.axis, format=f"%{measure.format}", help=measure.help),
        "ndr": st.column_config.NumberColumn("NDR", format="%.3f"),
        "ndr_low": st.column_config.NumberColumn("NDR, 95% from", format="%.3f"),
        "ndr_high": st.column_config.NumberColumn("to", format="%.3f"),
        "regret": st.column_config.NumberColumn("Regret", format="%.3f", help="1 − NDR"),
        "defined": None,
    }


def scores(golden: str, proxy: str) -> Mapping[str, Any]:
    """Columns of `frames.pair_scores`."""
    return {
        "prompt": "Prompt",
        "category": "Category",
        "response": "Response",
        "golden_score": st.column_config.NumberColumn(f"{golden} (sd)", format="%.2f"),
        "proxy_score": st.column_config.NumberColumn(f"{proxy} (sd)", format="%.2f"),
    }


def leaderboard(correlation: str) -> Mapping[str, Any]:
    """Columns of `leaderboard.rows`."""
    return {
        "policies": "Policies",
        "measure": None,
        "title": "Measure",
        "value": st.column_config.NumberColumn(correlation, format="%.3f"),
        "low": st.column_config.NumberColumn("95% from", format="%.3f"),
        "high": st.column_config.NumberColumn("to", format="%.3f"),
        "difference": st.column_config.NumberColumn("Difference", format="%.3f", help="From plain accuracy, paired"),
        "difference_low": st.column_config.NumberColumn("Difference, 95% from", format="%.3f"),
        "difference_high": st.column_config.NumberColumn("to ", format="%.3f"),
        "share_better": st.column_config.NumberColumn(
            "Greater in", format="percent", help="Share of bootstrap replicates in which it beats plain accuracy"
        ),
        "verdict": "Against plain accuracy",
    }


def studies(correlation: str) -> Mapping[str, Any]:
    """Columns of the frames of `study_frames`."""
    return {
        "chosen_bin": "Chosen from bin",
        "rejected_bin": "Rejected from bin",
        "measured": "Measured on",
        "valued": "Optimised for",
        "held": "Held fixed",
        "measure": None,
        "title": "Measure",
        "responses": "Responses per prompt",
        "annotations": "Annotations",
        "value": st.column_config.NumberColumn(correlation, format="%.3f"),
        "low": st.column_config.NumberColumn("95% from", format="%.3f"),
        "high": st.column_config.NumberColumn("to", format="%.3f"),
        "prompts": "RM-test prompts",
        "rl_prompts": "RL-test prompts",
        "undefined_pairs": "Pairs undefined",
        "behind": st.column_config.NumberColumn("Behind the best", format="%.3f", help="Paired bootstrap"),
        "behind_low": st.column_config.NumberColumn("Behind, 95% from", format="%.3f"),
        "behind_high": st.column_config.NumberColumn("to ", format="%.3f"),
        "share_best": st.column_config.NumberColumn(
            "Greatest in", format="percent", help="Share of bootstrap replicates in which no plan has a greater one"
        ),
    }
