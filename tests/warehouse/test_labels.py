"""Names, notes and the pinned run: what is written is read again, and what is refused changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warehouse import files, labels
from warehouse.errors import InvalidChoice, WarehouseError
from warehouse.labels import Label, Labels


def test_a_name_and_a_note_change_each_on_their_own(tmp_path: Path) -> None:
    labels.change(tmp_path, "one", name="Less noise", note="first try\nsecond line")
    labels.change(tmp_path, "one", note="")
    labels.pin(tmp_path, "two")
    read = labels.read(tmp_path)
    assert read == Labels("two", {"one": Label("Less noise", "")})
    assert (read.title("one"), read.title("two")) == ("Less noise (one)", "two")


@pytest.mark.parametrize(
    "text", ["a\x1b[31mred", "right\u202eleft", "two\nlines", "x" * 61], ids=["escape", "bidi", "lines", "long"]
)
def test_a_name_with_control_characters_or_too_long_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidChoice):
        labels.change(tmp_path, "one", name=text)
    assert labels.read(tmp_path) == Labels()


def test_a_deleted_run_is_forgotten(tmp_path: Path) -> None:
    labels.change(tmp_path, "one", name="Mine")
    labels.pin(tmp_path, "one")
    labels.forget(tmp_path, "one")
    assert labels.read(tmp_path) == Labels()


def test_the_file_is_read_once_until_it_is_changed(tmp_path: Path) -> None:
    labels.change(tmp_path, "one", name="Mine")
    first = labels.read(tmp_path)
    assert labels.read(tmp_path) is first
    status = (tmp_path / labels.FILE).stat()
    files.write_text(tmp_path / labels.FILE, (tmp_path / labels.FILE).read_text().replace("Mine", "Ours"))
    os.utime(tmp_path / labels.FILE, ns=(status.st_atime_ns, status.st_mtime_ns))  # as within one tick of the clock
    assert labels.read(tmp_path).of("one").name == "Ours"
    (tmp_path / labels.FILE).unlink()
    assert labels.read(tmp_path) == Labels()


@pytest.mark.parametrize("content", ["", "[]", '{"pinned": 3}', '{"pinned": null, "runs": {"one": "x"}}'])
def test_a_damaged_file_counts_as_none_and_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / labels.FILE).write_text(content)
    assert labels.read(tmp_path) == Labels()
    with pytest.raises(WarehouseError, match="cannot be read"):
        labels.change(tmp_path, "one", name="Mine")
    assert (tmp_path / labels.FILE).read_text() == content
