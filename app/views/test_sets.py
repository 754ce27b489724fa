"""Test sets: which prompts, ranks, responses and annotations make a measure predict what the policies lose."""

from __future__ import annotations

import streamlit as st

from app import study_wording
from app.access_studies import replicates
from app.widgets import controls, page, study_controls, study_figures, trouble

_DRAW = {
    "ranks": study_figures.ranks,
    "categories": study_figures.categories,
    "responses": study_figures.responses,
    "budget": study_figures.budget,
}


def show() -> None:
    """The page."""
    with trouble.shown():
        begun = page.begin(controls.ALL)
        if begun is None:
            return
        snapshot, chosen, options = begun.snapshot, begun.chosen, begun.options
        st.title("Which test set tells the policy?")
        trouble.notes(begun.notes)
        study_controls.show(chosen, options)
        st.caption(study_wording.what_is_shown(chosen, options, replicates(chosen)))
        _DRAW[chosen.study](snapshot, chosen, options)
