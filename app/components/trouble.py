"""Errors in one clear line instead of a traceback, and notes on what a link asked for in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app.components.formats import escape
from pipeline.runs.jobs import PipelineError
from warehouse import store
from warehouse.errors import WarehouseError

_EXPORTS = "exports.failed"


@contextmanager
def shown() -> Iterator[None]:
    """Show an error of the warehouse or of a run's folder, whose messages are meant for users, and stop there."""
    try:
        yield
    except (WarehouseError, PipelineError) as error:
        st.warning(escape(str(error)), icon=":material/error:")
    except store.Damaged as error:
        st.warning(escape(store.damage(store.home(), error)), icon=":material/error:")


@contextmanager
def keeping(key: str) -> Iterator[None]:
    """Keep such an error under a key of the session, until `show_kept` is dismissed or the next attempt succeeds."""
    st.session_state.pop(key, None)
    try:
        yield
    except (WarehouseError, PipelineError) as error:
        st.session_state[key] = str(error)
    except store.Damaged as error:
        st.session_state[key] = store.damage(store.home(), error)


def show_kept(key: str) -> None:
    """Show the error that was kept, with a button that dismisses it."""
    if key in st.session_state:
        st.warning(escape(st.session_state[key]), icon=":material/error:")
        st.button("Dismiss", key=f"{key}.dismiss", on_click=lambda: st.session_state.pop(key, None))


def noting(file_name: str, make: Callable[[], bytes]) -> Callable[[], bytes]:
    """`make` for a download, with its failure noted for `failed_exports`: Streamlit's message is gone in five seconds.

    It runs outside of the session, which is therefore asked here.
    """
    failures: dict[str, str] = st.session_state.setdefault(_EXPORTS, {})

    def noted() -> bytes:
        try:
            content = make()
        except Exception as error:
            failures[file_name] = f"{type(error).__name__}: {error}"
            raise
        failures.pop(file_name, None)
        return content

    return noted


def failed_exports() -> None:
    """Show which files could not be made, and why, until they are dismissed or made after all."""
    failures: dict[str, str] = st.session_state.get(_EXPORTS, {})
    if failures:
        lines = [f"- {escape(name)}: {escape(why)}" for name, why in sorted(failures.items())]
        st.error("\n".join(["Not exported:", "", *lines]), icon=":material/error:")
        st.button("Dismiss", on_click=lambda: st.session_state.pop(_EXPORTS, None), key="dismiss-exports")


def count_failed_exports() -> int:
    """How many files of this session could not be made."""
    return len(st.session_state.get(_EXPORTS, {}))


def notes(notes: Sequence[str]) -> None:
    """Show what was left out of a link or an earlier choice, and why."""
    if notes:
        st.warning(left_out(notes), icon=":material/link_off:")


def left_out(notes: Sequence[str]) -> str:
    """One line of Markdown for these notes, which may hold text from a link."""
    return f"Ignored: {'; '.join(escape(note) for note in notes)}."
