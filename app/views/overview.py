"""Overview: the question, what the run says about it, and the paper's figures beside its own."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, access_overview, overview_wording
from app.choices import OverviewChoice
from app.widgets import overview_figures, overview_findings, run_page, trouble


def show() -> None:
    """The page."""
    with trouble.shown():
        begun = run_page.begin(
            OverviewChoice,
            "Does accuracy predict the policy?",
            lambda snapshot, _, run_id: access_curves.optimizers(snapshot, run_id),
            lambda page: None,
        )
        if begun is None:
            return
        snapshot, run_id, optimizers = begun.snapshot, begun.run_id, begun.offered
        st.markdown(overview_wording.QUESTION)
        missing = overview_wording.nothing_to_say(access.reward_models(snapshot, run_id).height, optimizers)
        if missing:
            st.info(missing)
            return
        curves = {name: access_curves.value_curves(snapshot, run_id, name, None) for name in optimizers}
        evaluations = {name: access_overview.evaluation(snapshot, run_id, name) for name in optimizers}
        st.caption(overview_wording.what_is_shown(run_id, evaluations, curves))
        overview_figures.scatters(snapshot, run_id, evaluations, curves)
        overview_findings.show(snapshot, run_id, begun.chosen.run, curves)
        overview_figures.paper(run_id, evaluations)
