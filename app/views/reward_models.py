"""Reward models: how each was trained, how its scores spread, what they follow, and who agrees with whom."""

from __future__ import annotations

import streamlit as st

from app import access_models, model_wording
from app.state import ModelsChoice
from app.widgets import model_card, model_figures, page_state, trouble


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ModelsChoice,
            title="Reward models: what each learnt, and what its scores follow",
            fit=model_card.fit,
            controls=model_card.choose,
        )
        snapshot, run_id, chosen = page.snapshot, page.run_id, page.chosen
        said = access_models.scores_said(snapshot, run_id, chosen.category)
        st.caption(model_wording.what_is_shown(run_id, said.cube, chosen.category))
        model_card.show(snapshot, run_id, chosen, said)
        model_figures.show(snapshot, run_id, chosen, said)
