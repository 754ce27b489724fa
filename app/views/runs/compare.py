"""Two finished runs beside each other: what predicts how well in each, where they differ, where the time went."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts import runs as charts_runs
from app.components import figure, page_state, trouble
from app.offers import Fitting
from app.state import RunsChoice
from app.views.overview import text as overview_text
from app.views.runs import data, text

_TAU = "Kendall τ of accuracy with NDR"


def fit(snapshot: Snapshot, fitting: Fitting[RunsChoice], _: str) -> None:
    """Hold the choice against the runs that are published."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    for field in ("first", "second"):
        fitting.allow(field, runs, "not in the warehouse")


def show(snapshot: Snapshot, chosen: RunsChoice) -> None:
    """Draw the comparison, folded up unless a link names its runs; nothing where there are not two."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    if len(runs) < 2:
        return
    named = chosen.first is not None or chosen.second is not None
    with st.expander(
        "Compare two runs", expanded=named, icon=":material/compare_arrows:", key="compare", on_change="rerun"
    ) as box:
        if not box.open:
            return
        with trouble.shown():
            _compare(snapshot, *_two(chosen, runs))


def _two(chosen: RunsChoice, runs: list[str]) -> tuple[str, str]:
    first = chosen.first or chosen.run or next(run_id for run_id in runs if run_id != chosen.second)
    second = chosen.second or next(run_id for run_id in runs if run_id != first)
    for column, label, field, run_id in zip(
        st.columns(2), ("First", "Second"), ("first", "second"), (first, second), strict=True
    ):
        column.selectbox(
            label, runs, help="A run in the warehouse, finished or imported.", **page_state.bound(chosen, field, run_id)
        )
    return first, second


def _compare(snapshot: Snapshot, first: str, second: str) -> None:
    if first == second:
        st.info("This is one run twice: choose another to compare it with.")
        return
    names = (first, second)
    facts = {run_id: data.facts(snapshot, run_id) for run_id in names}
    _headlines(snapshot, names)
    _settings(data.differing(facts[first], facts[second]), names)
    stages = text.timing_labels(data.stages(facts))
    if not stages.is_empty():
        figure.show(
            "stages",
            charts_runs.two_times(stages, names),
            stages.drop("title", "label"),
            title="Where the time went",
            note="Seconds of work in each stage, over all attempts."
            + text.without_stages([run_id for run_id in names if not facts[run_id]["timings"]]),
            alt="Seconds of work per stage, a bar a run",
            file_name=f"{first}-{second}-stages",
            columns={
                "run_id": "Run",
                "stage": "Stage",
                "wall_s": st.column_config.NumberColumn("Seconds", format="%.1f"),
                "units": "Units",
                "unit": "Of what",
                "peak_resident_bytes": st.column_config.NumberColumn("Peak memory", format="bytes"),
            },
        )


def _headlines(snapshot: Snapshot, names: tuple[str, str]) -> None:
    found = {run_id: data.headlines(snapshot, run_id) for run_id in names}
    policies = {
        (run_id, optimizer): overview_text.at(curves)
        for run_id, by_optimizer in found.items()
        for optimizer, (_, curves) in by_optimizer.items()
    }
    evaluations = {
        run_id: {optimizer: evaluation for optimizer, (evaluation, _) in by_optimizer.items()}
        for run_id, by_optimizer in found.items()
    }
    frame = data.headline_rows(evaluations, policies)
    if frame.is_empty():
        st.info("Neither run has two reward models and optimised policies: there is nothing to predict in them.")
        return
    figure.show(
        "headlines",
        charts_runs.two_runs(frame.sort("optimizer", maintain_order=True), names, _TAU),
        frame,
        title="How well accuracy predicts the policy",
        note=text.headlines(frame, names),
        alt=f"{_TAU}, of each run and optimiser, with its interval",
        file_name=f"{names[0]}-{names[1]}-headlines",
        columns={
            "run_id": "Run",
            "optimizer": "Optimiser",
            "policies": "Policies",
            "value": st.column_config.NumberColumn("Kendall τ", format="%.3f"),
            "low": st.column_config.NumberColumn("95% from", format="%.3f"),
            "high": st.column_config.NumberColumn("to", format="%.3f"),
            "pairs": "Defined pairs",
            "undefined": "Undefined",
            "prompts": "RM-test prompts",
            "rl_prompts": "RL-test prompts",
            "resampled": "Resampled",
        },
        facts={"measure": "accuracy", "correlation": "kendall"},
    )


def _settings(frame: pl.DataFrame, names: tuple[str, str]) -> None:
    st.subheader("Settings that differ", anchor=False)
    if frame.is_empty():
        st.caption("None: the same settings, code, packages and machine.")
        return
    st.caption("Of the profile; then code, packages and machine. A dash: the run has no such setting.")
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"setting": "Setting", "first": names[0], "second": names[1]},
        height=min(36 * (frame.height + 1), 400),
        key="differing",
        alt="Settings in which the two runs differ",
    )
