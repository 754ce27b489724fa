"""Reward models: how each was trained, how its scores are distributed, what they follow, and which models agree.

And how many prompts tell two of them apart.
"""

from __future__ import annotations

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, links, page_state, trouble
from app.components.page_state import Page
from app.offers import Fitting
from app.state import ModelsChoice
from app.views.reward_models import benchmarks, comparison, data, reactions, text
from app.views.reward_models.figures import ModelFigures
from warehouse.schema import category_order

Offered = tuple[tuple[str, ...], tuple[str, ...]]
"""The reward models of a run, and the categories of its RM-test prompts."""


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            ModelsChoice,
            title="Reward models: how they were trained, and how they score",
            fit=fit,
            controls=choose,
        )
        snapshot, run_id, chosen = page.snapshot, page.run_id, page.chosen
        summary = data.score_summary(snapshot, run_id, chosen.category)
        st.caption(glossary.explain("reward model", "golden", "proxy", "NDR"))
        st.caption(text.what_is_shown(run_id, summary.cube, chosen.category))
        links.to("choose", "Which one should I take? See Choose", run=chosen.run)
        figures = ModelFigures(snapshot, run_id, chosen, summary)
        figures.card()
        comparison.show(snapshot, run_id, chosen, summary)
        figures.all_models()
        reactions.show(snapshot, run_id, chosen, summary)
        benchmarks.show(snapshot, run_id)


def fit(snapshot: Snapshot, fitting: Fitting[ModelsChoice], run_id: str) -> Offered:
    """Drop what the run does not have from the choice."""
    cube = warehouse.score_cube(snapshot, run_id)
    categories = category_order(cube.categories)
    fitting.allow_each("category", categories, "not among the RM-test prompts")
    kinds = warehouse.reward_models(snapshot, run_id)["kind"].unique().to_list()
    fitting.allow_each("kind", kinds, "no such kind of reward model")
    fitting.allow("reward_model", cube.reward_models, "no such reward model")
    shown = fitting.chosen.reward_model or cube.reward_models[0]
    others = [name for name in cube.reward_models if name != shown]
    for field in ("golden", "against"):
        fitting.allow(field, others, "no other reward model of that name")
    return cube.reward_models, categories


def choose(page: Page[ModelsChoice, Offered]) -> None:
    """The controls of the page, below the run."""
    chosen, (names, categories) = page.chosen, page.offered
    st.selectbox(
        "Reward model",
        names,
        help="Its card is shown, and it stands out in the figures.",
        **page_state.bound(chosen, "reward_model", chosen.reward_model or names[0], resets=("golden", "against")),
    )
    page_state.several(
        "Categories",
        chosen,
        "category",
        categories,
        help_text="Categories of the RM-test prompts that are used. None chosen: all.",
    )
