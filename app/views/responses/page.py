"""Responses: prompts, what was answered to them, how all reward models scored it, and what optimising changed."""

from __future__ import annotations

import streamlit as st

from app.components import page_state, trouble
from app.state import ResponsesChoice
from app.views.responses import controls, data, figures, text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ResponsesChoice,
            title="Responses, as each reward model sees them",
            fit=controls.fit,
            controls=controls.controls,
        )
        snapshot, run_id, chosen, found = page.snapshot, page.run_id, page.chosen, page.offered
        st.caption(text.what_is_shown(run_id, chosen.split, found.height, chosen.search))
        if found.is_empty():
            st.info(text.nothing_found(chosen.search))
            return
        prompt_id = controls.show(chosen, found)
        controls.describe(data.prompt(snapshot, run_id, prompt_id))
        answered = data.answered_by(snapshot, run_id, prompt_id)
        figures.responses(snapshot, run_id, prompt_id, chosen, answered)
        figures.checkpoints(snapshot, run_id, prompt_id, chosen, answered, data.ppo_reward_models(answered))
