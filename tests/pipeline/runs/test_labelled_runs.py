"""The list of runs, their names and pins, and the recorded run: listed, restored, and why it cannot be extended."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import ReadOnly, ResultsOnly, UnknownRun
from pipeline.runs import exchange, jobs
from tests.conftest import righttree
from tests.helpers import simulated
from warehouse import exchange as files
from warehouse import labels


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with the published runs `mine` and, newer by its name, `other`; the recorded one is absent."""
    for run_id in ("mine", "other"):
        simulated.publish(tmp_path / "home", run_id=run_id, P=4, Q=4, M=3)
    return tmp_path / "home"


@pytest.fixture
def package(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small run in the place of the recorded one that comes with the package."""
    source = simulated.publish(tmp_path / "source", run_id="recorded", P=4, Q=4, M=3)
    folder = tmp_path / "recorded"
    files.export_run(source, None, folder)
    monkeypatch.setattr(exchange, "RECORDED", folder)
    return folder


def test_a_name_a_note_and_the_pin_are_in_the_list(home: Path) -> None:
    done = righttree("label", "mine", "--name", "Less noise", "--note", "the second try", "--pin", home=home)
    assert (done.returncode, done.stdout) == (0, "mine (pinned): Less noise; the second try\n")
    lines = righttree("runs", home=home).stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("mine"))
    assert lines[place].endswith("pinned")
    assert lines[place + 1].strip() == "Less noise · the second try"
    assert "reward models" in righttree("measure", "--replicates", "10", home=home).stdout
    assert righttree("label", "mine", "--unpin", home=home).returncode == 0
    assert labels.read(home).pinned is None


def test_commands_take_the_pinned_run_where_none_is_named(home: Path, tmp_path: Path) -> None:
    assert righttree("export", str(tmp_path / "first"), home=home).stdout.startswith("other")
    righttree("label", "mine", "--pin", home=home)
    assert righttree("export", str(tmp_path / "second"), home=home).stdout.startswith("mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone", "--pin"), "no run 'gone'"),
        (("mine",), "nothing to change"),
        (("mine", "--name", "x" * 61), "use at most 60"),
    ],
)
def test_what_cannot_be_labelled_is_said_in_one_line(home: Path, arguments: tuple[str, ...], message: str) -> None:
    done = righttree("label", *arguments, home=home)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr


def test_a_read_only_server_changes_no_label(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    for change in (
        lambda: jobs.label(home, "mine", name="x"),
        lambda: jobs.pin(home, "mine"),
        lambda: jobs.restore(home),
    ):
        with pytest.raises(ReadOnly):
            change()
    assert not (home / labels.FILE).exists()


def test_a_deleted_run_loses_its_label(home: Path) -> None:
    jobs.label(home, "mine", name="Less noise")
    jobs.pin(home, "mine")
    jobs.delete(home, "mine")
    assert labels.read(home) == labels.Labels()


def test_the_recorded_run_is_listed_where_it_is_absent_and_restored(home: Path, package: Path) -> None:
    assert (
        "recorded  absent       comes with righttree; `righttree restore` publishes it\n"
        in righttree("runs", home=home).stdout
    )
    done = righttree("restore", home=home)
    assert done.returncode == 0
    assert done.stdout.startswith("recorded: 3 reward models")
    assert righttree("restore", home=home).stdout == "recorded is published already\n"
    listed = righttree("runs", home=home).stdout
    assert "recorded  published    comes with righttree, results only\n" in listed
    assert "absent" not in listed
    jobs.delete(home, "recorded")
    assert jobs.restore(home) is not None


@pytest.mark.parametrize(
    "command",
    [
        ("extend", "recorded", "--flip-rate", "0.15"),
        ("extend", "recorded", "--flip-rate", "0.15", "--estimate"),
        ("resume", "recorded"),
        ("resume", "recorded", "--retry"),
        ("cancel", "recorded"),
        ("export-rm", "--run", "recorded", "--reward-model", "flip-0.000", "new"),
    ],
    ids=" ".join,
)
def test_the_recorded_run_says_at_once_why_nothing_can_be_computed_in_it(
    home: Path, package: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.models import installed

    monkeypatch.setattr(installed, "PIPELINE_PACKAGES", ("no_such_package",))  # installing it would not help
    righttree("restore", home=home)
    done = righttree(*command, home=home)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "has results only" in done.stderr
    assert "righttree run --profile recorded" in done.stderr


def test_jobs_of_the_page_say_the_same_and_a_name_that_is_nowhere_is_unknown(home: Path) -> None:
    for work in (partial(jobs.extend, additions={}), jobs.resume, jobs.retry):
        with pytest.raises(ResultsOnly, match="results only"):
            work(home, "mine")
    with pytest.raises(UnknownRun) as refused:
        jobs.resume(home, "nowhere")
    assert not isinstance(refused.value, ResultsOnly)


def test_a_reward_model_is_not_looked_for_on_a_hub_where_the_run_is_unknown(home: Path) -> None:
    done = righttree("add-rm", "--run", "nowhere", "--model", "nobody/invented-model", home=home)
    assert done.returncode == 2
    assert "no run 'nowhere'" in done.stderr
