"""One page's choice between two runs of it: kept in the session, mirrored in the URL, as `choice` does for Explore.

Widgets are tied to a field by `bound`; a URL that differs from what was last written replaces the choice. The run is
the session's, on every page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st

from app import access, wording
from app.access import Snapshot
from app.page_choice import Chosen, Fitting, PageChoice, from_query, to_query
from app.widgets import session_run

Offered = TypeVar("Offered")
_NEWEST = ""  # a selectbox takes None for "nothing chosen"


def restore(
    kind: type[Chosen], snapshot: Snapshot, fit: Callable[[Fitting[Chosen], str], Offered]
) -> tuple[Chosen, str, Offered, list[str]]:
    """The page's choice fitted to its run, that run's id, what `fit` found on offer there, and notes. Writes the URL.

    `fit(fitting, run_id)` narrows the choice to what the run has.
    """
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    chosen_key, written_key = _key(kind, "chosen"), _key(kind, "written")
    notes: list[str] = []
    if query and query != st.session_state.get(written_key):
        asked, notes = from_query(kind, query)
    else:
        asked = replace(st.session_state.get(chosen_key, kind()), run=session_run.get())
    runs = access.runs(snapshot)
    fitting = Fitting(asked)
    fitting.one("run", runs["run_id"].to_list(), "not in the warehouse")
    run_id = fitting.chosen.run or wording.newest(runs)
    offered = fit(fitting, run_id)
    st.session_state[chosen_key] = fitting.chosen
    session_run.keep(fitting.chosen.run)
    written = to_query(fitting.chosen)
    if written != query:
        st.query_params.from_dict(written)
    st.session_state[written_key] = written
    return fitting.chosen, run_id, offered, notes + fitting.notes


def change(kind: type[PageChoice], **fields: Any) -> None:
    """Change a page's choice, for its next run; call it from a callback."""
    key = _key(kind, "chosen")
    st.session_state[key] = replace(st.session_state[key], **fields)
    session_run.took(fields)


def bound(chosen: PageChoice, field: str, value: object, **also: Any) -> dict[str, Any]:
    """The arguments that tie a widget to a field of the choice, the value put into it.

    `also` are fields to set beside it when it changes: choices that hang on it, set back.
    """
    key = _key(type(chosen), field)
    st.session_state[key] = value
    return {"key": key, "on_change": _took, "args": (type(chosen), field, also)}


def choose_run(chosen: PageChoice, snapshot: Snapshot) -> None:
    """The control of the run, the first of every page's."""
    runs = access.runs(snapshot)
    st.selectbox(
        "Run",
        [_NEWEST, *runs["run_id"]],
        format_func=lambda run_id: run_id or f"Newest: {wording.newest(runs)}",
        help="A finished run of the pipeline. *Newest* moves on to each run that finishes.",
        **bound(chosen, "run", chosen.run or _NEWEST),
    )


def _took(kind: type[PageChoice], field: str, also: dict[str, Any]) -> None:
    value = st.session_state[_key(kind, field)]
    if value is None or value == _NEWEST:
        value = getattr(kind(), field)
    change(kind, **{field: tuple(value) if isinstance(value, list) else value, **also})


def _key(kind: type[PageChoice], field: str) -> str:
    return f"{kind.__name__}.{field}"
