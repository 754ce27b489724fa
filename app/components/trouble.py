"""Errors in one clear line instead of a traceback, and notes on what a link asked for in vain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app.components.formats import escape
from pipeline.runs.jobs import PipelineError
from warehouse import store
from warehouse.errors import WarehouseError


@contextmanager
def shown() -> Iterator[None]:
    """Show an error of the warehouse or of a run's folder, whose messages are meant for users, and stop there."""
    try:
        yield
    except (WarehouseError, PipelineError) as error:
        st.warning(escape(str(error)), icon=":material/error:")
    except store.Damaged as error:
        st.warning(escape(store.damage(store.home(), error)), icon=":material/error:")


def notes(notes: Sequence[str]) -> None:
    """Show what was left out of a link or an earlier choice, and why."""
    if notes:
        st.warning(left_out(notes), icon=":material/link_off:")


def left_out(notes: Sequence[str]) -> str:
    """One line of Markdown for these notes, which may hold text from a link."""
    return f"Ignored: {'; '.join(escape(note) for note in notes)}."
