"""The figures of the Overview: accuracy against NDR for each optimiser, and the paper's correlations beside ours.

What the run says, a sentence each with its figure, linking to the page that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts.pairs import scatter
from app.charts.runs import beside
from app.charts.style import titled
from app.components import columns, figure, links
from app.views.overoptimisation import data as overoptimisation_data
from app.views.overoptimisation import text as overoptimisation_text
from app.views.overview import data, text
from app.views.reward_models.figures import MOST_IN_SQUARE
from warehouse import paper as the_paper
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict
from warehouse.study import MEASURES, Evaluation
from warehouse.study.value_curves import ValueCurves


def scatters(
    snapshot: Snapshot, run_id: str, evaluations: Mapping[str, Evaluation], curves: Mapping[str, ValueCurves]
) -> None:
    """Draw accuracy against NDR, one panel an optimiser at its greatest strength."""
    models = warehouse.reward_models(snapshot, run_id)
    names = {optimizer: one.reward_models for optimizer, one in curves.items()}
    panels = []
    for optimizer, evaluation in evaluations.items():
        pairs = frames.defined(data.pairs_of(evaluation, models, names[optimizer]))
        title = text.at(curves[optimizer])
        if pairs.is_empty():
            st.info(f"No golden–proxy pair is defined for {title}: no golden's own gain can be told from zero.")
        else:
            drawn = overoptimisation_data.among(pairs, names[optimizer][:MOST_IN_SQUARE])
            panels.append(titled(scatter(drawn, MEASURES["accuracy"]), title[:1].upper() + title[1:]))
    if not panels:
        return
    notes = [text.undefined(evaluations[name], curves[name]) for name in evaluations]
    notes.append(text.left_out(list(curves.values())))
    notes.append(overoptimisation_text.cut(MOST_IN_SQUARE, max(map(len, names.values()))).strip())
    figure.show(
        "overview",
        panels,
        data.pairs(evaluations, models, names).drop("chosen", "defined"),
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
    frame = data.beside_the_paper(evaluations)
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


_PAGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "predicts": ("explore", {}),
    "responses": ("test-sets", {"study": "responses"}),
    "measure": ("measures", {}),
    "harder": ("overoptimisation", {}),
    "length": ("reward-models", {}),
}
"""Page of each finding, and the choice there that shows it."""

_ICONS: Mapping[Verdict, str] = {
    "holds": ":material/check:",
    "does not hold": ":material/close:",
    CANNOT_BE_TOLD: ":material/question_mark:",
    "undefined": ":material/block:",
}


def findings(snapshot: Snapshot, run_id: str, run: str | None, curves: Mapping[str, ValueCurves]) -> None:
    """Draw the findings: those on every optimiser, then what concerns the reward models alone."""
    st.subheader("What this run says", anchor=False)
    by_name: dict[str, list[str]] = {}
    for optimizer, one in curves.items():
        for finding in data.findings(snapshot, run_id, optimizer):
            icon = _ICONS[finding.verdict]
            by_name.setdefault(finding.name, []).append(f"{icon} {text.sentence(finding, text.at(one))}")
    for name, sentences in by_name.items():
        _finding(name, sentences, run)
    finding = data.length_finding(snapshot, run_id)
    icon = ":material/straighten:" if finding.verdict == "holds" else _ICONS[finding.verdict]
    _finding("length", [f"{icon} {text.sentence(finding, '')}"], run)


def _finding(name: str, sentences: list[str], run: str | None) -> None:
    page, choice = _PAGES[name]
    with st.container(border=True, gap="small", key=f"finding-{name}"):
        for sentence in sentences:
            st.markdown(sentence)
        links.to(page, run=run, **choice)
