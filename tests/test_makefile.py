"""`make run`: the port is checked before anything is installed, and what is installed is shown."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.browser.serving import free_port

ROOT = Path(__file__).parent.parent

PYTHON = """#!/bin/sh
# Stands in for the system's Python: makes an environment whose pip prints what it is asked for.
case "$*" in
  "-m venv .venv")
    mkdir -p .venv/bin
    printf '#!/bin/sh\\necho pip "$@"\\n' > .venv/bin/pip
    chmod +x .venv/bin/pip
    ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it depends on, and a Python that installs nothing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As from a shell: under `make test` it would inherit that one's flags, and say which folder it enters."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=place, env=plain, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_port_that_is_taken_is_said_before_anything_is_installed(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = make(place, "run", f"PORT={port}")
    assert done.returncode != 0
    assert done.stdout == f"port {port} is in use, or is none: make run PORT=8502\n"
    assert not (place / ".venv").exists()
    assert make(place, "port", f"PORT={free_port()}").returncode == 0


def test_it_shows_what_it_installs(place: Path) -> None:
    done = make(place, "install", "PYTHON=./python")
    assert done.returncode == 0, done.stderr
    assert "Installing righttree with torch and transformers into .venv" in done.stdout
    (command,) = [line for line in done.stdout.splitlines() if line.startswith("pip install")]
    assert "--quiet" not in command
    assert command.endswith("--editable .[pipeline]")
