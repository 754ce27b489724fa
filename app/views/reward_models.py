"""Reward models: how each was trained, how its scores spread, what they follow, and who agrees with whom."""

from __future__ import annotations

import streamlit as st

from app import access_models, model_wording
from app.choices import ModelsChoice
from app.widgets import model_card, model_figures, run_page, trouble

_TITLE = "Reward models: what each learnt, and what its scores follow"


def show() -> None:
    """The page."""
    with trouble.shown():
        begun = run_page.begin(
            ModelsChoice, _TITLE, model_card.fit, lambda page: model_card.choose(page.chosen, *page.offered)
        )
        if begun is None:
            return
        snapshot, run_id, chosen = begun.snapshot, begun.run_id, begun.chosen
        said = access_models.scores_said(snapshot, run_id, chosen.category)
        st.caption(model_wording.what_is_shown(run_id, said.cube, chosen.category))
        model_card.show(snapshot, run_id, chosen, said)
        model_figures.show(snapshot, run_id, chosen, said)
