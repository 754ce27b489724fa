"""Test sets: which prompts, ranks, responses and annotations make a measure predict what the policies lose."""

from __future__ import annotations

import streamlit as st

from app.components import controls, glossary, page_state, trouble
from app.state import Selection
from app.views.test_sets import controls as study_controls
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
            title="Which test set predicts the policy best?",
            fit=controls.fit,
            controls=lambda page: controls.show(page, ignored=study_controls.IGNORED[page.chosen.study]),
        )
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        st.caption(glossary.explain("golden", "proxy", "NDR", *glossary.of_optimizers([chosen.optimizer])))
        study_controls.show(chosen, options)
        st.caption(text.what_is_shown(chosen, options, replicates(chosen)))
        _DRAW[chosen.study](snapshot, chosen, options)
