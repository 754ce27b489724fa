"""The user's choice between two runs of a page: kept in the session, mirrored in the URL.

The session's `Selection` is the one truth. Widgets show it and change it through `took`; a URL that differs from what
was last written (a link was opened, or edited by hand) replaces it. The run is the session's, on every page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from app import access, wording
from app.access import Snapshot
from app.fitting import fitted, with_known_run, with_known_sources
from app.selection import Options, Selection, from_query, to_query
from app.widgets import session_run
from warehouse.errors import InvalidChoice

_CHOSEN = "selection"
_WRITTEN = "selection.written"


def restore(snapshot: Snapshot) -> tuple[Selection, Options, list[str]]:
    """The choice, fitted to its run, that run's options, and notes on what had to be left out. Writes the URL."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    notes: list[str] = []
    if query and query != st.session_state.get(_WRITTEN):
        asked, notes = from_query(query)
    else:
        asked = replace(st.session_state.get(_CHOSEN, Selection()), run=session_run.get())
    runs = access.runs(snapshot)
    chosen, unknown_run = with_known_run(asked, runs["run_id"].to_list())
    run_id = chosen.run or wording.newest(runs)
    chosen, unknown_sources = with_known_sources(chosen, access.sources(snapshot, run_id))
    try:
        options = access.options(snapshot, run_id, chosen.source())
    except InvalidChoice as error:
        if chosen.source() == access.PLAIN:
            raise
        unknown_sources.append(f"sources and paraphrases ({error})")
        chosen = replace(chosen, sources=(), paraphrase=0.0)
        options = access.options(snapshot, run_id, chosen.source())
    chosen, unfit = fitted(chosen, options)
    st.session_state[_CHOSEN] = chosen
    session_run.keep(chosen.run)
    _write(to_query(chosen), query)
    return chosen, options, notes + unknown_run + unknown_sources + unfit


def change(**fields: Any) -> None:
    """Change the choice, for the next run of the page; call it from a callback."""
    st.session_state[_CHOSEN] = replace(st.session_state[_CHOSEN], **fields)
    session_run.took(fields)


def took(key: str, field: str, unset: object = "") -> None:
    """Callback of a widget: take its value over into a field of the choice; the value `unset` is no choice."""
    value = st.session_state[key]
    change(**{field: tuple(value) if isinstance(value, list) else None if value == unset else value})


def bound(field: str, value: object, unset: object = "", place: str = "") -> dict[str, Any]:
    """The arguments that tie a widget to a field of the choice, the value put into it.

    `place` tells a second widget of the same field, elsewhere on the page, from the first.
    """
    key = f"choose.{field}{place}"
    st.session_state[key] = value
    return {"key": key, "on_change": took, "args": (key, field, unset)}


def _write(query: dict[str, list[str]], shown: dict[str, list[str]]) -> None:
    if query != shown:
        st.query_params.from_dict(query)
    st.session_state[_WRITTEN] = query
