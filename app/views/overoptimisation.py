"""Overoptimisation: what more optimising buys on the golden reward, what it costs, and what accuracy knows of it."""

from __future__ import annotations

import streamlit as st

from app import access_curves, curve_wording, overview_wording
from app.state import OveroptimisationChoice
from app.widgets import curve_controls, hacking, page_state, trouble
from app.widgets.curve_figures import CurveFigures


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            OveroptimisationChoice,
            title="Overoptimisation: what more optimising buys, and costs",
            fit=curve_controls.fit,
            controls=curve_controls.show,
        )
        snapshot, run_id, chosen, offered = page.snapshot, page.run_id, page.chosen, page.offered
        st.caption(curve_wording.what_is_shown(run_id, chosen.golden, chosen.proxy))
        missing = overview_wording.nothing_to_say(len(offered.reward_models), offered.optimizers)
        if missing:
            st.info(missing)
            return
        if offered.optimizers == ("bon",):
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
        figures.training()
        hacking.show(snapshot, run_id, chosen)
