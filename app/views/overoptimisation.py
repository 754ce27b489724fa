"""Overoptimisation: what more optimising buys on the golden reward, what it costs, and what accuracy knows of it."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, curve_wording, overview_wording
from app.choices import OveroptimisationChoice
from app.page_choice import Fitting
from app.widgets import curve_controls, empty, hacking, page_state, ppo_training, trouble, watch
from app.widgets.curve_figures import CurveFigures


def show() -> None:
    """The page."""
    with trouble.shown():
        snapshot = access.snapshot()
        if snapshot is None or not access.has_runs(snapshot):
            empty.show()
            return

        def fit(fitting: Fitting[OveroptimisationChoice], run_id: str) -> curve_controls.Offered:
            return curve_controls.fit(snapshot, fitting, run_id)

        chosen, run_id, offered, notes = page_state.restore(OveroptimisationChoice, snapshot, fit)
        with st.sidebar:
            page_state.choose_run(chosen, snapshot)
            curve_controls.show(chosen, offered)
            watch.show(snapshot)

        st.title("Overoptimisation: what more optimising buys, and costs")
        trouble.notes(notes)
        st.caption(curve_wording.what_is_shown(run_id, chosen.golden, chosen.proxy))
        missing = overview_wording.nothing_to_say(len(offered.reward_models), offered.optimizers)
        if missing:
            st.info(missing)
            return
        if "ppo" not in offered.optimizers:
            st.caption(curve_wording.NO_PPO)
        stopped = curve_wording.stopped(access_curves.stopped_ppo(snapshot, run_id))
        if stopped:
            st.warning(stopped, icon=":material/report:")
        figures = CurveFigures(snapshot, run_id, chosen, offered.optimizers)
        figures.gains()
        figures.ndr()
        figures.goodhart()
        figures.degrees()
        figures.lengths()
        ppo_training.show(snapshot, run_id, chosen)
        hacking.show(snapshot, run_id, chosen)
