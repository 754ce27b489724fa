"""Explore: how well a measure of reward models, on a test set, predicts what the policies lose."""

from __future__ import annotations

import streamlit as st

from app import access, frames, wording
from app.state import Selection
from app.widgets import controls, drilldown, figures, page_state, trouble
from warehouse.measures import MEASURES


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(Selection, title=wording.question, fit=controls.fit, controls=controls.show)
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        evaluation = access.evaluation(snapshot, options.run, chosen)
        models = access.reward_models(snapshot, options.run)
        pairs = frames.pairs(evaluation, models)
        measure = MEASURES[chosen.measure]

        st.caption(wording.what_is_shown(chosen, options, evaluation))
        if not frames.defined(pairs).is_empty():
            figures.show_correlations(evaluation, chosen.level)
        figures.show(pairs, chosen, options, measure)
        by_category = access.by_category(snapshot, options.run, chosen)
        figures.show_by_category(by_category, models, chosen, options, measure)
        drilldown.show(snapshot, chosen, options, pairs, measure)
