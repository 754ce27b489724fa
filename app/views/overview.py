"""Overview: the question, what the run says about it, and the paper's figures beside its own."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, access_overview, overview_wording
from app.choices import OverviewChoice
from app.page_choice import Fitting
from app.widgets import empty, overview_figures, overview_findings, page_state, trouble, watch


def show() -> None:
    """The page."""
    with trouble.shown():
        snapshot = access.snapshot()
        if snapshot is None or not access.has_runs(snapshot):
            empty.show()
            return

        def fit(_: Fitting[OverviewChoice], run_id: str) -> tuple[str, ...]:
            return access_curves.optimizers(snapshot, run_id)

        chosen, run_id, optimizers, notes = page_state.restore(OverviewChoice, snapshot, fit)
        with st.sidebar:
            page_state.choose_run(chosen, snapshot)
            watch.show(snapshot)

        st.title("Does accuracy predict the policy?")
        trouble.notes(notes)
        st.markdown(overview_wording.QUESTION)
        missing = overview_wording.nothing_to_say(access.reward_models(snapshot, run_id).height, optimizers)
        if missing:
            st.info(missing)
            return
        curves = {name: access_curves.value_curves(snapshot, run_id, name, None) for name in optimizers}
        evaluations = {name: access_overview.evaluation(snapshot, run_id, name) for name in optimizers}
        st.caption(overview_wording.what_is_shown(run_id, evaluations, curves))
        overview_figures.scatters(snapshot, run_id, evaluations, curves)
        overview_findings.show(snapshot, run_id, chosen.run, curves)
        overview_figures.paper(run_id, evaluations)
