"""A page's choice while the page is open: read from the URL or the session, written back, and bound to widgets.

`begin` is the first line of a page. It returns a `Page`: the choice, fitted to its run, and what that run offers.
Widgets show the choice stored in the session and change it through `bound`; a URL that differs from the last one
written (because a link was opened or edited) replaces it. All pages show the same run, which the session stores,
because the links of the navigation bar name none. An address always names its run: one that is not here, or a link that
fits another run, is offered and not replaced by other figures (`components/other_run.py`). No other module reads or
writes the URL. `app/state.py` says how to add a choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, links, other_run, progress, trouble
from app.components.formats import escape
from app.offers import Fitting
from app.state import Chosen, PageChoice, from_query, to_query
from app.views.runs import data
from warehouse import labels, reads
from warehouse.errors import WarehouseError

Offered = TypeVar("Offered")
Fit = Callable[[Snapshot, Fitting[Chosen], str], Offered]
"""`fit(snapshot, fitting, run_id)` leaves out of a choice what the run cannot give, and returns what the run offers."""

EVERY, RARELY = "2s", "10s"
"""How often an open page checks for progress while a run is in progress, and for a new build while none is."""

_RUN = "session.run"
_KIND = "session.page"
_KNOWN = "session.known_runs"
_MOST_TRIED = 4
"""In how many other runs a link that names none is tried."""
_MOST_TABLES = 20
_FIGURE = re.compile(r"[a-z][a-z-]{0,40}")


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
    _stop_for_another_run(kind, snapshot, fit)
    page = restore(kind, snapshot, fit)
    with st.sidebar:
        _choose_run(page.chosen, snapshot)
        _offer_new_runs(kind, page)
        _copy_link(kind)
        if controls is not None:
            controls(page)
        glossary.show()
        _watch(snapshot, trouble.count_failed_exports())
    st.title(title if isinstance(title, str) else title(page.chosen))
    trouble.notes(page.notes)
    trouble.failed_exports()
    return page


def restore(kind: type[Chosen], snapshot: Snapshot, fit: Fit[Chosen, Offered]) -> Page[Chosen, Offered]:
    """The page's choice, fitted to its run, and what that run offers. Writes the URL."""
    st.session_state[_KIND] = kind
    choice, notes = _choice(kind)
    runs = warehouse.runs(snapshot)
    fitting = Fitting(choice)
    fitting.allow("run", runs["run_id"].to_list(), "not in the warehouse")
    run_id = fitting.chosen.run or str(reads.runs.default_of(runs, _labels().pinned))
    fitting.change(run=run_id)
    figures = [name for name in fitting.chosen.table[:_MOST_TABLES] if _FIGURE.fullmatch(name)]
    fitting.allow_each("table", figures, "no such figure")
    offered = fit(snapshot, fitting, run_id)
    st.session_state[_chosen_key(kind)] = fitting.chosen
    keep_run(run_id)
    _write(kind)
    return Page(snapshot, run_id, fitting.chosen, offered, notes + fitting.notes)


def _choice(kind: type[Chosen]) -> tuple[Chosen, list[str]]:
    """The choice of the link that was opened, with what cannot be read of it; else that of the session."""
    query = parameters()
    if not query or query == st.session_state.get(_written_key(kind)):
        return replace(st.session_state.get(_chosen_key(kind), kind()), run=st.session_state.get(_RUN)), []
    choice, notes = from_query(kind, query)
    return (choice if choice.run else replace(choice, run=st.session_state.get(_RUN))), notes


def parameters() -> dict[str, list[str]]:
    """What the address says after the page's path; a name may be in it several times."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _write(kind: type[PageChoice]) -> None:
    """Write the page's choice into the URL."""
    written = to_query(st.session_state[_chosen_key(kind)])
    if written != parameters():
        st.query_params.from_dict(written)
    st.session_state[_written_key(kind)] = written


def change(kind: type[PageChoice], **values: Any) -> None:
    """Change a page's choice, for its next run; call it from a callback."""
    key = _chosen_key(kind)
    st.session_state[key] = replace(st.session_state.get(key, kind()), **values)
    if "run" in values:
        keep_run(values["run"])


def keep_run(run_id: str) -> None:
    """Show this run on every page from now on."""
    st.session_state[_RUN] = run_id


def shown_run() -> str | None:
    """The run that the session's last page showed; None before the first."""
    shown: str | None = st.session_state.get(_RUN)
    return shown


def is_table(figure: str) -> bool:
    """Whether this figure of the page is shown as a table."""
    kind = st.session_state.get(_KIND, PageChoice)
    return figure in st.session_state.get(_chosen_key(kind), kind()).table


def show_table(figure: str, *, shown: bool) -> None:
    """Show this figure as a table, or as a chart again, and say so in the URL; call it from a callback."""
    kind = st.session_state.get(_KIND, PageChoice)
    others = [name for name in st.session_state.get(_chosen_key(kind), kind()).table if name != figure]
    change(kind, table=(*others, figure) if shown else tuple(others))
    _write(kind)  # a figure may be drawn again without its page


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


def _labels() -> labels.Labels:
    return labels.read(warehouse.home())


