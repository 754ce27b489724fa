"""The controls of the Test sets page: the study, and the settings of that study."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.components.controls import noise_slider
from app.components.page_state import bound
from app.offers import MOST_SEED, STUDIES, Options, finest_map
from app.state import Selection
from app.views.test_sets import data
from app.views.test_sets.text import TITLES

IGNORED: Mapping[str, tuple[str, ...]] = {
    "ranks": ("rank_bins",),
    "categories": ("prompts", "budget"),
    "responses": ("responses", "rank_bins"),
    "budget": ("measure", "responses", "prompts", "budget", "rank_bins", "noise"),
}
"""The fields of the sidebar that a study ignores (`text.IGNORED` says why)."""


def show(chosen: Selection, options: Options) -> None:
    """Draw the choice of study and below it the controls of the chosen one."""
    st.segmented_control(
        "Study",
        STUDIES,
        required=True,
        format_func=TITLES.__getitem__,
        help="What is varied about the test set, while the policies stay the same.",
        **bound(chosen, "study", chosen.study),
    )
    if chosen.study == "ranks":
        _bins(chosen, options)
    elif chosen.study == "budget":
        _plan(chosen, options)


def _bins(chosen: Selection, options: Options) -> None:
    finest = finest_map(chosen.responses or options.responses)
    if finest > 2:
        st.slider(
            "Rank bins of the heat map",
            2,
            finest,
            help="Number of bins for each prompt's responses, ordered by golden score; bin 1 has the lowest scores.",
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
            help=f"Number of responses to annotate, prompts × responses per prompt; this run has {most:,}.",
            width=240,
            **bound(chosen, "plan_budget", min(most, data.plan_budget(chosen, options))),
        )
        noise_slider("Noise of the annotators", chosen, "plan_noise", width=360)
        st.number_input(
            "Seed of the draw",
            0,
            MOST_SEED,
            help="Seed for choosing prompts and simulating annotator noise. Good advice is the same for another seed.",
            width=160,
            **bound(chosen, "seed", chosen.seed, place=".plan"),
        )
