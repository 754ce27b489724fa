"""Reward models: how each was trained, how its scores spread, what they follow, and who agrees with whom."""

from __future__ import annotations

import streamlit as st

from app import access, access_models, model_wording
from app.choices import ModelsChoice
from app.page_choice import Fitting
from app.widgets import empty, model_card, model_figures, page_state, trouble, watch


def show() -> None:
    """The page."""
    with trouble.shown():
        snapshot = access.snapshot()
        if snapshot is None or not access.has_runs(snapshot):
            empty.show()
            return

        def fit(fitting: Fitting[ModelsChoice], run_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
            cube = access.score_cube(snapshot, run_id)
            categories = tuple(sorted(set(cube.categories)))
            fitting.many("category", categories, "not among the RM-test prompts")
            fitting.one("reward_model", cube.reward_models, "no such reward model")
            looked_at = fitting.chosen.reward_model or cube.reward_models[0]
            others = tuple(name for name in cube.reward_models if name != looked_at)
            fitting.one("golden", others, "no such reward model beside the one looked at")
            return cube.reward_models, categories

        chosen, run_id, (names, categories), notes = page_state.restore(ModelsChoice, snapshot, fit)
        with st.sidebar:
            page_state.choose_run(chosen, snapshot)
            model_card.choose(chosen, names, categories)
            watch.show(snapshot)

        st.title("Reward models: what each learnt, and what its scores follow")
        trouble.notes(notes)
        said = access_models.scores_said(snapshot, run_id, chosen.category)
        st.caption(model_wording.what_is_shown(run_id, said.cube, chosen.category))
        model_card.show(snapshot, run_id, chosen, said)
        model_figures.show(snapshot, run_id, chosen, said)