def _stop_for_another_run(kind: type[Chosen], snapshot: Snapshot, fit: Fit[Chosen, Offered]) -> None:
    """Offer another run, and stop, where the one that is named is not here, or where a link without one fits another.

    Showing the default run instead would show other figures than those that the link was made for.
    """
    (choice, _), query = _choice(kind), parameters()
    runs = warehouse.runs(snapshot)
    names, default = runs["run_id"].to_list(), str(reads.runs.default_of(runs, _labels().pinned))
    if choice.run is not None and choice.run not in names:
        other_run.not_here(choice.run, default, lambda run_id: _open(kind, choice, run_id))
        _watch(snapshot, trouble.count_failed_exports())
        st.stop()
    if choice == kind() or not query or query == st.session_state.get(_written_key(kind)) or "run" in query:
        return
    shown = choice.run or default
    unfit = _notes(snapshot, fit, choice, shown)
    fitting = [name for name in names[: _MOST_TRIED + 1] if name != shown and _notes(snapshot, fit, choice, name) == []]
    if unfit and fitting:
        other_run.fits(fitting, shown, unfit, lambda run_id: _open(kind, choice, run_id))
        st.stop()


def _notes(snapshot: Snapshot, fit: Fit[Chosen, Offered], choice: Chosen, run_id: str) -> list[str] | None:
    """What a run leaves out of a choice; None for a run that the page cannot show."""
    fitting = Fitting(replace(choice, run=run_id))
    with suppress(WarehouseError):
        fit(snapshot, fitting, run_id)
        return fitting.notes
    return None


def _open(kind: type[Chosen], choice: Chosen, run_id: str) -> None:
    """Show a link's choice in this run; call it from a callback."""
    st.session_state[_chosen_key(kind)] = replace(choice, run=run_id)
    keep_run(run_id)
    st.session_state[_written_key(kind)] = parameters()


def _choose_run(chosen: PageChoice, snapshot: Snapshot) -> None:
    titles = _labels()
    note = titles.of(chosen.run or "").note
    st.selectbox(
        "Run",
        warehouse.runs(snapshot)["run_id"].to_list(),
        format_func=titles.title,
        help="A run whose results can be explored. Type to search. The Runs page names, pins and deletes runs.",
        **bound(chosen, "run", chosen.run),
    )
    if note:
        st.caption(escape(note))


def _offer_new_runs(kind: type[PageChoice], page: Page[Any, Any]) -> None:
    """Offer the runs that were published since the session began; none is shown unasked."""
    names = warehouse.runs(page.snapshot)["run_id"].to_list()
    known = st.session_state.setdefault(_KNOWN, set(names))
    known.add(page.run_id)
    new = [name for name in names if name not in known]
    if new:
        other_run.new(_labels().title(new[0]), show=lambda: change(kind, run=new[0]), dismiss=lambda: known.update(new))


@st.fragment
def _copy_link(kind: type[PageChoice]) -> None:
    """The whole address of what is shown, to copy; made when it is opened, as figures change it by themselves."""
    with st.popover(
        "Copy link", icon=":material/link:", key="copy-link", type="tertiary", on_change="rerun"
    ) as popover:
        if popover.open:
            query = to_query(st.session_state[_chosen_key(kind)])
            st.caption("Opens this page with this run and every choice:")
            st.code(f"{st.context.url or ''}?{urlencode(query, doseq=True)}", language=None, wrap_lines=True)


def _watch(shown: Snapshot, failed_exports: int) -> None:
    """Rerun the page when a new build is published or an export failed; until then, show the progress of runs."""
    is_working = bool(warehouse.running(warehouse.home()))

    def look() -> None:
        running = warehouse.running(warehouse.home())
        now = (warehouse.snapshot(), trouble.count_failed_exports(), bool(running))
        if now != (shown, failed_exports, is_working):
            st.rerun()
        for run in running:
            progress.show_compact(run)

    st.fragment(look, run_every=EVERY if is_working else RARELY)()


def _nothing_published() -> None:
    st.title("Nothing to explore yet")
    _first_steps()


@st.fragment(run_every=EVERY)
def _first_steps() -> None:
    """Say what is missing and what to do; while a run is in progress, show it."""
    if warehouse.has_runs(warehouse.snapshot()):
        st.rerun()
    running = warehouse.running(warehouse.home())
    if running:
        st.markdown("A run is in progress. Its results appear here when it finishes; there is no need to reload.")
        with st.container(border=True):
            progress.show(running[0])
        return
    st.markdown(f"No run has been published in the data folder **{escape(str(warehouse.home()))}**.")
    if not data.is_read_only():
        st.markdown("Start a run, resume a stopped one, or import scores from elsewhere:")
        links.to("runs", "To the Runs page")
    first = "Start" if data.is_read_only() else "Or start"
    st.markdown(
        f"{first} a first run in a terminal. It takes a few minutes, and its results appear here without a reload:"
    )
    st.code("righttree run --profile quick", language=None)
    st.caption("If your runs are in another folder, set RIGHTTREE_HOME to it and start `righttree app` again.")


def _chosen_key(kind: type[PageChoice]) -> str:
    return f"{kind.__name__}.chosen"


def _written_key(kind: type[PageChoice]) -> str:
    return f"{kind.__name__}.written"
