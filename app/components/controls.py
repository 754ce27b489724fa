"""The sidebar: the choices that pages share, each with a line of help in the field's words.

A page names the parts it listens to; what it does not listen to is not shown and stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Literal

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import words as components_words
from app.components.formats import escape
from app.components.page_state import Page, bound, change, several
from app.offers import LEVELS, Fitting, Options, fit_options, fit_sources
from app.state import Selection
from app.views.explore import controls
from warehouse.errors import InvalidChoice
from warehouse.study import CORRELATIONS, MEASURES

Part = Literal["measure", "test set", "policies", "correlation"]
ALL: tuple[Part, ...] = ("measure", "test set", "policies", "correlation")

_BY_KL = "choose.by_kl"


def fit(snapshot: Snapshot, fitting: Fitting[Selection], run_id: str) -> Options:
    """Hold the choice against the run."""
    fit_sources(fitting, warehouse.sources(snapshot, run_id))
    source = fitting.chosen.source()
    try:
        options = warehouse.options(snapshot, run_id, source)
    except InvalidChoice as error:
        if source == warehouse.PLAIN:
            raise
        fitting.notes.append(f"sources and paraphrases ({error})")
        fitting.change(sources=(), paraphrase=0.0)
        options = warehouse.options(snapshot, run_id, warehouse.PLAIN)
    fit_options(fitting, options)
    return options


def show(page: Page[Selection, Options], parts: Sequence[Part] = ALL) -> None:
    """Draw the parts of the sidebar, below the run."""
    chosen, options = page.chosen, page.offered
    if "measure" in parts:
        _measure(chosen, options)
    if "test set" in parts:
        _test_set(chosen, options)
    if "policies" in parts:
        _policies(chosen, options)
    if "correlation" in parts:
        _correlation(chosen)


def _measure(chosen: Selection, options: Options) -> None:
    st.selectbox(
        "Measure",
        options.measures,
        format_func=lambda name: MEASURES[name].title,
        help="How a reward model is judged against the golden one. Larger is always better.",
        **bound(chosen, "measure", chosen.measure),
    )
    st.caption(escape(MEASURES[chosen.measure].help))


def _test_set(chosen: Selection, options: Options) -> None:
    st.markdown("**Test set**")
    several("Categories", chosen, "categories", tuple(options.subsets), help_text="RewardBench's. None chosen: all.")
    st.multiselect(
        "Subsets",
        options.subsets_of(chosen.categories),
        placeholder="All subsets",
        help="Within the categories. None chosen: all.",
        **bound(chosen, "subsets", list(chosen.subsets)),
    )
    controls.show(chosen, options)


def _policies(chosen: Selection, options: Options) -> None:
    st.markdown("**Policies**")
    if len(options.strengths) > 1:
        st.segmented_control(
            "Optimiser",
            tuple(options.strengths),
            required=True,
            format_func=lambda name: components_words.optimizer(name).title,
            help="How the policies were optimised against each reward model.",
            **bound(chosen, "optimizer", chosen.optimizer),
        )
    words, strengths = components_words.optimizer(chosen.optimizer), options.strengths.get(chosen.optimizer, ())
    reach = options.kl.get(chosen.optimizer)
    if reach is not None:
        st.session_state[_BY_KL] = chosen.kl is not None
        st.toggle(
            "At the same KL",
            help="Compare policies that are equally far from the initial one, whatever number of steps or samples "
            "took each there. A policy that never gets so far is undefined.",
            key=_BY_KL,
            on_change=_took_by_kl,
            args=(floor(100 * reach[0]) / 100 or reach[0],),
        )
    if chosen.kl is not None and reach is not None:
        st.number_input(
            "KL from the initial policy, nats",
            min(0.01, reach[0]),
            reach[1],
            help=f"All policies get to {reach[0]:.3g}, the farthest to {reach[1]:.3g}; values between neighbouring "
            "strengths are taken as linear in √KL."
            + (" Best-of-n's KL is an upper bound." if chosen.optimizer == "bon" else ""),
            **bound(chosen, "kl", chosen.kl),
        )
    elif len(strengths) > 1:
        st.select_slider(
            f"{words.title}: {words.strength}",
            strengths,
            format_func=lambda strength: f"{strength:g}",
            help="How hard the policies were optimised.",
            **bound(chosen, "strength", components_words.strength_of(chosen, options)),
        )
    several(
        "RL-test categories",
        chosen,
        "rl_categories",
        options.rl_categories,
        help_text="The prompts that the policies are valued on. None chosen: all.",
    )


def _took_by_kl(nats: float) -> None:
    change(Selection, kl=nats if st.session_state[_BY_KL] else None, strength=None)


def _correlation(chosen: Selection) -> None:
    st.markdown("**Correlation with NDR**")
    st.selectbox(
        "Correlation",
        CORRELATIONS,
        format_func=lambda name: components_words.CORRELATIONS[name].title,
        help="How the agreement of a measure with NDR over golden–proxy pairs is put into one figure.",
        **bound(chosen, "correlation", chosen.correlation),
    )
    st.segmented_control(
        "Level",
        LEVELS,
        required=True,
        format_func=lambda level: "All pairs" if level == "pooled" else "Within goldens",
        help="Over all golden–proxy pairs at once, or within each golden and then averaged.",
        **bound(chosen, "level", chosen.level),
    )
