"""Overoptimisation: what more optimising buys on the golden reward, what it costs, and what accuracy knows of it."""

from __future__ import annotations

import streamlit as st

from app.access import curves
from app.components import page_state, trouble
from app.state import OveroptimisationChoice
from app.views.overoptimisation import controls, text
from app.views.overoptimisation import figures as overoptimisation_figures
from app.views.overoptimisation.figures import CurveFigures
from app.views.overview import text as overview_text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            OveroptimisationChoice,
            title="Overoptimisation: what more optimising buys, and costs",
            fit=controls.fit,
            controls=controls.show,
        )
        snapshot, run_id, chosen, offered = page.snapshot, page.run_id, page.chosen, page.offered
        st.caption(text.what_is_shown(run_id, chosen.golden, chosen.proxy))
        missing = overview_text.nothing_to_say(len(offered.reward_models), offered.optimizers)
        if missing:
            st.info(missing)
            return
        if offered.optimizers == ("bon",):
            st.caption(text.NO_PPO)
        stopped = text.stopped(curves.stopped_ppo(snapshot, run_id))
        if stopped:
            st.warning(stopped, icon=":material/report:")
        figures = CurveFigures(snapshot, run_id, chosen, offered.optimizers)
        figures.gains()
        figures.ndr()
        figures.goodhart()
        figures.degrees()
        figures.lengths()
        figures.training()
        overoptimisation_figures.hacking(snapshot, run_id, chosen)
