"""Access for the Responses page: prompts searched for, what was answered, and every score. Keyed as in `access`."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app import access
from app.access import Snapshot
from warehouse import reads, reads_responses
from warehouse.measures import spread_within_prompts

_KEPT = 64


@st.cache_resource(max_entries=_KEPT, show_spinner="Searching …")
def found_prompts(
    snapshot: Snapshot, run_id: str, split: str, categories: tuple[str, ...], subsets: tuple[str, ...], text: str
) -> pl.DataFrame:
    """Prompts that hold the text, or have a response that does."""
    with access.cursor(snapshot) as connection:
        return reads_responses.found_prompts(connection, run_id, split, categories, subsets, text)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def prompt(snapshot: Snapshot, run_id: str, prompt_id: str) -> dict[str, Any]:
    """One prompt."""
    with access.cursor(snapshot) as connection:
        return reads_responses.prompt(connection, run_id, prompt_id)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def answered_by(snapshot: Snapshot, run_id: str, prompt_id: str) -> pl.DataFrame:
    """The policies that answered a prompt."""
    with access.cursor(snapshot) as connection:
        return reads_responses.answered_by(connection, run_id, prompt_id)


@st.cache_resource(max_entries=8 * _KEPT, show_spinner=False)
def responses_to(snapshot: Snapshot, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """What a policy answered to a prompt."""
    with access.cursor(snapshot) as connection:
        return reads_responses.responses_to(connection, run_id, prompt_id, policy_id)


@st.cache_resource(max_entries=8 * _KEPT, show_spinner=False)
def scores_of(snapshot: Snapshot, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """All scores of what a policy answered to a prompt."""
    with access.cursor(snapshot) as connection:
        return reads_responses.scores_of(connection, run_id, prompt_id, policy_id)


@st.cache_resource(max_entries=16, show_spinner="Reading the scores …")
def spreads(snapshot: Snapshot, run_id: str, split: str) -> dict[str, float]:
    """Standard deviation within prompts of each reward model's scores of the initial policy's responses."""
    with access.cursor(snapshot) as connection:
        scores_MPN, models, *_ = reads.initial_scores(connection, run_id, split)
    return dict(zip(models, spread_within_prompts(scores_MPN).tolist(), strict=True))
