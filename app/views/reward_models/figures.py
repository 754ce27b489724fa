"""All reward models side by side: curves, spread of scores, variance, length, agreement, and the table of it all.

One reward model: how it was trained, its curves, and how far its confidence can be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts.models import distribution, dots, losses, square, training
from app.charts.responses import reliability
from app.components import figure, page_state
from app.components.formats import UNDEFINED, count, escape, number
from app.components.page_state import Page
from app.offers import Fitting
from app.state import ModelsChoice
from app.views.reward_models import data, text
from app.views.reward_models.data import ScoresSaid
from warehouse.study import MEASURES

MOST_IN_SQUARE = 60
_FIGURE = "%.3f"

_COLUMNS: Mapping[str, Any] = {
    "reward_model": "Reward model",
    "kind": "Kind",
    "flip_rate": st.column_config.NumberColumn("Labels flipped", format="percent"),
    "flipped_pairs": st.column_config.NumberColumn("Pairs flipped"),
    "length_bias": st.column_config.NumberColumn("Length bias", format=_FIGURE),
    "train_pairs": st.column_config.NumberColumn("Training pairs"),
    "trainable_layers": st.column_config.NumberColumn("Layers trained", help="0: the head only; −1: all"),
    "seed": st.column_config.NumberColumn("Seed", format="%d"),
    "validation_accuracy": st.column_config.NumberColumn("Validation accuracy", format=_FIGURE),
    "validation_low": st.column_config.NumberColumn("95% from", format=_FIGURE, help="Wilson's interval"),
    "validation_high": st.column_config.NumberColumn("to", format=_FIGURE),
    "reward_variance": st.column_config.NumberColumn(MEASURES["reward_variance"].title, format=_FIGURE),
    "variance_low": st.column_config.NumberColumn("95% from ", format=_FIGURE, help="Bootstrap over prompts"),
    "variance_high": st.column_config.NumberColumn("to ", format=_FIGURE),
    "length_correlation": st.column_config.NumberColumn("Length ρ", format=_FIGURE),
    "length_low": st.column_config.NumberColumn("95% from  ", format=_FIGURE, help="Bootstrap over prompts"),
    "length_high": st.column_config.NumberColumn("to  ", format=_FIGURE),
    "mean_agreement": st.column_config.NumberColumn(
        "Mean agreement", format=_FIGURE, help="Share of pairs ordered as the others do, averaged over the others"
    ),
}


def all_models(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    """Draw the figures, two in a row, and the table."""
    with st.container(key="rows-models"):
        left, right = st.columns(2, gap="large")
        with left:
            _curves(snapshot, run_id, chosen)
        with right:
            _distribution(run_id, chosen, said)
        left, right = st.columns(2, gap="large")
        with left:
            _variances(snapshot, run_id, chosen, said)
        with right:
            _lengths(snapshot, run_id, chosen, said)
        _agreement(run_id, chosen, said)
        _table(snapshot, run_id, said)


def _curves(snapshot: Snapshot, run_id: str, chosen: ModelsChoice) -> None:
    curves = data.curves(
        data.training_curves(snapshot, run_id),
        warehouse.reward_models(snapshot, run_id),
        ["validation_accuracy"],
    )
    if curves.is_empty():
        st.info("The training curves of this run's reward models were not kept.")
        return
    figure.show(
        "curves",
        training(curves, "Validation accuracy", chosen.reward_model),
        curves,
        title="Validation accuracy while they were trained",
        note="One line a reward model, a point each pass over its training pairs.",
        alt="Validation accuracy against optimiser steps, one line a reward model",
        file_name=f"{run_id}-training-curves",
        facts={"run_id": run_id},
    )


def _distribution(run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    shares = data.distribution(said.cube.reward_models, said.shares_MB, said.edges)
    figure.show(
        "distribution",
        distribution(shares, list(said.cube.reward_models)),
        shares,
        title="How scores spread",
        note="Standardised by each reward model's mean and spread over all of these responses; what lies beyond 3 "
        "stands in the end bins.",
        alt="Share of responses by standardised score, one strip a reward model",
        file_name=f"{run_id}-score-distributions",
        facts=_facts(run_id, chosen),
    )


def _variances(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    names = said.cube.reward_models
    frame = data.of_each(names, said.variances, warehouse.reward_models(snapshot, run_id))
    note = (
        "Variance of scores within a prompt, as a share of all variance: what an optimiser can climb on. Little of it "
    )
    note += "slows optimisation however accurate the reward model (arXiv 2503.15477). "
    figure.show(
        "variance",
        dots(frame, list(names), "Reward variance (share of all variance)"),
        frame,
        title="Reward variance within prompts",
        note=note + text.undefined(said.variances, names, "reward variance"),
        alt="Reward variance with its interval, one row a reward model",
        file_name=f"{run_id}-reward-variance",
        facts=_facts(run_id, chosen),
    )


def _lengths(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    names = said.cube.reward_models
    frame = data.of_each(names, said.lengths, warehouse.reward_models(snapshot, run_id))
    figure.show(
        "length",
        dots(frame, list(names), "Spearman ρ of score and length in tokens", reference=0.0),
        frame,
        title="Do scores follow length?",
        note="Rank correlation of scores with the number of tokens among the responses to one prompt, averaged over "
        f"prompts. {text.undefined(said.lengths, names, 'length correlation')}",
        alt="Correlation of score and response length with its interval, one row a reward model",
        file_name=f"{run_id}-length-correlation",
        facts=_facts(run_id, chosen),
    )


def _agreement(run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    names = list(said.cube.reward_models)
    if len(names) < 2:
        st.info("Agreement takes two reward models; this run has one.")
        return
    frame = data.agreements(names, said.agreement)
    if frame["value"].null_count() == frame.height:
        st.info("No reward model orders any two responses to one prompt: there is nothing to agree on.")
        return
    note = "Share of response pairs that both order alike, the row's order being the truth; 0.50 is chance. "
    if len(names) > MOST_IN_SQUARE:
        note += text.too_many(MOST_IN_SQUARE, len(names))
    shown = names[:MOST_IN_SQUARE]
    figure.show(
        "agreement",
        square(
            data.among(frame, shown),
            shown,
            down=("other", "Golden"),
            across=("reward_model", "Proxy"),
            title="Ordered alike",
            domain=(0.5, 1.0),
        ),
        frame,
        title="Who agrees with whom",
        note=note,
        alt="Share of response pairs ordered alike, for all pairs of reward models",
        file_name=f"{run_id}-agreement",
        facts=_facts(run_id, chosen),
    )


def _facts(run_id: str, chosen: ModelsChoice) -> dict[str, object]:
    return {"run_id": run_id, "category": ", ".join(chosen.category) or "all"}


def _table(snapshot: Snapshot, run_id: str, said: ScoresSaid) -> None:
    names, models = said.cube.reward_models, warehouse.reward_models(snapshot, run_id)
    st.subheader("All reward models", anchor=False)
    st.dataframe(
        data.overview(
            data.trained(
                models,
                data.flipped_pairs(snapshot, run_id),
                data.validation_pairs(snapshot, run_id),
            ),
            data.estimates(names, said.variances.estimates),
            data.estimates(names, said.lengths.estimates),
            data.agreements(names, said.agreement),
        ),
        hide_index=True,
        column_config=_COLUMNS,
        placeholder=UNDEFINED,
        key="models",
        alt="All reward models: how each was trained and what its scores say",
    )


def fit(snapshot: Snapshot, fitting: Fitting[ModelsChoice], run_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hold the choice against the run; gives its reward models and its RM-test categories."""
    cube = warehouse.score_cube(snapshot, run_id)
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


