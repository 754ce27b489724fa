"""All reward models side by side: curves, spread of scores, variance, length, agreement, and the table of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import access, access_models, model_frames, model_wording
from app.access import Snapshot
from app.access_models import ScoresSaid
from app.charts.distribution import distribution
from app.charts.dots import dots
from app.charts.square import square
from app.charts.training import training
from app.formats import UNDEFINED
from app.state import ModelsChoice
from app.widgets import figure
from warehouse.measures import MEASURES

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


def show(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
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
    curves = model_frames.curves(
        access_models.training_curves(snapshot, run_id),
        access.reward_models(snapshot, run_id),
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
    shares = model_frames.distribution(said.cube.reward_models, said.shares_MB, said.edges)
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
    frame = model_frames.of_each(names, said.variances, access.reward_models(snapshot, run_id))
    note = (
        "Variance of scores within a prompt, as a share of all variance: what an optimiser can climb on. Little of it "
    )
    note += "slows optimisation however accurate the reward model (arXiv 2503.15477). "
    figure.show(
        "variance",
        dots(frame, list(names), "Reward variance (share of all variance)"),
        frame,
        title="Reward variance within prompts",
        note=note + model_wording.undefined(said.variances, names, "reward variance"),
        alt="Reward variance with its interval, one row a reward model",
        file_name=f"{run_id}-reward-variance",
        facts=_facts(run_id, chosen),
    )


def _lengths(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    names = said.cube.reward_models
    frame = model_frames.of_each(names, said.lengths, access.reward_models(snapshot, run_id))
    figure.show(
        "length",
        dots(frame, list(names), "Spearman ρ of score and length in tokens", reference=0.0),
        frame,
        title="Do scores follow length?",
        note="Rank correlation of scores with the number of tokens among the responses to one prompt, averaged over "
        f"prompts. {model_wording.undefined(said.lengths, names, 'length correlation')}",
        alt="Correlation of score and response length with its interval, one row a reward model",
        file_name=f"{run_id}-length-correlation",
        facts=_facts(run_id, chosen),
    )


def _agreement(run_id: str, chosen: ModelsChoice, said: ScoresSaid) -> None:
    names = list(said.cube.reward_models)
    if len(names) < 2:
        st.info("Agreement takes two reward models; this run has one.")
        return
    frame = model_frames.agreements(names, said.agreement)
    if frame["value"].null_count() == frame.height:
        st.info("No reward model orders any two responses to one prompt: there is nothing to agree on.")
        return
    note = "Share of response pairs that both order alike, the row's order being the truth; 0.50 is chance. "
    if len(names) > MOST_IN_SQUARE:
        note += model_wording.too_many(MOST_IN_SQUARE, len(names))
    shown = names[:MOST_IN_SQUARE]
    figure.show(
        "agreement",
        square(
            model_frames.among(frame, shown),
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
    names, models = said.cube.reward_models, access.reward_models(snapshot, run_id)
    st.subheader("All reward models", anchor=False)
    st.dataframe(
        model_frames.overview(
            model_frames.trained(
                models,
                access_models.flipped_pairs(snapshot, run_id),
                access_models.validation_pairs(snapshot, run_id),
            ),
            model_frames.estimates(names, said.variances.estimates),
            model_frames.estimates(names, said.lengths.estimates),
            model_frames.agreements(names, said.agreement),
        ),
        hide_index=True,
        column_config=_COLUMNS,
        placeholder=UNDEFINED,
        key="models",
        alt="All reward models: how each was trained and what its scores say",
    )
