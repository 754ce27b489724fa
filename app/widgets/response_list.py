"""The responses of one policy to a prompt: their scores as a heat strip, then the texts, letter by letter."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import access_responses, response_frames, response_wording
from app.access import Snapshot
from app.charts.strip import strip
from app.state import ResponsesChoice
from app.widgets import figure, page_state
from app.widgets.prompt_choice import SHOWN
from warehouse.reads import INITIAL


def show(snapshot: Snapshot, run_id: str, prompt_id: str, chosen: ResponsesChoice, answered: pl.DataFrame) -> None:
    """Draw the responses of the chosen policy."""
    if answered.is_empty():
        st.info("Nobody answered this prompt.")
        return
    policy_id = chosen.policy or str(answered["policy_id"][0])
    _choose_policy(chosen, policy_id, answered)
    responses = access_responses.responses_to(snapshot, run_id, prompt_id, policy_id)
    standardised = standardised_scores(snapshot, run_id, prompt_id, chosen.split, policy_id)
    if standardised.is_empty():
        st.info("The responses of this policy were not scored.")
    else:
        _strip(run_id, prompt_id, policy_id, response_frames.strip(standardised, responses))
    _texts(chosen, responses, standardised)


def standardised_scores(snapshot: Snapshot, run_id: str, prompt_id: str, split: str, policy_id: str) -> pl.DataFrame:
    """`response_frames.standardised` of a policy's responses to a prompt."""
    return response_frames.standardised(
        access_responses.scores_of(snapshot, run_id, prompt_id, policy_id),
        access_responses.scores_of(snapshot, run_id, prompt_id, INITIAL),
        access_responses.spreads(snapshot, run_id, split),
    )


def _choose_policy(chosen: ResponsesChoice, policy_id: str, answered: pl.DataFrame) -> None:
    if answered.height < 2:
        return
    rows = {row["policy_id"]: row for row in answered.to_dicts()}
    st.selectbox(
        "Policy",
        list(rows),
        format_func=lambda name: response_wording.policy_option(rows[name]),
        help="Whose responses are shown: the initial policy, another way of sampling it, or a PPO checkpoint.",
        **page_state.bound(chosen, "policy", policy_id),
    )


def _strip(run_id: str, prompt_id: str, policy_id: str, cells: pl.DataFrame) -> None:
    names, of = response_frames.names_shown(cells)
    figure.show(
        "strip",
        strip(cells, names),
        cells,
        title="What each reward model makes of the responses",
        note=response_wording.strip_note(len(names), of),
        alt="Standardised scores of the responses, one row a reward model, its pick ringed",
        file_name=f"{run_id}-scores",
        facts={"run_id": run_id, "prompt_id": prompt_id, "policy_id": policy_id},
    )


def _texts(chosen: ResponsesChoice, responses: pl.DataFrame, standardised: pl.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="response-order"):
        st.segmented_control(
            "Order",
            tuple(response_frames.ORDERS),
            required=True,
            format_func=response_frames.ORDERS.__getitem__,
            help="Best and worst by the mean standardised score over the reward models.",
            **page_state.bound(chosen, "order", chosen.order),
        )
        st.segmented_control(
            "Responses shown",
            SHOWN,
            required=True,
            help="At most so many texts.",
            **page_state.bound(chosen, "shown", chosen.shown),
        )
    rows = response_frames.listed(responses, standardised, chosen.order, chosen.shown).to_dicts()
    with st.container(key="rows-texts"):
        for start in range(0, len(rows), 2):
            for column, row in zip(st.columns(2, gap="medium"), rows[start : start + 2], strict=False):
                with column, st.container(border=True):
                    st.caption(response_wording.response_line(row))
                    st.text(row["text"] or response_wording.EMPTY)
