"""PPO as it learns, on the card of a running run."""

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
}


def show(run: RunStatus) -> None:
    """Draw the curves that are growing; nothing where none is."""
    points = access.live_curves(run.run_id)
    if points.is_empty():
        return
    newest = points["model_id"][-1]
    shown = points.select("metric", "step", "value", model="model_id", newest=pl.col("model_id") == newest)
    st.caption(f"PPO as it learns: {newest}")
    for column, (metric, title) in zip(st.columns(len(_SHOWN)), _SHOWN.items(), strict=True):
        with column:
            st.altair_chart(
                live(shown.filter(metric=metric), title),
                width="stretch",
                key=f"live-{run.run_id}-{metric}",
                alt=f"{title} against PPO steps",
            )
