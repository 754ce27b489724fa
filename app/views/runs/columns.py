"""The part of the import form that shows the first rows of the uploaded files and asks what their columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from app.components import trouble
from app.views.runs import data, text
from warehouse.exchange import ColumnMap

_ROWS = 5
_MOST_FILES = 3
_FIRST_ROWS = "import.first_rows"
_PER_LINE = 4


def assigned(files: Sequence[tuple[str, bytes]], file_ids: Sequence[str], uploads: int) -> ColumnMap | None:
    """Draw the rows and a choice for everything a column can be; returns what was chosen.

    None if a file cannot be read, which is then said.
    """
    frames: Mapping[str, pl.DataFrame] | None = None
    with trouble.shown():
        frames = _first_rows(files, tuple(file_ids))
    if not frames:  # None, or the archive of a run
        return None if frames is None else ColumnMap()
    for name, frame in list(frames.items())[:_MOST_FILES]:
        st.caption(text.first_rows(name, _ROWS))
        st.dataframe(data.readable(frame), hide_index=True)
    if len(frames) > _MOST_FILES:
        st.caption(text.more_files(len(frames) - _MOST_FILES))
    st.caption(text.COLUMNS)
    offered = list(dict.fromkeys(name for frame in frames.values() for name in _offered(frame)))
    sources = {}
    for start in range(0, len(text.COLUMN_ROLES), _PER_LINE):
        for place, (role, words) in zip(
            st.columns(_PER_LINE), list(text.COLUMN_ROLES.items())[start : start + _PER_LINE], strict=False
        ):
            chosen = place.selectbox(
                words.title,
                offered,
                index=None,
                placeholder=text.BY_NAME,
                help=words.help,
                key=f"import.column.{role}.{uploads}",
            )
            if chosen is not None and chosen != role:
                sources[role] = chosen
    numbers = [name for name in offered if any(_is_number(frame, name) for frame in frames.values())]
    scorers = st.multiselect(
        text.SCORERS.title,
        numbers,
        placeholder=text.BY_NAME,
        help=text.SCORERS.help,
        key=f"import.scorers.{uploads}",
    )
    return ColumnMap(sources, tuple(scorers), only=bool(scorers))


def _first_rows(files: Sequence[tuple[str, bytes]], file_ids: tuple[str, ...]) -> Mapping[str, pl.DataFrame]:
    """Read once for the files that are in the field, not again for every choice."""
    cached = st.session_state.get(_FIRST_ROWS)
    if cached is None or cached[0] != file_ids:
        cached = file_ids, data.first_rows(files, _ROWS)
        st.session_state[_FIRST_ROWS] = cached
    frames: Mapping[str, pl.DataFrame] = cached[1]
    return frames


def _offered(frame: pl.DataFrame) -> list[str]:
    """The columns, and what is in those that hold objects, as paths."""
    names = []
    for column in frame:
        names.append(column.name)
        cell = next((cell for cell in column.to_list() if cell is not None), None)
        if isinstance(cell, dict):
            names += [f"{column.name}.{key}" for key in cell]
    return names


def _is_number(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column may be a scorer: of numbers, by type or as text."""
    if name not in frame.columns:
        return False
    column = frame[name]
    if column.dtype == pl.String():
        column = column.str.strip_chars().cast(pl.Float64(), strict=False)
        return bool(column.is_not_null().any())
    return column.dtype.is_numeric()
