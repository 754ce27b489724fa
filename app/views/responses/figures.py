"""The responses of one policy to a prompt: their scores as a heat strip, then the texts, letter by letter.

PPO's outputs step by step beside the initial policy's, for one prompt and one sample. Texts letter by letter.
"""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot
from app.charts.responses import strip
from app.components import figure, page_state
from app.state import ResponsesChoice
from app.views.responses import data, text
from app.views.responses.controls import SHOWN
from warehouse.schema import INITIAL


def responses(snapshot: Snapshot, run_id: str, prompt_id: str, chosen: ResponsesChoice, answered: pl.DataFrame) -> None:
    """Draw the responses of the chosen policy."""
    if answered.is_empty():
        st.info("Nobody answered this prompt.")
        return
    policy_id = chosen.policy or str(answered["policy_id"][0])
    _choose_policy(chosen, policy_id, answered)
    responses = data.responses_to(snapshot, run_id, prompt_id, policy_id)
    standardised = standardised_scores(snapshot, run_id, prompt_id, chosen.split, policy_id)
    if standardised.is_empty():
        st.info("The responses of this policy were not scored.")
    else:
        _strip(run_id, prompt_id, policy_id, data.strip(standardised, responses))
    _texts(chosen, responses, standardised)


def standardised_scores(snapshot: Snapshot, run_id: str, prompt_id: str, split: str, policy_id: str) -> pl.DataFrame:
    """`response_frames.standardised` of a policy's responses to a prompt."""
    return data.standardised(
        data.scores_of(snapshot, run_id, prompt_id, policy_id),
        data.scores_of(snapshot, run_id, prompt_id, INITIAL),
        data.spreads(snapshot, run_id, split),
    )


def _choose_policy(chosen: ResponsesChoice, policy_id: str, answered: pl.DataFrame) -> None:
    if answered.height < 2:
        return
    rows = {row["policy_id"]: row for row in answered.to_dicts()}
    st.selectbox(
        "Policy",
        list(rows),
        format_func=lambda name: text.policy_option(rows[name]),
        help="Whose responses are shown: the initial policy, another way of sampling it, or a PPO checkpoint.",
        **page_state.bound(chosen, "policy", policy_id),
    )


def _strip(run_id: str, prompt_id: str, policy_id: str, cells: pl.DataFrame) -> None:
    names, of = data.names_shown(cells)
    figure.show(
        "strip",
        strip(cells, names),
        cells,
        title="What each reward model makes of the responses",
        note=text.strip_note(len(names), of),
        alt="Standardised scores of the responses, one row a reward model, its pick ringed",
        file_name=f"{run_id}-scores",
        facts={"run_id": run_id, "prompt_id": prompt_id, "policy_id": policy_id},
    )


def _texts(chosen: ResponsesChoice, responses: pl.DataFrame, standardised: pl.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="response-order"):
        st.segmented_control(
            "Order",
            tuple(data.ORDERS),
            required=True,
            format_func=data.ORDERS.__getitem__,
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
    rows = data.listed(responses, standardised, chosen.order, chosen.shown).to_dicts()
    with st.container(key="rows-texts"):
        for start in range(0, len(rows), 2):
            for column, row in zip(st.columns(2, gap="medium"), rows[start : start + 2], strict=False):
                with column, st.container(border=True):
                    st.caption(text.response_line(row))
                    st.text(row["text"] or text.EMPTY)


def checkpoints(
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
        st.caption(text.no_ppo(chosen.split))
        return
    against = chosen.reward_model or reward_models[0]
    _choose_checkpoint(chosen, against, reward_models, answered)
    steps = data.checkpoints(answered, against).to_dicts()
    entries = [("**Initial policy π_0**", INITIAL)]
    entries += [(text.checkpoint_line(row), str(row["policy_id"])) for row in steps]
    with st.container(key="rows-checkpoints"):
        for start in range(0, len(entries), 2):
            for column, (label, policy_id) in zip(
                st.columns(2, gap="medium"), entries[start : start + 2], strict=False
            ):
                with column, st.container(border=True):
                    _checkpoint_response(snapshot, run_id, prompt_id, chosen, label, policy_id, against)


def _choose_checkpoint(chosen: ResponsesChoice, against: str, reward_models: list[str], answered: pl.DataFrame) -> None:
    samples = data.most_samples(answered.filter(pl.col("reward_model_id") == against))
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


def _checkpoint_response(
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
    own, others = data.own_and_others(standardised, sample, against)
    st.markdown(label)
    st.caption(text.scores_line(against, own, others))
    texts = data.responses_to(snapshot, run_id, prompt_id, policy_id).filter(pl.col("sample") == sample)
    st.text((texts["text"][0] or text.EMPTY) if texts.height else "(this policy has fewer samples)")
