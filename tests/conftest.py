"""Fixtures that several rooms share: real runs of the real pipeline, each made once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SMOKE_RUN = "smoke-test"
QUICK_RUN = "quick-test"
_MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def main_stays() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, which a process spawned later would run first."""
    yield
    sys.modules["__main__"] = _MAIN


def righttree(*arguments: str, home: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=options.get("timeout", 300),  # type: ignore[arg-type]
    )


def _home_with_run(home: Path, profile: str, run_id: str) -> Path:
    """Make the run in `home`, or copy it from `RIGHTTREE_TEST_RUNS`, which keeps runs between test sessions.

    Delete that folder after a change that should change a run's rows.
    """
    keep = os.environ.get("RIGHTTREE_TEST_RUNS")
    kept = Path(keep) / profile if keep else None
    if kept is not None and kept.is_dir():
        return Path(shutil.copytree(kept, home, symlinks=True, dirs_exist_ok=True))
    done = righttree("run", "--profile", profile, "--run-id", run_id, home=home, timeout=1500)
    assert done.returncode == 0, done.stderr
    if kept is not None:
        shutil.copytree(home, kept, symlinks=True)
    return home


@pytest.fixture(scope="session")
def smoke_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published run of the profile `smoke`, uninterrupted. Tests must not write into it."""
    return _home_with_run(tmp_path_factory.mktemp("smoke-home"), "smoke", SMOKE_RUN)


@pytest.fixture(scope="session")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published run of the profile `quick`: some minutes. Tests must not write into it."""
    return _home_with_run(tmp_path_factory.mktemp("quick-home"), "quick", QUICK_RUN)
