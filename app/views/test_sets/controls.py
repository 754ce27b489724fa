"""The controls of the Test sets page: which study, and what that one takes."""

from __future__ import annotations

import streamlit as st

from app.components.page_state import bound
from app.offers import MOST_SEED, STUDIES, Options, most_map_bins
from app.state import Selection
from app.views.explore.controls import noise_slider
from app.views.test_sets import data
from app.views.test_sets.text import TITLES


def show(chosen: Selection, options: Options) -> None:
    """Draw the choice of study and below it the controls of the chosen one."""
    st.segmented_control(
        "Study",
        STUDIES,
        required=True,
        format_func=TITLES.__getitem__,
        help="What of the test set is varied, while the policies stay the same.",
        **bound(chosen, "study", chosen.study),
    )
    if chosen.study == "ranks":
        _bins(chosen, options)
    elif chosen.study == "budget":
        _plan(chosen, options)


def _bins(chosen: Selection, options: Options) -> None:
    finest = most_map_bins(chosen.responses or options.responses)
    if finest > 2:
        st.slider(
            "Rank bins of the heat map",
            2,
            finest,
            help="Into how many bins the golden order of each prompt's responses is cut; bin 1 is the golden's worst.",
            width=360,
            **bound(chosen, "map_bins", data.map_bins(chosen, options)),
        )


def _plan(chosen: Selection, options: Options) -> None:
    most = max(4, options.prompts_of(chosen.categories, chosen.subsets) * options.responses)
    with st.container(horizontal=True, key="plan"):
        st.number_input(
            "Annotations to spend",
            4,
            most,
            help=f"Responses annotated in all, prompts × responses per prompt; this run has {most:,}.",
            width=240,
            **bound(chosen, "plan_budget", min(most, data.plan_budget(chosen, options))),
        )
        noise_slider("Noise of the annotators", chosen, "plan_noise", width=360)
        st.number_input(
            "Seed of the draw",
            0,
            MOST_SEED,
            help="Of the drawn prompts and the annotators' noise: advice worth taking survives another seed.",
            width=160,
            **bound(chosen, "seed", chosen.seed, place=".plan"),
        )
