"""Reward models: how each was trained, how its scores spread, what they follow, and who agrees with whom."""

from __future__ import annotations

import streamlit as st

from app.components import page_state, trouble
from app.state import ModelsChoice
from app.views.reward_models import data, figures, text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ModelsChoice,
            title="Reward models: what each learnt, and what its scores follow",
            fit=figures.fit,
            controls=figures.choose,
        )
        snapshot, run_id, chosen = page.snapshot, page.run_id, page.chosen
        said = data.scores_said(snapshot, run_id, chosen.category)
        st.caption(text.what_is_shown(run_id, said.cube, chosen.category))
        figures.card(snapshot, run_id, chosen, said)
        figures.all_models(snapshot, run_id, chosen, said)
