"""The sidebar of the Explore page: every choice there is, each with a line of help in the field's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from app import wording
from app.formats import escape
from app.selection import Options, Selection
from app.widgets.choice import took
from warehouse.measures import MEASURES

_NEWEST = ""  # a selectbox takes None for "nothing chosen"


def show(chosen: Selection, options: Options, runs: pl.DataFrame) -> None:
    """Draw the controls with the present choice in them; a change takes effect through `choice.took`."""
    with st.sidebar:
        _run(chosen, runs)
        _measure(chosen, options)
        _test_set(chosen, options)
        _policies(chosen, options)


def _run(chosen: Selection, runs: pl.DataFrame) -> None:
    st.selectbox(
        "Run",
        [_NEWEST, *runs["run_id"]],
        format_func=lambda run_id: run_id or f"Newest: {wording.newest(runs)}",
        help="A finished run of the pipeline. *Newest* moves on to each run that finishes.",
        **_bound("run", chosen.run or _NEWEST),
    )


def _measure(chosen: Selection, options: Options) -> None:
    st.selectbox(
        "Measure",
        options.measures,
        format_func=lambda name: MEASURES[name].title,
        help="How a reward model is judged against the golden one. Larger is always better.",
        **_bound("measure", chosen.measure),
    )
    st.caption(escape(MEASURES[chosen.measure].help))


def _test_set(chosen: Selection, options: Options) -> None:
    st.markdown("**Test set**")
    _several("Categories", "categories", tuple(options.subsets), chosen.categories, "RewardBench's. None chosen: all.")
    st.multiselect(
        "Subsets",
        options.subsets_of(chosen.categories),
        placeholder="All subsets",
        help="Within the categories. None chosen: all.",
        **_bound("subsets", list(chosen.subsets)),
    )
    if options.responses > 2:
        st.slider(
            "Responses per prompt",
            2,
            options.responses,
            help="The first so many of the initial policy's responses to each RM-test prompt.",
            **_bound("responses", chosen.responses or options.responses),
        )


def _policies(chosen: Selection, options: Options) -> None:
    st.markdown("**Policies**")
    if len(options.strengths) > 1:
        st.segmented_control(
            "Optimiser",
            tuple(options.strengths),
            required=True,
            format_func=lambda name: wording.optimizer(name).title,
            help="How the policies were optimised against each reward model.",
            **_bound("optimizer", chosen.optimizer),
        )
    words, strengths = wording.optimizer(chosen.optimizer), options.strengths.get(chosen.optimizer, ())
    if len(strengths) > 1:
        st.select_slider(
            f"{words.title}: {words.strength}",
            strengths,
            format_func=lambda strength: f"{strength:g}",
            help="How hard the policies were optimised.",
            **_bound("strength", wording.strength_of(chosen, options)),
        )
    _several("RL-test categories", "rl_categories", options.rl_categories, chosen.rl_categories, _RL_HELP)


_RL_HELP = "The prompts that the policies are valued on. None chosen: all."


def _several(label: str, field: str, offered: Sequence[str], chosen: Sequence[str], help_text: str) -> None:
    if len(offered) > 1:
        st.pills(label, offered, selection_mode="multi", help=help_text, **_bound(field, list(chosen)))


def _bound(field: str, value: object) -> dict[str, Any]:
    """The arguments that tie a widget to a field of the choice, the value put into it."""
    key = f"choose.{field}"
    st.session_state[key] = value
    return {"key": key, "on_change": took, "args": (key, field)}
