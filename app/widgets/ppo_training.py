"""How PPO, or another algorithm, went: one figure of the training against its steps, a line a policy."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, curve_frames, curve_wording
from app.access import Snapshot
from app.charts.training import training
from app.state import OveroptimisationChoice
from app.widgets import figure, page_state


def show(snapshot: Snapshot, run_id: str, chosen: OveroptimisationChoice) -> None:
    """Draw the chosen figure; nothing where none was recorded."""
    curves = access_curves.ppo_curves(snapshot, run_id)
    metrics = curves["metric"].unique().sort().to_list()
    if not metrics:
        return
    metric = chosen.metric if chosen.metric in metrics else metrics[0]
    frame = curve_frames.ppo_training(curves, access.reward_models(snapshot, run_id), metric)
    title = curve_wording.metric(metric)
    figure.show(
        "ppo-training",
        training(frame, title, x_title="Steps"),
        frame,
        title="How the policies were trained",
        note="One line a policy, as recorded on its own rollouts while it was trained.",
        alt=f"{title} against steps of training, one line a policy",
        file_name=f"{run_id}-ppo-{metric}",
        facts={"run_id": run_id, "metric": metric},
    )
    st.selectbox(
        "Figure of the training",
        metrics,
        format_func=curve_wording.metric,
        help="What was recorded at each step.",
        **page_state.bound(chosen, "metric", metric),
    )
