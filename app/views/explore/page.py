"""Explore: how well a measure of reward models, on a test set, predicts what the policies lose."""

from __future__ import annotations

import streamlit as st

from app.access import frames, warehouse
from app.components import cautions, controls, glossary, page_state, trouble, words
from app.state import Selection
from app.views.explore import data, figures, text
from warehouse.study import MEASURES


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(Selection, title=text.question, fit=controls.fit, controls=controls.show)
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        evaluation = data.evaluation(snapshot, options.run, chosen)
        models = warehouse.reward_models(snapshot, options.run)
        pairs = frames.pairs(evaluation, models)
        measure = MEASURES[chosen.measure]

        st.caption(glossary.explain("golden", "proxy", "NDR", *glossary.of_optimizers([chosen.optimizer])))
        st.caption(words.what_is_shown(chosen, options, evaluation))
        cautions.show([evaluation], len(options.proxies))
        if not frames.defined(pairs).is_empty():
            cautions.explain()
            figures.show_correlations(evaluation, chosen.level)
        figures.scatter_and_matrix(pairs, chosen, options, measure, evaluation.quantity)
        by_category = data.by_category(snapshot, options.run, chosen)
        figures.by_category(by_category, models, chosen, options, measure)
        figures.drilldown(snapshot, chosen, options, pairs, measure)
