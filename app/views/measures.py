"""Measures: which way of judging a reward model predicts best what the policies lose, and where."""

from __future__ import annotations

import streamlit as st

from app import access_measures, leaderboard, leaderboard_wording, wording
from app.widgets import leaderboards, page, trouble


def show() -> None:
    """The page."""
    with trouble.shown():
        begun = page.begin(("test set", "policies", "correlation"))
        if begun is None:
            return
        snapshot, chosen, options = begun.snapshot, begun.chosen, begun.options
        st.title("Which measure predicts the policy?")
        trouble.notes(begun.notes)
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
