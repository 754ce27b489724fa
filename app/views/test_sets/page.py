"""Test sets: which prompts, ranks, responses and annotations make a measure predict what the policies lose."""

from __future__ import annotations

import streamlit as st

from app.components import controls as components_controls
from app.components import page_state, trouble
from app.state import Selection
from app.views.test_sets import controls as test_sets_controls
from app.views.test_sets import figures, text
from app.views.test_sets.data import replicates

_DRAW = {
    "ranks": figures.ranks,
    "categories": figures.categories,
    "responses": figures.responses,
    "budget": figures.budget,
}


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            Selection,
            title="Which test set tells the policy?",
            fit=components_controls.fit,
            controls=components_controls.show,
        )
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        test_sets_controls.show(chosen, options)
        st.caption(text.what_is_shown(chosen, options, replicates(chosen)))
        _DRAW[chosen.study](snapshot, chosen, options)
