"""How a page that looks into one run begins: what is published, what is chosen, the sidebar, the title."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic

import streamlit as st

from app import access
from app.access import Snapshot
from app.page_choice import Chosen, Fitting
from app.widgets import empty, page_state, trouble, watch
from app.widgets.page_state import Offered


@dataclass(frozen=True)
class RunPage(Generic[Chosen, Offered]):
    """What such a page shows from its first line to its last; `offered` is what its `fit` found in the run."""

    snapshot: Snapshot
    run_id: str
    chosen: Chosen
    offered: Offered


def begin(
    kind: type[Chosen],
    title: str,
    fit: Callable[[Snapshot, Fitting[Chosen], str], Offered],
    controls: Callable[[RunPage[Chosen, Offered]], None],
) -> RunPage[Chosen, Offered] | None:
    """Restore the choice, draw the sidebar and the title; None, with a page that says so, where nothing is published.

    `fit(snapshot, fitting, run_id)` narrows the choice to what the run has; `controls` stand below that of the run.
    """
    snapshot = access.snapshot()
    if snapshot is None or not access.has_runs(snapshot):
        empty.show()
        return None
    chosen, run_id, offered, notes = page_state.restore(kind, snapshot, partial(fit, snapshot))
    page = RunPage(snapshot, run_id, chosen, offered)
    with st.sidebar:
        page_state.choose_run(chosen, snapshot)
        controls(page)
        watch.show(snapshot)
    st.title(title)
    trouble.notes(notes)
    return page
