"""The figures of the Reward models page: the card of one reward model, then all of them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts import models as charts
from app.charts.export import Chart
from app.charts.responses import reliability
from app.components import columns, figure, glossary, page_state
from app.components.formats import AXIS, SHARE, UNDEFINED, escape
from app.report import page as report
from app.state import ModelsChoice
from app.views.overoptimisation.text import not_drawn
from app.views.reward_models import data, text
from app.views.reward_models.data import ScoreSummary

FEW = 8
"""From how many reward models on they can be searched."""

_COLUMNS: Mapping[str, Any] = {
    "reward_model": "Reward model",
    "kind": "Kind",
    "flip_rate": st.column_config.NumberColumn("Labels flipped", format="percent"),
    "flipped_pairs": "Pairs flipped",
    "length_bias": st.column_config.NumberColumn("Length bias", format="%.3f"),
    "train_pairs": "Training pairs",
    "trainable_layers": st.column_config.NumberColumn("Layers trained", help="0: the head only; −1: all"),
    "seed": st.column_config.NumberColumn("Seed", format="%d"),
    **columns.with_interval("Validation accuracy", "validation_accuracy", "validation_low", "validation_high"),
    **columns.with_interval("Reward variance", "reward_variance", "variance_low", "variance_high"),
    **columns.with_interval("Length ρ", "length_correlation", "length_low", "length_high"),
    "mean_agreement": st.column_config.NumberColumn(
        "Mean agreement", format="%.3f", help="Share of pairs ordered as the others do, averaged over the others"
    ),
}


class ModelFigures:
    """Draws the figures of one choice."""

    def __init__(self, snapshot: Snapshot, run_id: str, chosen: ModelsChoice, summary: ScoreSummary) -> None:
        self._snapshot, self._run_id, self._chosen, self._summary = snapshot, run_id, chosen, summary
        self._names = list(summary.cube.reward_models)
        self._models = warehouse.reward_models(snapshot, run_id)
        matching = set(data.matching(self._models, chosen.search, chosen.kind))
        self._listed = [name for name in self._names if name in matching]

    def card(self) -> None:
        """The card of the chosen reward model, or of the first."""
        name = self._chosen.reward_model or self._names[0]
        with st.container(border=True, key="rows-card"):
            with st.container(horizontal=True, vertical_alignment="center", key="head-card"):
                st.header(escape(name), anchor=False, width="stretch")
                self._report(name)
            self._training_facts(name)
            left, right = st.columns(2, gap="large")
            with left:
                self._losses(name)
            with right:
                self._reliability(name)

    def all_models(self) -> None:
        """The figures of all reward models, or of those that match the search: two in a row, and the table."""
        self._search()
        if not self._listed:
            st.info("No reward model matches this search.")
            return
        with st.container(key="rows-models"):
            for row in ((self._curves, self._distribution), (self._variances, self._lengths)):
                for column, draw in zip(st.columns(2, gap="large"), row, strict=True):
                    with column:
                        draw()
            self._agreement()
            st.header("All reward models", anchor=False)
            st.dataframe(
                self._of_listed(data.overview(data.trained(self._snapshot, self._run_id), self._summary)),
                hide_index=True,
                column_config=_COLUMNS,
                placeholder=UNDEFINED,
                key="models",
                alt="All reward models: how each was trained and what its scores say",
            )
            self._endings()

    def _search(self) -> None:
        """The controls that many reward models need."""
        if len(self._names) < FEW:
            return
        with st.container(horizontal=True, vertical_alignment="bottom", key="search-models"):
            st.text_input(
                "Search reward models",
                placeholder="part of a name or a kind",
                width=280,
                **page_state.bound(self._chosen, "search", self._chosen.search),
            )
            st.caption(f"{len(self._listed)} of {len(self._names)} reward models")
        kinds = self._models["kind"].unique().sort().to_list()
        page_state.several("Kinds", self._chosen, "kind", kinds, help_text="Kinds of reward models. None chosen: all.")

    def _of_listed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("reward_model").is_in(self._listed))

    def _endings(self) -> None:
        endings = self._of_listed(data.endings(self._snapshot, self._run_id))
        if endings.is_empty():
            return
        st.header("Do the responses of their policies end?", anchor=False)
        st.caption(text.endings(warehouse.endings(self._snapshot, self._run_id)))
        st.dataframe(
            endings,
            hide_index=True,
            column_config={
                "reward_model": "Reward model",
                "policies": "Policy",
                "finished_share": columns.number("Finished share", SHARE, glossary.TERMS["finished share"]),
                "mean_tokens": columns.number("Mean tokens", AXIS),
            },
            key="endings",
            alt="Share of the responses of each reward model's policies that end by themselves, and their mean length",
        )

    def _report(self, name: str) -> None:
        goldens: tuple[str, ...] = (self._chosen.golden,) if self._chosen.golden else ()
        if not data.is_judged(self._models, name, goldens):  # of two without a truth, the other one is
            other = data.best_other(self._models, name)
            goldens = (other,) if other else ()
        if not data.is_judged(self._models, name, goldens):
            return
        st.download_button(
            "Report card",
            partial(data.report_card, self._snapshot, self._run_id, name, goldens),
            file_name=report.file_name(name),
            mime="text/html",
            key="report-card",
            on_click="ignore",
            help="One HTML file with what is known of it: figures, tables, data and provenance. The golden chosen "
            "below, or the run's default.",
        )

    def _training_facts(self, name: str) -> None:
        pairs = data.validation_pairs(self._snapshot, self._run_id)
        place = self._names.index(name)
        row = data.trained(self._snapshot, self._run_id).row(place, named=True)
        scores = text.score_figures(
            self._summary.variances.estimates[place],
            None if self._summary.lengths is None else self._summary.lengths.estimates[place],
            self._summary.cube,
        )
        if row["kind"] in text.NOT_TRAINED_HERE:
            st.caption(f"{text.NOT_TRAINED_HERE[row['kind']]} {scores}")
            return
        if row["kind"] in data.ADDED:
            origin = self._models.row(place, named=True)["base_model"]
            st.caption(f"{text.added(row, origin, pairs)} {scores}")
            return
        with st.container(horizontal=True, gap="medium", key="model-figures"):
            for label, value, help_text in text.training_facts(row):
                st.metric(label, value, width="content", help=help_text)
        st.caption(f"Validation accuracy: {text.validation(row, pairs)}. {scores}")

    def _losses(self, name: str) -> None:
        losses = data.losses(self._snapshot, self._run_id, name)
        if losses.is_empty():
            st.info("The training curves of this reward model were not stored.")
            return
        figure.show(
            "losses",
            charts.losses(losses),
            losses,
            title="Loss during training",
            note="One point per pass over the training pairs. Validation pairs have no flipped labels and come from "
            "separate prompts.",
            alt=f"Training and validation loss of {name} against optimiser steps",
            level=3,
            file_name=f"{self._run_id}-{name}-losses",
            facts={"run_id": self._run_id, "reward_model": name},
        )

    def _reliability(self, name: str) -> None:
        golden = self._chosen.golden or data.best_other(self._models, name)
        if golden is None:
            st.info("Calibration is measured against another reward model; this run has only one.")
            return
        st.selectbox(
            "Golden",
            [other for other in self._models["reward_model_id"] if other != name],
            help="The reward model whose order counts as the truth. Default: the one with the best validation "
            "accuracy among the others.",
            **page_state.bound(self._chosen, "golden", golden),
        )
        result = data.reliability_of(self._snapshot, self._run_id, self._chosen.category, golden, name)
        if result.pairs == 0:
            st.info(f"{escape(golden)} gives all responses to a prompt the same score: {text.NO_ORDER}.")
            return
        bins = data.reliability_bins(result)
        figure.show(
            "reliability",
            reliability(bins),
            bins,
            title="Is it as right as it is sure?",
            note=text.reliability_note(result, golden, name),
            alt=f"Confidence of {name} against the share of pairs it orders as {golden} does",
            level=3,
            file_name=f"{self._run_id}-{name}-reliability",
            facts={**self._facts(), "golden": golden, "proxy": name},
        )

    def _curves(self) -> None:
        curves = self._of_listed(data.curves(self._snapshot, self._run_id, "validation_accuracy"))
        if curves.is_empty():
            st.info("The training curves of this run's reward models were not stored.")
            return
        figure.show(
            "curves",
            charts.training(curves, "Validation accuracy", self._chosen.reward_model),
            curves,
            title="Validation accuracy during training",
            note="One line per reward model, one point per pass over its training pairs.",
            alt="Validation accuracy against optimiser steps, one line a reward model",
            file_name=f"{self._run_id}-training-curves",
            facts={"run_id": self._run_id},  # training does not depend on the chosen categories
        )

    def _distribution(self) -> None:
        shares = self._of_listed(data.distribution(self._summary))
        self._show(
            "distribution",
            charts.distribution(shares, self._listed),
            shares,
            title="How scores are distributed",
            note="Standardised by each reward model's mean and standard deviation over all these responses; the end "
            "bins include everything beyond ±3.",
            alt="Share of responses by standardised score, one strip a reward model",
            file_name="score-distributions",
        )

    def _variances(self) -> None:
        frame = self._of_listed(data.of_each(self._names, self._summary.variances, self._models))
        self._show(
            "variance",
            charts.dots(frame, self._listed, "Reward variance (share of all variance)"),
            frame,
            title="Reward variance within prompts",
            note="Variance of the scores within a prompt, as a share of all variance. Where it is small, optimisation "
            "is slow however accurate the reward model (arXiv 2503.15477). "
            + text.undefined(self._summary.variances, self._names, "reward variance"),
            alt="Reward variance with its interval, one row a reward model",
            file_name="reward-variance",
        )

    def _lengths(self) -> None:
        lengths, unit = self._summary.lengths, self._summary.length_unit
        if lengths is None:
            st.info("Whether scores follow length is unknown: the run has neither texts nor token counts.")
            return
        frame = self._of_listed(data.of_each(self._names, lengths, self._models))
        self._show(
            "length",
            charts.dots(frame, self._listed, f"Spearman ρ with length in {unit}", reference=0.0),
            frame,
            title="Do scores follow length?",
            note=f"Rank correlation of score and number of {unit} among the responses to one prompt, averaged over "
            f"prompts. {text.undefined(lengths, self._names, 'length correlation')}",
            alt="Correlation of score and response length with its interval, one row a reward model",
            file_name="length-correlation",
        )

    def _agreement(self) -> None:
        if len(self._listed) < 2:
            whose = "this run has" if len(self._names) < 2 else "the search leaves"
            st.info(f"Agreement needs two reward models; {whose} one.")
            return
        frame = self._of_listed(data.agreements(self._names, self._summary.agreement))
        frame = frame.filter(pl.col("other").is_in(self._listed))
        if frame["value"].null_count() == frame.height:
            st.info("No reward model ranks any two responses to a prompt: there is nothing to agree on.")
            return
        self._show(
            "agreement",
            charts.square(
                frames.drawn(frame, self._listed, ("reward_model", "other")),
                self._listed[: frames.MOST_DRAWN],
                down=("other", "Golden"),
                across=("reward_model", "Proxy"),
                title="Ordered alike",
                domain=(0.5, 1.0),
            ),
            frame,
            title="Which reward models agree?",
            note="Share of response pairs that both reward models order alike, among the pairs that the row's orders; "
            f"0.50 is chance. {not_drawn(len(self._listed))}",
            alt="Share of response pairs ordered alike, for all pairs of reward models",
            file_name="agreement",
        )

    def _show(
        self, key: str, chart: Chart, frame: pl.DataFrame, *, title: str, note: str, alt: str, file_name: str
    ) -> None:
        file_name = f"{self._run_id}-{file_name}"
        figure.show(key, chart, frame, title=title, note=note, alt=alt, file_name=file_name, facts=self._facts())

    def _facts(self) -> dict[str, object]:
        return {"run_id": self._run_id, "category": ", ".join(self._chosen.category) or "all"}
