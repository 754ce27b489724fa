"""A page's choice while the page is open: read from the URL or the session, written back, and bound to widgets.

`begin` is the first line of a page. It returns a `Page`: the choice, fitted to its run, and what that run offers.
Widgets show the choice stored in the session and change it through `bound`; a URL that differs from the last one
written (because a link was opened or edited) replaces it. All pages show the same run, which the session stores,
because the links of the navigation bar name none. No other module reads or writes the URL. `app/state.py` says how to
add a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, links, progress, trouble
from app.components.formats import escape
from app.offers import Fitting
from app.state import Chosen, PageChoice, from_query, to_query
from app.views.runs import data

Offered = TypeVar("Offered")
Fit = Callable[[Snapshot, Fitting[Chosen], str], Offered]
"""`fit(snapshot, fitting, run_id)` leaves out of a choice what the run cannot give, and returns what the run offers."""

EVERY = "2s"
"""How often an open page checks for a new build and for progress."""

_RUN = "session.run"
_NEWEST = ""  # a selectbox takes None for "nothing chosen"


@dataclass(frozen=True)
class Page(Generic[Chosen, Offered]):
    """What a page shows from its first line to its last.

    `offered` is what the page's `fit` returned; `notes` say what was left out of a link, and why.
    """

    snapshot: Snapshot
    run_id: str
    chosen: Chosen
    offered: Offered
    notes: list[str]


def begin(
    kind: type[Chosen],
    *,
    title: str | Callable[[Chosen], str],
    fit: Fit[Chosen, Offered],
    controls: Callable[[Page[Chosen, Offered]], None] | None = None,
) -> Page[Chosen, Offered]:
    """Restore the choice; draw the sidebar, the title and the notes. If nothing is published, say so and stop.

    `controls` draws the page's own controls in the sidebar, below the run.
    """
    snapshot = warehouse.snapshot()
    if snapshot is None or not warehouse.has_runs(snapshot):
        _nothing_published()
        st.stop()
    page = restore(kind, snapshot, fit)
    with st.sidebar:
        _choose_run(page.chosen, snapshot)
        if controls is not None:
            controls(page)
        glossary.show()
        _watch(snapshot)
    st.title(title if isinstance(title, str) else title(page.chosen))
    trouble.notes(page.notes)
    return page


def restore(kind: type[Chosen], snapshot: Snapshot, fit: Fit[Chosen, Offered]) -> Page[Chosen, Offered]:
    """The page's choice, fitted to its run, and what that run offers. Writes the URL."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    notes: list[str] = []
    if query and query != st.session_state.get(_written_key(kind)):
        choice, notes = from_query(kind, query)
    else:
        choice = replace(st.session_state.get(_chosen_key(kind), kind()), run=st.session_state.get(_RUN))
    runs = warehouse.runs(snapshot)
    fitting = Fitting(choice)
    fitting.allow("run", runs["run_id"].to_list(), "not in the warehouse")
    run_id = fitting.chosen.run or runs["run_id"][0]
    offered = fit(snapshot, fitting, run_id)
    st.session_state[_chosen_key(kind)] = fitting.chosen
    keep_run(fitting.chosen.run)
    written = to_query(fitting.chosen)
    if written != query:
        st.query_params.from_dict(written)
    st.session_state[_written_key(kind)] = written
    return Page(snapshot, run_id, fitting.chosen, offered, notes + fitting.notes)


def change(kind: type[PageChoice], **values: Any) -> None:
    """Change a page's choice, for its next run; call it from a callback."""
    key = _chosen_key(kind)
    st.session_state[key] = replace(st.session_state[key], **values)
    if "run" in values:
        keep_run(values["run"])


def keep_run(run_id: str | None) -> None:
    """Show this run on every page from now on; None is the newest."""
    st.session_state[_RUN] = run_id


def bound(
    chosen: PageChoice,
    field: str,
    value: object,
    *,
    unset: object = None,
    resets: Sequence[str] = (),
    then: Callable[[], None] | None = None,
    place: str = "",
) -> dict[str, Any]:
    """The arguments that bind a widget, which shows `value`, to a field of the choice.

    - `unset`: the widget's value that means the field's default, besides None and an empty text.
    - `resets`: fields that depend on this one and are reset to their defaults when it changes.
    - `then`: what else to do after a change.
    - `place`: distinguishes a second widget of the same field on the page.
    """
    key = f"choose.{field}{place}"
    kind = type(chosen)

    def update() -> None:
        now = st.session_state[key]
        if now is None or now in ("", unset):
            now = getattr(kind(), field)
        defaults = {name: getattr(kind(), name) for name in resets}
        change(kind, **{field: tuple(now) if isinstance(now, list) else now, **defaults})
        if then is not None:
            then()

    st.session_state[key] = value
    return {"key": key, "on_change": update}


def several(
    label: str, chosen: PageChoice, field: str, offered: Sequence[str], *, help_text: str, resets: Sequence[str] = ()
) -> None:
    """Pills for a field of several values; nothing where there is only one to choose."""
    if len(offered) > 1:
        arguments = bound(chosen, field, list(getattr(chosen, field)), resets=resets)
        st.pills(label, offered, selection_mode="multi", help=help_text, **arguments)


def _choose_run(chosen: PageChoice, snapshot: Snapshot) -> None:
    runs = warehouse.runs(snapshot)
    st.selectbox(
        "Run",
        [_NEWEST, *runs["run_id"]],
        format_func=lambda run_id: run_id or f"Newest: {runs['run_id'][0]}",
        help="A finished run of the pipeline. *Newest* always shows the run that finished last.",
        **bound(chosen, "run", chosen.run or _NEWEST),
    )


@st.fragment(run_every=EVERY)
def _watch(shown: Snapshot) -> None:
    """Rerun the page when a new build is published; until then, show the progress of a run."""
    if warehouse.snapshot() != shown:
        st.rerun()
    for run in warehouse.list_runs():
        if run.state == "running":
            progress.show_compact(run)


def _nothing_published() -> None:
    st.title("Nothing to explore yet")
    _first_steps()


@st.fragment(run_every=EVERY)
def _first_steps() -> None:
    """Say what is missing and what to do; while a run is in progress, show it."""
    if warehouse.has_runs(warehouse.snapshot()):
        st.rerun()
    running = [run for run in warehouse.list_runs() if run.state == "running"]
    if running:
        st.markdown("A run is in progress. Its results appear here when it finishes; there is no need to reload.")
        with st.container(border=True):
            progress.show(running[0])
        return
    st.markdown(f"No run has been published in the data folder **{escape(str(warehouse.home()))}**.")
    if not data.is_read_only():
        st.markdown("Start a run, resume a stopped one, or import scores from elsewhere:")
        links.to("runs", "To the Runs page")
    st.markdown(
        "Or start a first run in a terminal. It takes a few minutes, and its results appear here without a reload:"
    )
    st.code("righttree run --profile quick", language=None)
    st.caption("If your runs are in another folder, set RIGHTTREE_HOME to it and start `righttree app` again.")


def _chosen_key(kind: type[PageChoice]) -> str:
    return f"{kind.__name__}.chosen"


def _written_key(kind: type[PageChoice]) -> str:
    return f"{kind.__name__}.written"
