"""Explore: how well a measure of reward models, on a test set, predicts what the policies lose."""

from __future__ import annotations

import streamlit as st

from app import access, frames, wording
from app.widgets import choice, controls, drilldown, empty, figures, tiles, trouble, watch
from warehouse.measures import MEASURES


def show() -> None:
    """The page."""
    with trouble.shown():
        snapshot = access.snapshot()
        if snapshot is None or not access.has_runs(snapshot):
            empty.show()
            return
        chosen, options, notes = choice.restore(snapshot)
        controls.show(chosen, options, access.runs(snapshot))
        with st.sidebar:
            watch.show(snapshot)

        st.title(wording.question(chosen))
        trouble.notes(notes)
        evaluation = access.evaluation(snapshot, options.run, chosen)
        pairs = frames.pairs(evaluation, access.reward_models(snapshot, options.run))
        measure_title = MEASURES[chosen.measure].title

        st.caption(wording.what_is_shown(chosen, options, evaluation))
        if not frames.defined(pairs).is_empty():
            tiles.show(evaluation, chosen.level)
        figures.show(pairs, chosen, options, measure_title)
        figures.show_by_category(
            access.by_category(snapshot, options.run, chosen),
            access.reward_models(snapshot, options.run),
            chosen,
            options,
            measure_title,
        )
        drilldown.show(snapshot, chosen, options, pairs, measure_title)
