"""Responses: prompts, what was answered to them, how all reward models scored it, and what optimising changed."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import access, access_responses, response_frames, response_wording
from app.choices import ResponsesChoice
from app.page_choice import Fitting
from app.widgets import checkpoints, empty, page_state, prompt_choice, response_list, trouble, watch


def show() -> None:
    """The page."""
    with trouble.shown():
        snapshot = access.snapshot()
        if snapshot is None or not access.has_runs(snapshot):
            empty.show()
            return

        def fit(fitting: Fitting[ResponsesChoice], run_id: str) -> pl.DataFrame:
            return prompt_choice.fit(snapshot, fitting, run_id)

        chosen, run_id, found, notes = page_state.restore(ResponsesChoice, snapshot, fit)
        with st.sidebar:
            page_state.choose_run(chosen, snapshot)
            prompt_choice.controls(snapshot, chosen, run_id)
            watch.show(snapshot)

        st.title("Responses, as each reward model sees them")
        trouble.notes(notes)
        st.caption(response_wording.what_is_shown(run_id, chosen.split, found.height, chosen.search))
        if found.is_empty():
            st.info(response_wording.nothing_found(chosen.search))
            return
        prompt_id = prompt_choice.show(chosen, found)
        prompt_choice.describe(access_responses.prompt(snapshot, run_id, prompt_id))
        answered = access_responses.answered_by(snapshot, run_id, prompt_id)
        response_list.show(snapshot, run_id, prompt_id, chosen, answered)
        checkpoints.show(snapshot, run_id, prompt_id, chosen, answered, response_frames.ppo_reward_models(answered))
