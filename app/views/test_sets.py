"""Test sets: which prompts, ranks, responses and annotations make a measure predict what the policies lose."""

from __future__ import annotations

import streamlit as st

from app import study_wording
from app.access_studies import replicates
from app.state import Selection
from app.widgets import controls, page_state, study_controls, study_figures, trouble

_DRAW = {
    "ranks": study_figures.ranks,
    "categories": study_figures.categories,
    "responses": study_figures.responses,
    "budget": study_figures.budget,
}


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            Selection, title="Which test set tells the policy?", fit=controls.fit, controls=controls.show
        )
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        study_controls.show(chosen, options)
        st.caption(study_wording.what_is_shown(chosen, options, replicates(chosen)))
        _DRAW[chosen.study](snapshot, chosen, options)
