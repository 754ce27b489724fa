"""Finished runs compared: how well accuracy predicts in each, which settings differ, and where the time went."""

from __future__ import annotations

import streamlit as st

from app import notebook_code
from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts.runs import compared_runs, compared_times
from app.components import cautions, columns, figure, page_state, trouble
from app.offers import Fitting
from app.state import RunsChoice
from app.views.runs import data, text
from warehouse import labels

_TAU = "Kendall τ of accuracy with NDR"
MOST_COMPARED = 6
"""How many runs can be compared at once."""


def fit(snapshot: Snapshot, fitting: Fitting[RunsChoice], _: str) -> None:
    """Drop runs that are not published from the choice, and those beyond the most that are compared."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    fitting.allow_each("compare", runs, "not in the warehouse")
    fitting.change(compare=fitting.chosen.compare[:MOST_COMPARED])


def compare(snapshot: Snapshot, chosen: RunsChoice) -> None:
    """Draw the comparison, folded up unless a link names its runs; nothing where there are not two."""
    runs = warehouse.runs(snapshot)["run_id"].to_list()
    if len(runs) < 2:
        return
    with st.expander(
        "Compare runs",
        expanded=bool(chosen.compare),
        icon=":material/compare_arrows:",
        key="compare",
        on_change="rerun",
    ) as box:
        if box.open:
            with trouble.shown():
                _compare(snapshot, _choose(chosen, runs))


def _choose(chosen: RunsChoice, runs: list[str]) -> tuple[str, ...]:
    first = chosen.run or runs[0]
    names = chosen.compare or (first, next(run_id for run_id in runs if run_id != first))
    titles = labels.read(warehouse.home())
    st.multiselect(
        "Runs",
        runs,
        format_func=titles.title,
        max_selections=MOST_COMPARED,
        help=f"Two to {MOST_COMPARED} finished or imported runs in the warehouse. Type to search.",
        **page_state.bound(chosen, "compare", list(names)),
    )
    return names


def _compare(snapshot: Snapshot, names: tuple[str, ...]) -> None:
    if len(names) < 2:
        st.info("This is one run: choose another run to compare it with.")
        return
    facts = {run_id: data.facts(snapshot, run_id) for run_id in names}
    _headlines(data.headlines(snapshot, names), names)
    st.header("Settings that differ", anchor=False)
    differing = data.differing(facts)
    if differing.is_empty():
        st.caption("None: the same settings, code, packages and machine.")
    else:
        st.caption("Settings of the profile; then code, packages and machine. A dash: the run has no such setting.")
        st.dataframe(
            differing,
            hide_index=True,
            column_config={"setting": "Setting"},
            height=min(36 * (differing.height + 1), 400),
            key="differing",
            alt="Settings in which the runs differ",
        )
    stages = text.timing_labels(data.stages(facts))
    if not stages.is_empty():
        figure.show(
            "stages",
            compared_times(stages, names),
            stages.drop("title", "label"),
            title="Where the time went",
            note="Seconds of work in each stage, summed over all attempts."
            + text.without_stages([run_id for run_id in names if not facts[run_id]["timings"]]),
            alt="Seconds of work per stage, a bar a run",
            file_name=f"{names[0]}-{names[1]}-stages",
            columns={
                "wall_s": st.column_config.NumberColumn("Seconds", format="%.1f"),
                "unit": "Of what",
                "peak_resident_bytes": st.column_config.NumberColumn("Peak memory", format="bytes"),
            },
        )


def _headlines(headlines: data.Headlines, names: tuple[str, ...]) -> None:
    frame = headlines.rows
    if frame.is_empty():
        st.info("None of these runs has two reward models and optimised policies: there is nothing to predict.")
        return
    evaluations = [
        evaluation for by_optimizer in headlines.evaluations.values() for evaluation in by_optimizer.values()
    ]
    cautions.show(evaluations, min(evaluation.proxies for evaluation in evaluations))
    cautions.explain()
    figure.show(
        "headlines",
        compared_runs(frame.sort("optimizer", maintain_order=True), names, _TAU),
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
        code=notebook_code.runs([(run, name) for run, of in headlines.evaluations.items() for name in of]),
    )
