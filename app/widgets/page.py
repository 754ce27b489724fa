"""How a page that explores a run begins: what is published, what is chosen, the sidebar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import access
from app.access import Snapshot
from app.selection import Options, Selection
from app.widgets import choice, controls, empty, watch
from app.widgets.controls import Part


@dataclass(frozen=True)
class Page:
    """What a page shows from its first line to its last; `notes` say what a link asked for in vain."""

    snapshot: Snapshot
    chosen: Selection
    options: Options
    notes: list[str]


def begin(parts: Sequence[Part]) -> Page | None:
    """Restore the choice and draw the sidebar's parts; None, with a page that says so, where nothing is published."""
    snapshot = access.snapshot()
    if snapshot is None or not access.has_runs(snapshot):
        empty.show()
        return None
    chosen, options, notes = choice.restore(snapshot)
    controls.show(chosen, options, access.runs(snapshot), parts)
    with st.sidebar:
        watch.show(snapshot)
    return Page(snapshot, chosen, options, notes)
