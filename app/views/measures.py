"""Measures: which way of judging a reward model predicts best what the policies lose, and where."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import access_measures, leaderboard, leaderboard_wording, wording
from app.state import Selection
from app.widgets import controls, leaderboards, page_state, trouble


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
        found = access_measures.leaderboards(snapshot, options.run, chosen)
        board = leaderboard.rows(found, chosen.correlation, chosen.level)

        st.caption(leaderboard_wording.what_is_shown(found, chosen, options))
        if leaderboard.defined(board).is_empty():
            st.info(wording.nothing_correlates(options))
            return
        for line in leaderboard_wording.findings(board, chosen):
            st.markdown(line)
        leaderboards.show(board, chosen, options)
        where = access_measures.by_category(snapshot, options.run, chosen)
        leaderboards.show_where(leaderboard.by_category(where, chosen.correlation, chosen.level), chosen, options)
