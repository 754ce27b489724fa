"""The figures of the Overview: accuracy against NDR for each optimiser, and the paper's correlations beside ours."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app import access, curve_frames, curve_wording, frames, overview_frames, overview_wording
from app.access import Snapshot
from app.charts.beside import beside
from app.charts.layers import titled
from app.charts.scatter import scatter
from app.widgets import columns, figure
from app.widgets.model_figures import MOST_IN_SQUARE
from warehouse import paper as the_paper
from warehouse.measures import MEASURES, Evaluation
from warehouse.measures.value_curves import ValueCurves


def scatters(
    snapshot: Snapshot, run_id: str, evaluations: Mapping[str, Evaluation], curves: Mapping[str, ValueCurves]
) -> None:
    """Draw accuracy against NDR, one panel an optimiser at its greatest strength."""
    models = access.reward_models(snapshot, run_id)
    names = {optimizer: one.reward_models for optimizer, one in curves.items()}
    panels = []
    for optimizer, evaluation in evaluations.items():
        pairs = frames.defined(overview_frames.pairs_of(evaluation, models, names[optimizer]))
        title = overview_wording.at(curves[optimizer])
        if pairs.is_empty():
            st.info(f"No golden–proxy pair is defined for {title}: no golden's own gain can be told from zero.")
        else:
            drawn = curve_frames.among(pairs, names[optimizer][:MOST_IN_SQUARE])
            panels.append(titled(scatter(drawn, MEASURES["accuracy"]), title[:1].upper() + title[1:]))
    if not panels:
        return
    notes = [overview_wording.undefined(evaluations[name], curves[name]) for name in evaluations]
    notes.append(overview_wording.left_out(list(curves.values())))
    notes.append(curve_wording.cut(MOST_IN_SQUARE, max(map(len, names.values()))).strip())
    figure.show(
        "overview",
        panels,
        overview_frames.pairs(evaluations, models, names).drop("chosen", "defined"),
        title="Accuracy against what is kept of the gain",
        note="One point a golden–proxy pair, at each optimiser's greatest strength; the dashed line is the "
        f"least-squares fit. {'; '.join(filter(None, notes))}",
        alt="Accuracy against NDR, one panel an optimiser, one point a golden–proxy pair",
        file_name=f"{run_id}-overview",
        columns=columns.pairs(MEASURES["accuracy"]),
        facts={"run_id": run_id, "measure": "accuracy"},
    )


def paper(run_id: str, evaluations: Mapping[str, Evaluation]) -> None:
    """Draw this run's correlations beside the paper's."""
    frame = overview_frames.beside_the_paper(evaluations)
    figure.show(
        "paper",
        beside(frame),
        frame,
        title="Beside the paper",
        note=f"Dots: this run, with 95% intervals. Diamonds: {the_paper.SETTING}",
        alt="Correlations of accuracy with NDR, this run's and the paper's",
        file_name=f"{run_id}-beside-the-paper",
        columns={
            "optimizer": "Optimiser",
            "correlation": "Correlation",
            "ours": st.column_config.NumberColumn("This run", format="%.3f"),
            "low": st.column_config.NumberColumn("95% from", format="%.3f"),
            "high": st.column_config.NumberColumn("to", format="%.3f"),
            "paper": st.column_config.NumberColumn("The paper", format="%.3f", help="Wen et al., arXiv 2410.05584"),
        },
        facts={"run_id": run_id, "measure": "accuracy"},
    )
