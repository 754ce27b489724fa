"""Policies as they learn, on the card of a running run."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import access
from app.charts.live import live
from pipeline.jobs import RunStatus

_SHOWN = {
    "standardised_reward": "Proxy reward (SD of π_0)",
    "kl_k3": "KL from π_0 (nats)",
    "entropy": "Entropy (nats per token)",
    "clip_share": "Share of clipped tokens",
    "reward": "Proxy reward",
    "response_tokens": "Response length (tokens)",
    "policy_loss": "Policy loss",
}
"""The first of those that were recorded are shown."""
_MOST = 4


def show(run: RunStatus) -> None:
    """Draw the curves that are growing; nothing where none is."""
    points = access.live_curves(run.run_id)
    if points.is_empty():
        return
    newest = points["model_id"][-1]
    shown = points.select("metric", "step", "value", model="model_id", newest=pl.col("model_id") == newest)
    st.caption(f"As it learns: {newest}")
    there = set(points["metric"])
    drawn = [(metric, title) for metric, title in _SHOWN.items() if metric in there][:_MOST]
    for column, (metric, title) in zip(st.columns(_MOST), drawn, strict=False):
        with column:
            st.altair_chart(
                live(shown.filter(metric=metric), title),
                width="stretch",
                key=f"live-{run.run_id}-{metric}",
                alt=f"{title} against steps of training",
            )
