"""What is done with an upload's folder, within the limits of uploads: `request.json` says what, the answer is JSON.

`python -m pipeline.uploads FOLDER` does it in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.runs.exchange import import_files
from warehouse import exchange
from warehouse.exchange.reading import read_sheets
from warehouse.exchange.reading.columns import series_of

REQUEST = "request.json"
_PLAIN = {str(dtype): dtype for dtype in (pl.Int64(), pl.Float64(), pl.Boolean(), pl.String())}


def answer(folder: Path) -> dict[str, Any]:
    """Do what the request says; raises what `import_files` and the readers of files raise."""
    request = json.loads((folder / REQUEST).read_text())
    files = [folder / "files" / name for name in request["files"]]
    if request["task"] == "first_rows":
        sheets = read_sheets(files, limits=exchange.UPLOADED)
        return {sheet.name: _cells(sheet.frame.head(request["rows"])) for sheet in sheets}
    if files[0].name.lower().endswith(exchange.ARCHIVE):
        run = folder / "run"
        exchange.unpack(files[0].name, files[0].read_bytes(), run, exchange.UPLOADED)
        files = [run]
    choices, columns = request["choices"], request["columns"]
    imported = import_files(
        Path(request["data"]),
        files,
        request["run_id"],
        "auto",
        None if choices is None else exchange.Choices(**_with_tuples(choices)),
        columns=None if columns is None else exchange.ColumnMap(**_with_tuples(columns)),
        limits=exchange.UPLOADED,
    )
    return asdict(imported)


def frames_of(answered: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """The frames in an answer about first rows, by the name of their file."""
    return {
        name: pl.DataFrame([_series(column, **cells) for column, cells in columns.items()])
        for name, columns in answered.items()
    }


def _cells(frame: pl.DataFrame) -> dict[str, Any]:
    return {column.name: {"dtype": str(column.dtype), "values": column.to_list()} for column in frame}


def _series(name: str, dtype: str, values: list[Any]) -> pl.Series:
    """The column again; lists and objects are objects as JSON has them."""
    return pl.Series(name, values, _PLAIN[dtype]) if dtype in _PLAIN else series_of(values).rename(name)


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