def card(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    """Draw the card of the chosen reward model, or of the first."""
    name = _looked_at(chosen, said.cube.reward_models)
    with st.container(border=True, key="rows-card"):
        st.subheader(escape(name), anchor=False)
        _card_figures(snapshot, run_id, name, said)
        left, right = st.columns(2, gap="large")
        with left:
            _card_curves(snapshot, run_id, name)
        with right:
            _reliability(snapshot, run_id, chosen, name)


def _card_figures(snapshot: Snapshot, run_id: str, name: str, said: ScoresSaid) -> None:
    pairs = data.validation_pairs(snapshot, run_id)
    trained = data.trained(warehouse.reward_models(snapshot, run_id), data.flipped_pairs(snapshot, run_id), pairs)
    place = said.cube.reward_models.index(name)
    row = trained.row(place, named=True)
    said_of = (
        f"Reward variance {text.estimate(said.variances.estimates[place])}; "
        f"length correlation {text.estimate(said.lengths.estimates[place])}, both with 95% intervals "
        f"over {count(said.cube.scores_MPR.shape[1], 'prompt')}."
    )
    if row["kind"] == data.IMPORTED:
        st.caption(f"{text.IMPORTED} {said_of}")
        return
    if row["kind"] in data.ADDED:
        origin = warehouse.reward_models(snapshot, run_id).row(place, named=True)["base_model"]
        st.caption(f"{text.added(row, origin, pairs)} {said_of}")
        return
    with st.container(horizontal=True, gap="medium", key="model-figures"):
        st.metric("Kind", row["kind"], width="content", help="What sets it apart from the others.")
        st.metric("Labels flipped", text.labels_flipped(row), width="content")
        st.metric("Training pairs", f"{row['train_pairs']:,}", width="content")
        st.metric("Trained", text.layers(row["trainable_layers"]), width="content")
        st.metric("Seed", str(row["seed"]), width="content", help="Of its initialisation, flips and batch order.")
        if row.get("length_bias"):
            st.metric("Length bias", number(row["length_bias"]), width="content", help=text.LENGTH_BIAS)
        st.metric("Validation accuracy", number(row["validation_accuracy"]), width="content")
    st.caption(f"Validation accuracy: {text.validation(row, pairs)}. {said_of}")


def _card_curves(snapshot: Snapshot, run_id: str, name: str) -> None:
    curves = data.curves(
        data.training_curves(snapshot, run_id),
        warehouse.reward_models(snapshot, run_id),
        ["train_loss", "validation_loss"],
    )
    own = data.own_curves(curves, name)
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
    models = warehouse.reward_models(snapshot, run_id)
    golden = chosen.golden or data.best_other(models, name)
    if golden is None:
        st.info("Confidence is held against another reward model's order; this run has one reward model only.")
        return
    st.selectbox(
        "Golden",
        [other for other in models["reward_model_id"] if other != name],
        help="Whose order of the responses counts as the truth. At first: the other of greatest validation accuracy.",
        **page_state.bound(chosen, "golden", golden),
    )
    found = data.reliability_of(snapshot, run_id, chosen.category, golden, name)
    if found.pairs == 0:
        st.info(f"{escape(golden)} scores all responses to a prompt alike: there is no order to be right about.")
        return
    bins = data.reliability_bins(found)
    figure.show(
        "reliability",
        reliability(bins),
        bins,
        title="Is it as right as it is sure?",
        note=text.reliability_note(found, golden, name),
        alt=f"Confidence of {name} against the share of pairs it orders as {golden} does",
        file_name=f"{run_id}-{name}-reliability",
        facts={"run_id": run_id, "category": ", ".join(chosen.category) or "all", "golden": golden, "proxy": name},
    )


def _looked_at(chosen: ModelsChoice, names: tuple[str, ...]) -> str:
    return chosen.reward_model or names[0]
