"""What people say about runs: a name, a note, and which run is pinned; `labels.json` in the data folder.

    {"pinned": "quick-2", "runs": {"quick-2": {"name": "Less noise", "note": "…"}}}

They are no results: nothing is published again when they change, and an export does not contain them.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from warehouse import files
from warehouse.errors import InvalidChoice, WarehouseError

FILE = "labels.json"
MOST_LETTERS: Mapping[str, int] = {"name": 60, "note": 2000}
"""How long a name and a note can be."""
_LOCK = ".labels.lock"
_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Label:
    """The name and the note of a run; empty if there is none."""

    name: str = ""
    note: str = ""


@dataclass(frozen=True)
class Labels:
    """The run that is pinned (None: none is), and the labels by run."""

    pinned: str | None = None
    by_run: Mapping[str, Label] = field(default_factory=dict)

    def of(self, run_id: str) -> Label:
        """The label of a run; an empty one if it has none."""
        return self.by_run.get(run_id, Label())

    def title(self, run_id: str) -> str:
        """How a list calls a run: `Less noise (quick-2)`, or its id."""
        name = self.of(run_id).name
        return f"{name} ({run_id})" if name else run_id


def read(data: Path) -> Labels:
    """The labels of a data folder; none where there is no file, or none that can be read."""
    try:
        return _parsed(data)
    except WarehouseError:
        return Labels()


def change(data: Path, run_id: str, *, name: str | None = None, note: str | None = None) -> Label:
    """Set the name and the note of a run (None: as it is, empty: none). Returns the label.

    Raises InvalidChoice for one that is too long or holds control characters, and WarehouseError if the labels cannot
    be read or written.
    """
    texts = {field: text.strip() for field, text in (("name", name), ("note", note)) if text is not None}
    for field_name, text in texts.items():
        if len(text) > MOST_LETTERS[field_name]:
            most = MOST_LETTERS[field_name]
            raise InvalidChoice(f"the {field_name} has {len(text)} letters; use at most {most}")
        lines = [text] if field_name == "name" else text.splitlines()
        if not all(line.isprintable() for line in lines):
            raise InvalidChoice(f"the {field_name} {text!r:.80} holds control characters; leave them out")

    def labelled(labels: Labels) -> Labels:
        return replace(labels, by_run={**labels.by_run, run_id: replace(labels.of(run_id), **texts)})

    return _changed(data, labelled).of(run_id)


def pin(data: Path, run_id: str | None) -> None:
    """Make this run the one that is shown and measured by default; None: none is pinned."""
    _changed(data, lambda labels: replace(labels, pinned=run_id))


def forget(data: Path, run_id: str) -> None:
    """Remove the label and the pin of a run that was deleted."""

    def without(labels: Labels) -> Labels:
        by_run = {name: label for name, label in labels.by_run.items() if name != run_id}
        return Labels(None if labels.pinned == run_id else labels.pinned, by_run)

    labels = read(data)
    if run_id in labels.by_run or labels.pinned == run_id:
        _changed(data, without)


def _changed(data: Path, change: Callable[[Labels], Labels]) -> Labels:
    """Read, change and write, while no other process does."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with (data / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            labels = change(_parsed(data))
            runs = {
                name: {"name": label.name, "note": label.note}
                for name, label in labels.by_run.items()
                if label != Label()
            }
            files.write_json(data / FILE, {"pinned": labels.pinned, "runs": runs})
    except OSError as error:
        raise WarehouseError(f"{data / FILE} cannot be written ({error.strerror}); make room or change it") from error
    return labels


def _parsed(data: Path) -> Labels:
    path = data / FILE
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Labels()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _content(path, (status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=16)
def _content(path: Path, _: tuple[int, ...]) -> Labels:
    """The file as it is: a page asks several times, and a changed file has another inode, time or size."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise ValueError("no file of labels")
        content = json.loads(path.read_text(encoding="utf-8"))
        by_run = {run_id: Label(str(label["name"]), str(label["note"])) for run_id, label in content["runs"].items()}
        pinned = content["pinned"]
        return Labels(None if pinned is None else str(pinned), by_run)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> WarehouseError:
    return WarehouseError(f"{path} cannot be read ({error}); remove it to start without names and notes")
