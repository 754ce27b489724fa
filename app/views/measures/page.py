"""Measures: which way of judging a reward model predicts best what the policies lose, and where."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.components import controls, page_state, trouble, words
from app.state import Selection
from app.views.measures import data, figures, text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            Selection,
            title="Which measure predicts the policy?",
            fit=controls.fit,
            controls=partial(controls.show, parts=("test set", "policies", "correlation")),
        )
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        found = data.leaderboards(snapshot, options.run, chosen)
        board = data.rows(found, chosen.correlation, chosen.level)

        st.caption(text.what_is_shown(found, chosen, options))
        if data.defined(board).is_empty():
            st.info(words.nothing_correlates(options))
            return
        for line in text.findings(board, chosen):
            st.markdown(line)
        figures.leaderboards(board, chosen, options)
        where = data.by_category(snapshot, options.run, chosen)
        figures.by_category(data.category_rows(where, chosen.correlation, chosen.level), chosen, options)
