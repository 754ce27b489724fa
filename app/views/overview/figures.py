"""The figures of the Overview: accuracy against NDR for each optimiser, what this run says, and the paper's figures.

Each finding is a claim with this run's ruling, and links to the page that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from app import notebook_code
from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts.pairs import scatter
from app.charts.runs import against_paper
from app.charts.style import titled
from app.components import columns, estimates, figure, links
from app.views.overoptimisation import text as overoptimisation_text
from app.views.overview import data, text
from warehouse import paper as the_paper
from warehouse.study import MEASURES, Evaluation
from warehouse.study.curves.value_curves import ValueCurves

_LINKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "predicts": ("explore", {}),
    "responses": ("test-sets", {"study": "responses"}),
    "measure": ("measures", {}),
    "harder": ("overoptimisation", {}),
    "length": ("reward-models", {}),
}
"""The page that shows each finding, and what to choose there."""


def first_visit(snapshot: Snapshot, run_id: str, run: str | None, evaluation: Evaluation, curves: ValueCurves) -> None:
    """Draw the path of a first visit: the question, the scatter, one pair's responses, what to use instead."""
    models = warehouse.reward_models(snapshot, run_id)
    pair = data.telling_pair(data.pairs(evaluation, models, curves))
    golden, proxy = pair or (None, None)
    steps = text.first_steps(pair)
    with st.container(border=True, gap="xxsmall", key="first-visit"):
        st.markdown("**New here? Four steps.** 1. The question and this run's answer: on this page")
        links.to("explore", steps["scatter"], run=run)
        links.to("explore", steps["pair"], run=run, golden=golden, proxy=proxy)
        links.to("measures", steps["instead"], run=run)


def findings(
    names: Sequence[str], snapshot: Snapshot, run_id: str, run: str | None, curves: Mapping[str, ValueCurves]
) -> None:
    """Draw these findings, a card each: the claim, and the ruling for every optimiser."""
    for name in names:
        if name == "length":
            answers = [text.length(data.length_finding(snapshot, run_id))]
        else:
            answers = [
                text.sentence(data.finding(snapshot, run_id, optimizer, name), text.at(curve))
                + (text.beside(data.evaluation(snapshot, run_id, optimizer)) if name == "predicts" else "")
                for optimizer, curve in curves.items()
            ]
        page, choice = _LINKS[name]
        with st.container(border=True, gap="small", key=f"finding-{name}"):
            st.markdown(f"**{text.CLAIMS[name]}**")
            st.markdown("\n".join(f"- {answer}" for answer in answers))
            links.to(page, run=run, **choice)


def scatters(
    snapshot: Snapshot, run_id: str, evaluations: Mapping[str, Evaluation], curves: Mapping[str, ValueCurves]
) -> None:
    """Draw accuracy against NDR, one panel an optimiser at its greatest strength."""
    models = warehouse.reward_models(snapshot, run_id)
    pairs = {name: data.pairs(evaluation, models, curves[name]) for name, evaluation in evaluations.items()}
    panels = []
    for name, of_optimizer in pairs.items():
        title = text.at(curves[name])
        defined = frames.defined(of_optimizer)
        if defined.is_empty():
            st.info(
                f"No golden–proxy pair is defined for {title}: for no golden is its own gain clearly different from 0."
            )
        else:
            drawn = frames.drawn(defined, curves[name].reward_models)
            panels.append(titled(scatter(drawn, MEASURES["accuracy"]), title[:1].upper() + title[1:]))
    if not panels:
        return
    notes = [
        "One point per golden–proxy pair, at each optimiser's greatest strength; the dashed line is the least-squares "
        "fit. If accuracy predicted the policy perfectly, the points would rise from left to right.",
        *(text.undefined(evaluation, curves[name]) for name, evaluation in evaluations.items()),
        text.left_out(list(curves.values())),
        overoptimisation_text.not_drawn(max(len(curve.reward_models) for curve in curves.values())),
    ]
    figure.show(
        "overview",
        panels,
        pl.concat(pairs.values()).drop("chosen", "defined"),
        title="Accuracy of the proxy, and how much of the gain its policy keeps (NDR)",
        note=" ".join(note for note in notes if note),
        alt="Accuracy against NDR, one panel an optimiser, one point a golden–proxy pair",
        file_name=f"{run_id}-overview",
        code=notebook_code.overview(run_id, tuple(evaluations)),
        columns=columns.pairs(MEASURES["accuracy"]),
        facts={"run_id": run_id, "measure": "accuracy"},
    )


def paper(run_id: str, evaluations: Mapping[str, Evaluation]) -> None:
    """Draw this run's correlations and the paper's."""
    frame = data.against_paper(evaluations)
    figure.show(
        "paper",
        against_paper(frame),
        frame,
        title="Compared with the paper",
        note=f"This run: {estimates.KEY}. ◇\N{NO-BREAK SPACE}the paper's plain correlations. {the_paper.SETTING}",
        alt="Correlations of accuracy with NDR, this run's and the paper's",
        file_name=f"{run_id}-beside-the-paper",
        code=notebook_code.overview(run_id, tuple(evaluations)),
        columns={
            **columns.correlations("This run"),
            "paper": st.column_config.NumberColumn("The paper", format="%.3f", help="Wen et al., arXiv 2410.05584"),
        },
        facts={"run_id": run_id, "measure": "accuracy"},
    )
