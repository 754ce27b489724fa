"""What the run says, a sentence each with its figure, linking to the page that shows it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app import access_overview, overview_wording
from app.access import Snapshot
from app.widgets import links
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict
from warehouse.measures.value_curves import ValueCurves

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


def show(snapshot: Snapshot, run_id: str, run: str | None, curves: Mapping[str, ValueCurves]) -> None:
    """Draw the findings: those on every optimiser, then what concerns the reward models alone."""
    st.subheader("What this run says", anchor=False)
    by_name: dict[str, list[str]] = {}
    for optimizer, one in curves.items():
        for finding in access_overview.findings(snapshot, run_id, optimizer):
            icon = _ICONS[finding.verdict]
            by_name.setdefault(finding.name, []).append(
                f"{icon} {overview_wording.sentence(finding, overview_wording.at(one))}"
            )
    for name, sentences in by_name.items():
        _finding(name, sentences, run)
    finding = access_overview.length_finding(snapshot, run_id)
    icon = ":material/straighten:" if finding.verdict == "holds" else _ICONS[finding.verdict]
    _finding("length", [f"{icon} {overview_wording.sentence(finding, '')}"], run)


def _finding(name: str, sentences: list[str], run: str | None) -> None:
    page, choice = _PAGES[name]
    with st.container(border=True, gap="small", key=f"finding-{name}"):
        for sentence in sentences:
            st.markdown(sentence)
        links.to(page, run=run, **choice)
