"""What the README tells a reader to type is run, and what it links to is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from threading import Timer

import polars as pl
import pytest

from pipeline.__main__ import build_parser, main
from tests import conftest
from tests.browser import serving
from tests.conftest import TINY_RUN
from tests.pipeline.reward_models_elsewhere import checkpoint
from tests.test_recorded import test_the_findings_are_what_the_command_writes as written_findings
from warehouse import reads, store

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

BLOCKS = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^righttree .*$", BLOCKS, re.MULTILINE)]
WITHOUT_END = ["runs", "--watch"]
RUN_BY: dict[tuple[str, ...], Callable[..., object]] = {
    ("run", "--profile", "quick"): conftest.quick_home,
    ("run", "--profile", "smoke"): conftest.smoke_home,
    ("app", "--port", "8501"): serving.served,
    ("findings", "--run", "recorded", "--output", "findings.md"): written_findings,
}
"""What takes minutes, or has no end, and is run all the same: by what other tests stand on."""
TARGETS = ("--output", "--export", "--to")
ON_RECORDED = {"audit", "choose", "measure", "predict", "report", "power", "findings", "export", "outcomes", "ensemble"}
ON_RECORDED |= {"restore"}


@pytest.fixture(scope="module")
def desk(tiny_home: Path, recorded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader may have it: a run of one's own, the recorded one, the sample files, a reward model."""
    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(tiny_home, desk / "own", symlinks=True)
    shutil.copytree(recorded_home, desk / "recorded", symlinks=True)
    checkpoint(desk / "FOLDER")
    shutil.copytree(ROOT / "examples", desk / "examples")
    return desk


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_works(
    desk: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the README's order, in one folder: what one command leaves is there for the next."""
    if tuple(arguments) in RUN_BY:
        pytest.skip(f"run by {RUN_BY[tuple(arguments)].__name__}")
    monkeypatch.chdir(desk)
    monkeypatch.setenv("RIGHTTREE_HOME", str(desk / ("recorded" if arguments[0] in ON_RECORDED else "own")))
    arguments = [TINY_RUN if argument == "RUN" else argument for argument in arguments]
    if arguments == WITHOUT_END:
        command = [sys.executable, "-m", "pipeline", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            end = Timer(120, watching.kill)
            end.start()
            assert watching.stdout is not None
            lists = (line for line in watching.stdout if line.startswith(f"{TINY_RUN}  published"))
            assert len(list(islice(lists, 2))) == 2
            end.cancel()
            watching.kill()
        return
    assert main(arguments) == 0, capsys.readouterr().err


def test_they_leave_what_they_say(desk: Path) -> None:
    assert pl.read_csv(desk / "measures.csv").height > 5
    assert pl.read_parquet(desk / "pairs.parquet").height > 0
    assert (desk / "exported" / "score.parquet").exists()
    with store.open_read_only(desk / "own") as connection:
        runs = reads.runs.all_runs(connection)["run_id"].to_list()
        models = [set(reads.runs.reward_models(connection, run)["reward_model_id"]) for run in runs]
    assert TINY_RUN not in runs  # deleted
    assert len(runs) == 3  # extended, joined by a reward model, imported
    assert any("flip-0.15" in names for names in models)
    assert any("FOLDER" in names for names in models)


def test_what_they_write_is_ignored_by_git(desk: Path) -> None:
    own = {"own", "recorded", "examples", "FOLDER"}
    written = sorted(path.name for path in desk.iterdir() if path.name not in own)
    assert len(written) > 5
    assert untracked(written) == []
    beside, given = (sorted(path.name for path in (place / "examples").iterdir()) for place in (desk, ROOT))
    assert beside == given


def test_the_files_that_commands_name_are_ignored_by_git() -> None:
    targets = [words[place + 1] for words in COMMANDS for place, word in enumerate(words) if word in TARGETS]
    targets += [str(build_parser().parse_args(words).folder) for words in COMMANDS if words[0].startswith("export")]
    assert len(targets) > 5
    assert untracked(targets) == []
    assert untracked(["README.md", "examples/elo.csv", "docs/items.csv"]) != []


def untracked(names: Sequence[str]) -> list[str]:
    """Which of these names, in the repository's root, git does not ignore."""
    command = ["git", "-C", str(ROOT), "check-ignore", "--no-index", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [name for name in names if name not in done.stdout.splitlines()]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_file_that_a_command_reads_comes_with_the_repository(words: list[str]) -> None:
    """`FOLDER` stands for a reader's own reward model, `RUN` for a run."""
    written = {words[place + 1] for place, word in enumerate(words[:-1]) if word in TARGETS}
    read = [word for word in words if re.search(r"/|\.(csv|jsonl?|parquet)$", word) and word not in written]
    assert [word for word in read if not (ROOT / word).is_file()] == []


@pytest.mark.parametrize("target", re.findall(r"^make ([\w-]+)", README, re.MULTILINE))
def test_every_make_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
