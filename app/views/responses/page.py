"""Responses: prompts, the responses to them, how every reward model scores these, and what optimisation changed."""

from __future__ import annotations

import streamlit as st

from app.components import glossary, page_state, trouble
from app.state import ResponsesChoice
from app.views.responses import controls, text
from app.views.responses.figures import PromptFigures


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ResponsesChoice,
            title="Responses, and how each reward model scores them",
            fit=controls.fit,
            controls=controls.filters,
        )
        run_id, chosen, prompts = page.run_id, page.chosen, page.offered
        st.caption(glossary.explain("policy", "π₀", "KL", "best-of-n"))
        st.caption(text.what_is_shown(run_id, chosen.split, prompts.height, chosen.search))
        if prompts.is_empty():
            st.info(text.nothing_found(chosen.search))
            return
        figures = PromptFigures(page.snapshot, run_id, controls.choose_prompt(chosen, prompts), chosen)
        figures.prompt()
        figures.responses()
        figures.checkpoints()
