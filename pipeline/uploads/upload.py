"""What the dashboard does with uploaded files: look at their first rows, and import them as one run.

Names and sizes are checked here. The files are not opened here: whatever they hold, they cannot harm the server that
other visitors use. `pipeline.uploads.child` has them read by another process.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import InvalidUpload, PipelineError
from pipeline.runs import locks
from pipeline.runs.exchange import Imported
from pipeline.uploads import child
from pipeline.uploads.work import REQUEST, frames_of
from warehouse import exchange
from warehouse.errors import WarehouseError

MOST_BYTES = 200 * 2**20
"""Most bytes of all files of an upload together; `righttree import` takes larger ones."""
_MOST_FILES = 100
UPLOAD = ".upload-"
"""How the name of an upload's folder in the data folder begins."""

Execute = Callable[[Path], dict[str, Any]]
"""Does what a folder's request says and returns the answer; `child.execute` does it in another process."""


def import_uploads(
    data: Path,
    files: Sequence[tuple[str, bytes]],
    run_id: str | None,
    choices: exchange.Choices | None = None,
    *,
    columns: exchange.ColumnMap | None = None,
    execute: Execute = child.execute,
) -> Imported:
    """Publish uploaded files (name, content) as one run; the archive of an exported run has to be the only file.

    Raises InvalidUpload before anything is written, or if reading takes too much memory or time, and what
    `import_files` raises.
    """
    request = {
        "task": "import",
        "run_id": run_id,
        "choices": None if choices is None else asdict(choices),
        "columns": None if columns is None else asdict(columns),
    }
    with _uploaded(data, files, request) as folder:
        answer = execute(folder)
    return Imported(**answer | {"notes": tuple(answer["notes"])})


def first_rows(
    data: Path, files: Sequence[tuple[str, bytes]], rows: int, *, execute: Execute = child.execute
) -> dict[str, pl.DataFrame]:
    """The first rows of each uploaded file, by name, to see what its columns are; none of an exported run.

    Raises what `import_uploads` raises for files that cannot be read.
    """
    _check(files)
    if files[0][0].lower().endswith(exchange.ARCHIVE):
        return {}
    with _uploaded(data, files, {"task": "first_rows", "rows": rows}) as folder:
        return frames_of(execute(folder))


@contextmanager
def _uploaded(data: Path, files: Sequence[tuple[str, bytes]], request: dict[str, Any]) -> Iterator[Path]:
    """A folder with the files and the request, for as long as it is needed; those of killed servers are removed."""
    _check(files)
    try:
        data.mkdir(parents=True, exist_ok=True)
        with _among_uploads(data):
            folder = data / f"{UPLOAD}{secrets.token_hex(8)}"
            try:
                (folder / "files").mkdir(parents=True)
                names = [name for name, _ in files]
                (folder / REQUEST).write_text(json.dumps(request | {"data": str(data), "files": names}))
                for name, content in files:
                    (folder / "files" / name).write_bytes(content)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except (PipelineError, WarehouseError):  # some of these are system errors too
        raise
    except OSError as error:
        raise InvalidUpload(f"{data} cannot be written ({error.strerror}); make room or set RIGHTTREE_HOME") from error


@contextmanager
def _among_uploads(data: Path) -> Iterator[None]:
    """Remove what killed servers left, unless another upload is being read; nobody removes anything meanwhile.

    The data folder itself is locked, so that an upload leaves nothing in it, not even a lock.
    """
    descriptor = os.open(data, os.O_RDONLY)
    try:
        with suppress(OSError):  # something cannot be removed, or this file system locks no folders
            locks.share(descriptor, data.glob(f"{UPLOAD}*"))
        yield
    finally:
        os.close(descriptor)


def _check(files: Sequence[tuple[str, bytes]]) -> None:
    if not files:
        raise InvalidUpload("no files: give one with scores, or the ZIP of an exported run")
    total_mib, most_mib = sum(len(content) for _, content in files) / 2**20, MOST_BYTES // 2**20
    if total_mib > most_mib:
        message = f"the files have {total_mib:,.0f} MiB, an upload may have {most_mib} MiB"
        raise InvalidUpload(f"{message}; import them with `righttree import`")
    if len(files) > _MOST_FILES:
        raise InvalidUpload(f"{len(files)} files, more than the {_MOST_FILES} that an upload may have: join some")
    endings = (*exchange.EXTENSIONS, exchange.ARCHIVE)
    names = [name for name, _ in files]
    for name in names:
        if name != Path(name).name or name.startswith(".") or not name.isprintable():
            raise InvalidUpload(f"{name!r} is not a plain file name: rename the file")
        if not name.lower().endswith(endings):
            raise InvalidUpload(f"{name}: unknown kind of file; use one of {', '.join(endings)}")
        if names.count(name) > 1:
            raise InvalidUpload(f"{name}: two files of this name; give each file once, or rename one")
    archives = [name for name in names if name.lower().endswith(exchange.ARCHIVE)]
    if archives and len(files) > 1:
        raise InvalidUpload(f"{archives[0]}: an exported run is imported alone; give it and nothing else")
