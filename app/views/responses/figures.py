"""The responses of one policy to a prompt with their scores, and training by steps. Texts are never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts.responses import strip
from app.components import figure, page_state, words
from app.state import ResponsesChoice
from app.views.responses import data, text
from app.views.responses.controls import SHOWN
from warehouse.schema import INITIAL

Entry = TypeVar("Entry")


class PromptFigures:
    """Draws one prompt and the responses to it."""

    def __init__(self, snapshot: Snapshot, run_id: str, prompt_id: str, chosen: ResponsesChoice) -> None:
        self._prompt, self._chosen = (snapshot, run_id, prompt_id), chosen
        self._answered = data.answered_by(*self._prompt)

    def prompt(self) -> None:
        """The prompt itself."""
        row = data.prompt(*self._prompt)
        with st.container(border=True, key="prompt"):
            st.caption(text.prompt_line(row))
            st.text(str(row["text"]))

    def responses(self) -> None:
        """The responses of the chosen policy: scores as a heat strip, then the texts."""
        if self._answered.is_empty():
            st.info("No policy answered this prompt.")
            return
        policy_id = self._chosen.policy or str(self._answered["policy_id"][0])
        rows = {row["policy_id"]: row for row in self._answered.to_dicts()}
        if len(rows) > 1:
            st.selectbox(
                "Policy",
                list(rows),
                format_func=lambda name: text.policy_option(rows[name]),
                help="Whose responses are shown: the initial policy, the initial policy with other sampling settings, "
                "or a checkpoint of training.",
                **page_state.bound(self._chosen, "policy", policy_id),
            )
        snapshot, run_id, _ = self._prompt
        st.caption(text.ending(warehouse.endings(snapshot, run_id), policy_id))
        responses = data.responses_to(*self._prompt, policy_id)
        standardised = data.standardised_scores(*self._prompt, self._chosen.split, policy_id)
        if standardised.is_empty():
            st.info("The responses of this policy were not scored.")
        else:
            self._strip(policy_id, data.strip(standardised, responses))
        self._texts(responses, standardised)

    def checkpoints(self) -> None:
        """The initial policy's response beside each checkpoint's, or why there are none."""
        st.header("Training step by step", anchor=False)
        algorithms = data.trained_by(self._answered)
        if not algorithms:
            st.caption(text.not_trained(self._chosen.split))
            return
        optimizer = self._chosen.optimizer or algorithms[0]
        reward_models = data.optimised_against(self._answered, optimizer)
        against = self._chosen.reward_model or reward_models[0]
        samples = data.most_samples(self._answered.filter(optimizer=optimizer, reward_model_id=against))
        with st.container(horizontal=True, vertical_alignment="bottom", key="checkpoint-choice"):
            if len(algorithms) > 1:
                st.selectbox(
                    "Trained by",
                    algorithms,
                    format_func=lambda name: words.optimizer(name).title,
                    help="The algorithm that trained the policies.",
                    **page_state.bound(self._chosen, "optimizer", optimizer, resets=("reward_model", "sample")),
                )
            st.selectbox(
                "Optimised against",
                reward_models,
                help="The reward model whose score the policies were trained to raise.",
                **page_state.bound(self._chosen, "reward_model", against),
            )
            if samples > 1:
                st.selectbox(
                    "Sample",
                    range(1, samples + 1),
                    help="Which of each policy's samples is shown.",
                    **page_state.bound(self._chosen, "sample", self._chosen.sample),
                )
        entries = [("**Initial policy π₀**", INITIAL)]
        steps = data.checkpoints(self._answered, optimizer, against).to_dicts()
        entries += [(text.checkpoint_line(row), str(row["policy_id"])) for row in steps]
        with st.container(key="rows-checkpoints"):
            for label, policy_id in _in_two_columns(entries):
                st.markdown(label)
                self._checkpoint_response(policy_id, against)

    def _strip(self, policy_id: str, cells: pl.DataFrame) -> None:
        _, run_id, prompt_id = self._prompt
        names, reward_models = data.names_shown(cells)
        figure.show(
            "strip",
            strip(cells, names),
            cells,
            title="How each reward model scores the responses",
            note=text.strip_note(len(names), reward_models),
            alt="Standardised scores of the responses, one row a reward model, its pick ringed",
            file_name=f"{run_id}-scores",
            facts={"run_id": run_id, "prompt_id": prompt_id, "policy_id": policy_id},
        )

    def _texts(self, responses: pl.DataFrame, standardised: pl.DataFrame) -> None:
        chosen = self._chosen
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
                help="The largest number of responses to show.",
                **page_state.bound(chosen, "shown", chosen.shown),
            )
        rows = data.listed(responses, standardised, chosen.order, chosen.shown).to_dicts()
        with st.container(key="rows-texts"):
            for row in _in_two_columns(rows):
                st.caption(text.response_line(row))
                st.text(row["text"] or text.EMPTY)

    def _checkpoint_response(self, policy_id: str, against: str) -> None:
        sample = self._chosen.sample - 1
        standardised = data.standardised_scores(*self._prompt, self._chosen.split, policy_id)
        st.caption(text.scores_line(against, *data.own_and_others(standardised, sample, against)))
        texts = data.responses_to(*self._prompt, policy_id).filter(sample=sample)
        st.text((texts["text"][0] or text.EMPTY) if texts.height else "(this policy has fewer samples)")


def _in_two_columns(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Each entry in turn, with what is drawn meanwhile in a bordered box, two boxes a row."""
    for start in range(0, len(entries), 2):
        for column, entry in zip(st.columns(2, gap="medium"), entries[start : start + 2], strict=False):
            with column, st.container(border=True):
                yield entry
