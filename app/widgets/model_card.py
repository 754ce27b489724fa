"""One reward model: how it was trained, its curves, and how far its confidence can be trusted."""

from __future__ import annotations

import streamlit as st

from app import access, access_models, model_frames, model_wording
from app.access import Snapshot
from app.access_models import ScoresSaid
from app.charts.reliability import reliability
from app.charts.training import losses
from app.formats import count, escape, number
from app.offers import Fitting
from app.state import ModelsChoice
from app.widgets import figure, page_state
from app.widgets.page_state import Page


def fit(snapshot: Snapshot, fitting: Fitting[ModelsChoice], run_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hold the choice against the run; gives its reward models and its RM-test categories."""
    cube = access.score_cube(snapshot, run_id)
    categories = tuple(sorted(set(cube.categories)))
    fitting.many("category", categories, "not among the RM-test prompts")
    fitting.one("reward_model", cube.reward_models, "no such reward model")
    looked_at = fitting.chosen.reward_model or cube.reward_models[0]
    others = tuple(name for name in cube.reward_models if name != looked_at)
    fitting.one("golden", others, "no such reward model beside the one looked at")
    return cube.reward_models, categories


def choose(page: Page[ModelsChoice, tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
    """The controls of the page, below the run."""
    chosen, (names, categories) = page.chosen, page.offered
    st.selectbox(
        "Reward model",
        names,
        help="The one whose card is shown, and which stands out in the figures.",
        **page_state.bound(chosen, "reward_model", _looked_at(chosen, names), resets=("golden",)),
    )
    page_state.several(
        "Categories",
        chosen,
        "category",
        categories,
        help_text="RewardBench's, of the RM-test prompts that scores are looked at on. None chosen: all.",
    )


def show(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    """Draw the card of the chosen reward model, or of the first."""
    name = _looked_at(chosen, said.cube.reward_models)
    with st.container(border=True, key="rows-card"):
        st.subheader(escape(name), anchor=False)
        _figures(snapshot, run_id, name, said)
        left, right = st.columns(2, gap="large")
        with left:
            _curves(snapshot, run_id, name)
        with right:
            _reliability(snapshot, run_id, chosen, name)


def _figures(snapshot: Snapshot, run_id: str, name: str, said: ScoresSaid) -> None:
    pairs = access_models.validation_pairs(snapshot, run_id)
    trained = model_frames.trained(
        access.reward_models(snapshot, run_id), access_models.flipped_pairs(snapshot, run_id), pairs
    )
    place = said.cube.reward_models.index(name)
    row = trained.row(place, named=True)
    said_of = (
        f"Reward variance {model_wording.estimate(said.variances.estimates[place])}; "
        f"length correlation {model_wording.estimate(said.lengths.estimates[place])}, both with 95% intervals "
        f"over {count(said.cube.scores_MPR.shape[1], 'prompt')}."
    )
    if row["kind"] == model_frames.IMPORTED:
        st.caption(f"{model_wording.IMPORTED} {said_of}")
        return
    if row["kind"] in model_frames.ADDED:
        origin = access.reward_models(snapshot, run_id).row(place, named=True)["base_model"]
        st.caption(f"{model_wording.added(row, origin, pairs)} {said_of}")
        return
    with st.container(horizontal=True, gap="medium", key="model-figures"):
        st.metric("Kind", row["kind"], width="content", help="What sets it apart from the others.")
        st.metric("Labels flipped", model_wording.labels_flipped(row), width="content")
        st.metric("Training pairs", f"{row['train_pairs']:,}", width="content")
        st.metric("Trained", model_wording.layers(row["trainable_layers"]), width="content")
        st.metric("Seed", str(row["seed"]), width="content", help="Of its initialisation, flips and batch order.")
        if row.get("length_bias"):
            st.metric("Length bias", number(row["length_bias"]), width="content", help=model_wording.LENGTH_BIAS)
        st.metric("Validation accuracy", number(row["validation_accuracy"]), width="content")
    st.caption(f"Validation accuracy: {model_wording.validation(row, pairs)}. {said_of}")


def _curves(snapshot: Snapshot, run_id: str, name: str) -> None:
    curves = model_frames.curves(
        access_models.training_curves(snapshot, run_id),
        access.reward_models(snapshot, run_id),
        ["train_loss", "validation_loss"],
    )
    own = model_frames.own_curves(curves, name)
    if own.is_empty():
        st.info("The training curves of this reward model were not kept.")
        return
    figure.show(
        "losses",
        losses(own),
        own,
        title="Loss while it was trained",
        note="One pass over the training pairs a point. Validation pairs are unflipped, of prompts set aside.",
        alt=f"Training and validation loss of {name} against optimiser steps",
        file_name=f"{run_id}-{name}-losses",
        facts={"run_id": run_id, "reward_model": name},
    )


def _reliability(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, name: str) -> None:
    models = access.reward_models(snapshot, run_id)
    golden = chosen.golden or model_frames.best_other(models, name)
    if golden is None:
        st.info("Confidence is held against another reward model's order; this run has one reward model only.")
        return
    st.selectbox(
        "Golden",
        [other for other in models["reward_model_id"] if other != name],
        help="Whose order of the responses counts as the truth. At first: the other of greatest validation accuracy.",
        **page_state.bound(chosen, "golden", golden),
    )
    found = access_models.reliability_of(snapshot, run_id, chosen.category, golden, name)
    if found.pairs == 0:
        st.info(f"{escape(golden)} scores all responses to a prompt alike: there is no order to be right about.")
        return
    bins = model_frames.reliability(found)
    figure.show(
        "reliability",
        reliability(bins),
        bins,
        title="Is it as right as it is sure?",
        note=model_wording.reliability_note(found, golden, name),
        alt=f"Confidence of {name} against the share of pairs it orders as {golden} does",
        file_name=f"{run_id}-{name}-reliability",
        facts={"run_id": run_id, "category": ", ".join(chosen.category) or "all", "golden": golden, "proxy": name},
    )


def _looked_at(chosen: ModelsChoice, names: tuple[str, ...]) -> str:
    return chosen.reward_model or names[0]
