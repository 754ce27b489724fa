"""Overview: the question, what the run says about it, and the paper's figures beside its own."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, access_overview, overview_wording
from app.state import PageChoice
from app.widgets import overview_figures, overview_findings, page_state, trouble


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            PageChoice,
            title="Does accuracy predict the policy?",
            fit=lambda snapshot, _, run_id: access_curves.optimizers(snapshot, run_id),
        )
        snapshot, run_id, optimizers = page.snapshot, page.run_id, page.offered
        st.markdown(overview_wording.QUESTION)
        missing = overview_wording.nothing_to_say(access.reward_models(snapshot, run_id).height, optimizers)
        if missing:
            st.info(missing)
            return
        curves = {name: access_curves.value_curves(snapshot, run_id, name, None) for name in optimizers}
        evaluations = {name: access_overview.evaluation(snapshot, run_id, name) for name in optimizers}
        st.caption(overview_wording.what_is_shown(run_id, evaluations, curves))
        overview_figures.scatters(snapshot, run_id, evaluations, curves)
        overview_findings.show(snapshot, run_id, page.chosen.run, curves)
        overview_figures.paper(run_id, evaluations)
