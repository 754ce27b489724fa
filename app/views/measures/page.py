"""Measures: which way of judging a reward model best predicts what the policies lose, and on which prompts."""

from __future__ import annotations

import streamlit as st

from app.access import warehouse
from app.components import cautions, controls, glossary, page_state, trouble, words
from app.offers import Options
from app.state import Selection
from app.views.measures import data, figures, outcomes, text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            Selection,
            title="Which measure predicts the policy best?",
            fit=controls.fit,
            controls=_controls,
        )
        snapshot, chosen, options = page.snapshot, page.chosen, page.offered
        outcomes.choice(chosen, warehouse.outcome_names(snapshot, options.run))
        if chosen.outcome is not None:
            outcomes.show(snapshot, chosen, options)
            return
        boards = data.leaderboards(snapshot, options.run, chosen)
        board = data.rows(boards, chosen.correlation, chosen.level)

        first = next(iter(next(iter(boards.values())).comparisons.values())).first
        st.caption(
            glossary.explain("golden", "proxy", "NDR", "accuracy", "ξ", *glossary.of_optimizers([chosen.optimizer]))
        )
        st.caption(words.what_is_shown(chosen, options, first))
        cautions.show([first], len(options.proxies))
        if board["value"].null_count() == board.height:
            st.info(words.nothing_correlates(options))
            return
        cautions.explain()
        for line in text.findings(board, chosen):
            st.markdown(line)
        with st.expander("What each measure is"):
            st.markdown(text.measures())
        figures.leaderboards(board, chosen, options)
        where = data.by_category(snapshot, options.run, chosen)
        figures.by_category(data.category_rows(where, chosen.correlation, chosen.level), chosen, options)


def _controls(page: page_state.Page[Selection, Options]) -> None:
    """Policies matter for NDR alone."""
    parts: tuple[controls.Part, ...] = ("test set", "policies", "correlation")
    controls.show(page, [part for part in parts if part != "policies" or page.chosen.outcome is None])
