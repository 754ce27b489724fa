"""A real run with a file cut off or a bit of it turned over: the line names the file, and to do what it says helps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

from pipeline.__main__ import main
from pipeline.runs import RunDirectory
from tests.conftest import TINY_RUN
from tests.reliability.conftest import Resume
from tests.reliability.test_damage import flipped
from tests.reliability.undone import assert_like_the_uninterrupted, copied, undo

pytestmark = pytest.mark.reliability


@pytest.fixture
def run(tiny_home: Path, tmp_path: Path) -> RunDirectory:
    """A copy of the finished run, in a folder whose name a shell would split."""
    return copied(tiny_home, tmp_path / "a folder; with $words")


def damage(path: Path, how: str) -> None:
    content, rng = path.read_bytes(), Random(1)
    path.write_bytes(flipped(rng, content) if how == "a bit" else content[: rng.randrange(len(content))])


def refused(command: list[str], path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that meets the damaged file; returns what the line says should be removed."""
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    line = said.splitlines()[-1]
    assert line.startswith(f"righttree: run {TINY_RUN}: {path} is cut off or changed")
    remove, again = re.findall("`([^`]*)`", line)
    assert again == f"righttree resume {TINY_RUN}"
    return str(remove)


def is_repaired(run: RunDirectory, remove: str, resume: Resume, tiny_home: Path) -> None:
    """Do what the line says, in a shell, and hold the run against the one that was never damaged."""
    subprocess.run(remove, shell=True, check=True)
    home = run.path.parent.parent
    assert resume(home) == 0
    assert_like_the_uninterrupted(home, tiny_home)


@pytest.mark.parametrize(
    ("part", "how"),
    [
        pytest.param("prompt/prompts-00000.parquet", "a bit", marks=pytest.mark.deep),
        ("preference/preferences-00000.parquet", "a bit"),
        pytest.param("label/reward_models-flip-0.20.parquet", "the end", marks=pytest.mark.deep),
        ("score/scores-00000.parquet", "the end"),
        pytest.param("policy_value/best_of_n-00000.parquet", "a bit", marks=pytest.mark.deep),
        pytest.param("score/ppo-flip-0.40-00002.parquet", "the end", marks=pytest.mark.deep),
        ("manifest.json", "a bit"),
        pytest.param("manifest.json", "the end", marks=pytest.mark.deep),
    ],
)
def test_the_command_in_publishs_message_repairs_the_damage(
    run: RunDirectory,
    part: str,
    how: str,
    resume: Resume,
    tiny_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(run.path.parent.parent))
    damage(run.path / part, how)
    is_repaired(run, refused(["publish", TINY_RUN], run.path / part, capsys), resume, tiny_home)


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("work/features/00000.safetensors", "reward_models"),
        ("work/reward_models/flip-0.20/model.safetensors", "scores"),
    ],
)
def test_the_command_in_a_stopped_runs_message_repairs_the_damage(
    run: RunDirectory,
    file: str,
    stage: str,
    resume: Resume,
    tiny_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(run.path.parent.parent))
    undo(run, stage)
    damage(run.path / file, "a bit")
    remove = refused(["resume", TINY_RUN], run.path / file, capsys)
    assert run.error() is not None
    is_repaired(run, remove, resume, tiny_home)
    assert run.error() is None


@pytest.mark.parametrize("stage", ["scores", "ppo"])
def test_a_marker_that_is_cut_off_counts_as_absent_and_no_part_is_computed_again(
    run: RunDirectory, stage: str, resume: Resume, tiny_home: Path
) -> None:
    parts = {path: path.stat().st_mtime_ns for path in run.path.glob("*/*.parquet")}
    damage(run.path / "stages" / f"{stage}.json", "the end")
    (run.path / "stages" / "publish.json").unlink(missing_ok=True)
    is_repaired(run, "true", resume, tiny_home)
    assert {path: path.stat().st_mtime_ns for path in run.path.glob("*/*.parquet")} == parts
