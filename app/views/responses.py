"""Responses: prompts, what was answered to them, how all reward models scored it, and what optimising changed."""

from __future__ import annotations

import streamlit as st

from app import access_responses, response_frames, response_wording
from app.state import ResponsesChoice
from app.widgets import checkpoints, page_state, prompt_choice, response_list, trouble


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ResponsesChoice,
            title="Responses, as each reward model sees them",
            fit=prompt_choice.fit,
            controls=prompt_choice.controls,
        )
        snapshot, run_id, chosen, found = page.snapshot, page.run_id, page.chosen, page.offered
        st.caption(response_wording.what_is_shown(run_id, chosen.split, found.height, chosen.search))
        if found.is_empty():
            st.info(response_wording.nothing_found(chosen.search))
            return
        prompt_id = prompt_choice.show(chosen, found)
        prompt_choice.describe(access_responses.prompt(snapshot, run_id, prompt_id))
        answered = access_responses.answered_by(snapshot, run_id, prompt_id)
        response_list.show(snapshot, run_id, prompt_id, chosen, answered)
        checkpoints.show(snapshot, run_id, prompt_id, chosen, answered, response_frames.ppo_reward_models(answered))
