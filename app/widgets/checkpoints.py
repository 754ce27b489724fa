"""PPO's outputs step by step beside the initial policy's, for one prompt and one sample. Texts letter by letter."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import access_responses, response_frames, response_wording
from app.access import Snapshot
from app.state import ResponsesChoice
from app.widgets import page_state
from app.widgets.response_list import standardised_scores
from warehouse.reads import INITIAL


def show(
    snapshot: Snapshot,
    run_id: str,
    prompt_id: str,
    chosen: ResponsesChoice,
    answered: pl.DataFrame,
    reward_models: list[str],
) -> None:
    """Draw the initial policy's response and each checkpoint's, or say why there are none."""
    st.subheader("PPO step by step", anchor=False)
    if not reward_models:
        st.caption(response_wording.no_ppo(chosen.split))
        return
    against = chosen.reward_model or reward_models[0]
    _choose(chosen, against, reward_models, answered)
    steps = response_frames.checkpoints(answered, against).to_dicts()
    entries = [("**Initial policy π_0**", INITIAL)]
    entries += [(response_wording.checkpoint_line(row), str(row["policy_id"])) for row in steps]
    with st.container(key="rows-checkpoints"):
        for start in range(0, len(entries), 2):
            for column, (label, policy_id) in zip(
                st.columns(2, gap="medium"), entries[start : start + 2], strict=False
            ):
                with column, st.container(border=True):
                    _response(snapshot, run_id, prompt_id, chosen, label, policy_id, against)


def _choose(chosen: ResponsesChoice, against: str, reward_models: list[str], answered: pl.DataFrame) -> None:
    samples = response_frames.most_samples(answered.filter(pl.col("reward_model_id") == against))
    with st.container(horizontal=True, vertical_alignment="bottom", key="checkpoint-choice"):
        st.selectbox(
            "Optimised against",
            reward_models,
            help="The reward model that PPO was run against.",
            **page_state.bound(chosen, "reward_model", against),
        )
        if samples > 1:
            st.selectbox(
                "Sample",
                range(1, samples + 1),
                help="Which of each policy's samples is shown.",
                **page_state.bound(chosen, "sample", chosen.sample),
            )


def _response(
    snapshot: Snapshot,
    run_id: str,
    prompt_id: str,
    chosen: ResponsesChoice,
    label: str,
    policy_id: str,
    against: str,
) -> None:
    sample = chosen.sample - 1
    standardised = standardised_scores(snapshot, run_id, prompt_id, chosen.split, policy_id)
    own, others = response_frames.own_and_others(standardised, sample, against)
    st.markdown(label)
    st.caption(response_wording.scores_line(against, own, others))
    texts = access_responses.responses_to(snapshot, run_id, prompt_id, policy_id).filter(pl.col("sample") == sample)
    st.text((texts["text"][0] or response_wording.EMPTY) if texts.height else "(this policy has fewer samples)")
