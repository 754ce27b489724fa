"""Two finished runs compared: how well accuracy predicts in each, which settings differ, and where the time went."""

from __future__ import annotations

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts.runs import two_runs, two_times
from app.components import cautions, columns, figure, page_state, trouble
from app.offers import Fitting
from app.state import RunsChoice
from app.views.runs import data, text

_TAU = "Kendall τ of accuracy with NDR"


def fit(snapshot: Snapshot, fitting: Fitting[RunsChoice], _: str) -> None:
    """Drop runs that are not published from the choice."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    for field in ("first", "second"):
        fitting.allow(field, runs, "not in the warehouse")


def compare(snapshot: Snapshot, chosen: RunsChoice) -> None:
    """Draw the comparison, folded up unless a link names its runs; nothing where there are not two."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    if len(runs) < 2:
        return
    is_named = chosen.first is not None or chosen.second is not None
    with st.expander(
        "Compare two runs", expanded=is_named, icon=":material/compare_arrows:", key="compare", on_change="rerun"
    ) as box:
        if box.open:
            with trouble.shown():
                _compare(snapshot, *_choose(chosen, runs))


def _choose(chosen: RunsChoice, runs: list[str]) -> tuple[str, str]:
    first = chosen.first or chosen.run or next(run_id for run_id in runs if run_id != chosen.second)
    second = chosen.second or next(run_id for run_id in runs if run_id != first)
    for column, field, run_id in zip(st.columns(2), ("first", "second"), (first, second), strict=True):
        bound = page_state.bound(chosen, field, run_id)
        column.selectbox(field.capitalize(), runs, help="A finished or imported run in the warehouse.", **bound)
    return first, second


def _compare(snapshot: Snapshot, first: str, second: str) -> None:
    if first == second:
        st.info("This is one run twice: choose another run to compare it with.")
        return
    names = (first, second)
    facts = {run_id: data.facts(snapshot, run_id) for run_id in names}
    _headlines(data.headlines(snapshot, names), names)
    st.subheader("Settings that differ", anchor=False)
    differing = data.differing(facts[first], facts[second])
    if differing.is_empty():
        st.caption("None: the same settings, code, packages and machine.")
    else:
        st.caption("Settings of the profile; then code, packages and machine. A dash: the run has no such setting.")
        st.dataframe(
            differing,
            hide_index=True,
            column_config={"setting": "Setting", "first": first, "second": second},
            height=min(36 * (differing.height + 1), 400),
            key="differing",
            alt="Settings in which the two runs differ",
        )
    stages = text.timing_labels(data.stages(facts))
    if not stages.is_empty():
        figure.show(
            "stages",
            two_times(stages, names),
            stages.drop("title", "label"),
            title="Where the time went",
            note="Seconds of work in each stage, summed over all attempts."
            + text.without_stages([run_id for run_id in names if not facts[run_id]["timings"]]),
            alt="Seconds of work per stage, a bar a run",
            file_name=f"{first}-{second}-stages",
            columns={
                "wall_s": st.column_config.NumberColumn("Seconds", format="%.1f"),
                "unit": "Of what",
                "peak_resident_bytes": st.column_config.NumberColumn("Peak memory", format="bytes"),
            },
        )


def _headlines(headlines: data.Headlines, names: tuple[str, str]) -> None:
    frame = headlines.rows
    if frame.is_empty():
        st.info("Neither run has two reward models and optimised policies: there is nothing to predict.")
        return
    evaluations = [
        evaluation for by_optimizer in headlines.evaluations.values() for evaluation in by_optimizer.values()
    ]
    cautions.show(evaluations, min(evaluation.proxies for evaluation in evaluations))
    cautions.explain()
    figure.show(
        "headlines",
        two_runs(frame.sort("optimizer", maintain_order=True), names, _TAU),
        frame,
        title="How well accuracy predicts the policy",
        note=text.headlines(frame, names),
        alt=f"{_TAU}, of each run and optimiser, with its interval",
        file_name=f"{names[0]}-{names[1]}-headlines",
        columns={
            **columns.correlations("Kendall τ"),
            "pairs": "Defined pairs",
        },
        facts={"measure": "accuracy", "correlation": "kendall"},
    )
