"""Pipes and devices in the place of files: one line, at once, and they are what they were before."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from pipeline.errors import NotWritten, write_errors
from tests.conftest import righttree
from warehouse import files

ENDLESS = "/dev/zero"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that nobody writes to: whoever opens it to read waits for ever."""
    path = tmp_path / "scores.csv"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["import", "FILE"],
        ["import", "--check", "FILE"],
        ["data", "FILE"],
        ["run", "--profile", "FILE.toml", "--estimate"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("special", ["pipe", "device"])
def test_what_is_read_has_to_be_a_file(tmp_path: Path, command: list[str], special: str) -> None:
    path = tmp_path / ("scores.toml" if "FILE.toml" in command else "scores.csv")
    if special == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(ENDLESS)
    done = righttree(*(str(path) if "FILE" in word else word for word in command), home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: is a {'named pipe' if special == 'pipe' else 'device'}, not a file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_parquet_file_of_a_data_set_has_to_be_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.parquet")
    done = righttree("data", str(tmp_path / "pairs.parquet"), home=tmp_path / "home")
    assert done.returncode == 2
    assert "pairs.parquet: is a named pipe, not a file" in done.stderr


def test_outcomes_have_to_be_a_file(pipe: Path, smoke_home: Path) -> None:
    done = righttree("outcomes", str(pipe), "--run", "smoke-test", home=smoke_home)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is a named pipe, not a file" in done.stderr


@pytest.mark.parametrize("command", ["measure --export", "audit --export", "data x.csv --to"])
def test_what_is_written_replaces_no_pipe(smoke_home: Path, pipe: Path, command: str) -> None:
    done = righttree(*command.split(), str(pipe), home=smoke_home)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{command.split()[-1]} {pipe}: it is a named pipe; name a file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_no_write_replaces_a_pipe_or_a_socket(pipe: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="it is a named pipe, not a file"):
        files.write_text(pipe, "text")
    with pytest.raises(NotWritten, match=r"cannot be written \(it is a named pipe, not a file\)"), write_errors(pipe):
        files.write_text(pipe, "text")
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "socket"))
        assert files.special(tmp_path / "socket") == "a socket"
    assert files.special(Path(ENDLESS)) == "a device"
    for path in (tmp_path, tmp_path / "nothing", Path(__file__), Path("a\0b")):
        assert files.special(path) is None
