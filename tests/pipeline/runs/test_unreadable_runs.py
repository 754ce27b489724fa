"""A run with a small file that is damaged, or of a newer version, is shown as unreadable, and all others normally."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import runs
from pipeline.__main__ import main
from pipeline.config import load_profile
from pipeline.runs import jobs
from pipeline.runs.progress import Progress
from pipeline.stages import STAGES

SMOKE = load_profile("smoke")
PROGRESS: dict[str, Any] = {
    "started_at": "2026-11-23T17:07:00+00:00",
    "updated_at": "2026-11-23T17:08:00+00:00",
    "stages": [{"name": "prompts", "state": "done", "done": 3, "total": 3, "unit": "prompts", "wall_s": 1.5}],
}
MANIFEST: dict[str, Any] = {"run_id": "broken", "wall_s": 1.5, "host": {}, "stages": {"prompts": {"wall_s": 1.5}}}
RAY_JOB = {"address": "http://127.0.0.1:1", "job": "righttree-broken"}
CONTENT = {
    "config.json": SMOKE.model_dump(mode="json"),
    "created.json": {"created_at": "2026-11-23T17:07:00.123456+00:00"},
    "progress.json": PROGRESS,
    "manifest.json": MANIFEST,
    "ray-job.json": RAY_JOB,
    "ray-answer.json": {"job": "righttree-broken", "state": "PENDING", "asked_at": "2026-11-23T17:08:00+00:00"},
}
"""Every small file that a listing reads, as a run has it."""


def _write(content: bytes) -> Callable[[Path, Any], None]:
    return lambda path, _: path.write_bytes(content) and None


def _truncated(path: Path, good: Any) -> None:
    text = json.dumps(good)
    path.write_text(text[: len(text) // 2])


def _wrong_types(path: Path, good: Any) -> None:
    path.write_text(json.dumps({name: [{"no": "such thing"}] for name in good}))


def _folder(path: Path, good: Any) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


DAMAGE: dict[str, Callable[[Path, Any], None]] = {
    "truncated": _truncated,
    "wrong types": _wrong_types,
    "not JSON": _write(b"<html>"),
    "not text": _write(b"\xff\xfe\x00"),
    "a list": _write(b"[1, 2]"),
    "a number": _write(b"5"),
    "null": _write(b"null"),
    "deep": _write(b"[" * 100_000),
    "empty": _write(b""),
    "a folder": _folder,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a run `good` and a newer one, `broken`, which has every small file."""
    runs.create(tmp_path, SMOKE, "good")
    broken = runs.create(tmp_path, SMOKE, "broken")
    for name, content in CONTENT.items():
        (broken.path / name).write_text(json.dumps(content))
    return tmp_path


def states(data: Path) -> dict[str, str]:
    return {run.run_id: run.state for run in jobs.list_runs(data)}


def test_with_whole_files_both_are_readable(data: Path) -> None:
    assert states(data) == {"broken": "waiting", "good": "interrupted"}
    status = jobs.status(data, "broken")
    assert status.stages[0].done == 3
    assert status.cluster_answer == CONTENT["ray-answer.json"]


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", CONTENT)
def test_a_damaged_file_makes_one_run_unreadable_and_no_other(data: Path, name: str, how: str) -> None:
    path = runs.runs_folder(data) / "broken" / name
    DAMAGE[how](path, CONTENT[name])
    assert states(data) == {"broken": "unreadable", "good": "interrupted"}
    error = jobs.status(data, "broken").error
    assert error is not None
    assert error.startswith("run broken: ")
    assert "\n" not in error
    assert jobs.log_tail(data, "broken") == ""
    assert jobs.estimate(data, SMOKE).sources
    assert jobs.stopped(data, SMOKE) == "good"
    jobs.delete(data, "broken")
    assert states(data) == {"good": "interrupted"}


@pytest.mark.parametrize("name", [name for name in CONTENT if name != "config.json"])
def test_fields_that_a_newer_version_added_are_ignored(data: Path, name: str) -> None:
    path = runs.runs_folder(data) / "broken" / name
    path.write_text(json.dumps(CONTENT[name] | {"mood": {"of": ["the", "run"]}}))
    assert states(data) == {"broken": "waiting", "good": "interrupted"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("progress.json", PROGRESS | {"stages": {"prompts": "done"}}),
        ("progress.json", PROGRESS | {"stages": [{"name": "prompts", "state": "paused"}]}),
        ("progress.json", PROGRESS | {"stages": [{"state": "done"}]}),
        ("progress.json", PROGRESS | {"stages": [{"name": "prompts", "done": -1}]}),
        ("progress.json", PROGRESS | {"updated_at": "yesterday"}),
        ("manifest.json", MANIFEST | {"stages": [1]}),
        ("manifest.json", MANIFEST | {"wall_s": "long"}),
        ("config.json", CONTENT["config.json"] | {"schema": 9}),
    ],
)
def test_what_a_newer_version_writes_differently_makes_the_run_unreadable(
    data: Path, name: str, content: dict[str, Any]
) -> None:
    (runs.runs_folder(data) / "broken" / name).write_text(json.dumps(content))
    assert states(data) == {"broken": "unreadable", "good": "interrupted"}


@pytest.mark.parametrize("how", ["not text", "empty", "a folder"])
@pytest.mark.parametrize("name", [".lock", "error.txt", "stages/publish.json", "retry.json", "../.turn", "log.txt"])
def test_files_without_a_schema_stop_no_listing(data: Path, name: str, how: str) -> None:
    path = runs.runs_folder(data) / "broken" / name
    path.parent.mkdir(exist_ok=True)
    DAMAGE[how](path, None)
    assert states(data)["good"] == "interrupted"
    assert jobs.executing(data) is None
    assert isinstance(jobs.log_tail(data, "broken"), str)


def test_a_run_whose_progress_a_crash_cut_off_can_be_resumed(data: Path) -> None:
    run = runs.open_run(data, "good")
    (run.path / "progress.json").write_text('{"stages": [')
    assert states(data)["good"] == "unreadable"
    with run.working():
        Progress(run, list(STAGES)).close()
    assert states(data)["good"] == "interrupted"


def test_the_command_line_names_the_unreadable_run(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs.runs_folder(data) / "broken" / "progress.json").write_text("{")
    monkeypatch.setenv("RIGHTTREE_HOME", str(data))
    assert main(["runs"]) == 0
    broken, good = sorted(capsys.readouterr().out.splitlines())[:2]
    assert broken.startswith("broken  unreadable")
    assert "progress.json cannot be read" in broken
    assert good.startswith("good  interrupted")


def test_publishing_all_runs_names_the_unreadable_one(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs.runs_folder(data) / "broken" / "manifest.json").write_text("{")
    monkeypatch.setenv("RIGHTTREE_HOME", str(data))
    assert main(["publish"]) == 2
    broken, nothing_else = capsys.readouterr().err.splitlines()
    assert broken.startswith("righttree: not published: run broken:")
    assert "manifest.json cannot be read" in broken
    assert "no finished run" in nothing_else


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_cluster_that_never_answers_holds_up_no_listing(data: Path, silent_server: str) -> None:
    for name in ("good", "broken"):
        path = runs.runs_folder(data) / name / "ray-job.json"
        path.write_text(json.dumps({"address": silent_server, "job": f"{name}-{silent_server}"}))
    for _ in range(3):
        begun = time.monotonic()
        listed = jobs.list_runs(data)
        assert time.monotonic() - begun < 1
        assert [(run.state, run.submitted_to, run.cluster_answer) for run in listed] == [
            ("waiting", silent_server, None)
        ] * 2


def test_reading_opens_no_socket_and_starts_no_process(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread that a page waits for; what asks the cluster is another one."""
    page, broken_rules = threading.get_ident(), []

    def watched(name: str) -> Callable[..., None]:
        def refuse(*_: object, **__: object) -> None:
            if threading.get_ident() == page:
                broken_rules.append(name)
            raise OSError(f"{name} is not allowed here")

        return refuse

    monkeypatch.setattr(socket.socket, "connect", watched("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", watched("connect_ex"))
    monkeypatch.setattr(socket, "getaddrinfo", watched("getaddrinfo"))
    monkeypatch.setattr(subprocess.Popen, "__init__", watched("Popen"))
    jobs.list_runs(data)
    for run_id in ("good", "broken"):
        jobs.status(data, run_id)
        jobs.log_tail(data, run_id)
        jobs.live_curves(data, run_id)
        jobs.manifest(data, run_id)
        jobs.run_settings(data, run_id)
        jobs.failed_policies(data, run_id)
    jobs.executing(data)
    jobs.estimate(data, SMOKE)
    jobs.estimate_extension(data, "good", SMOKE)
    jobs.stopped(data, SMOKE)
    for profile in jobs.profiles():
        jobs.profile_settings(profile)
        jobs.profile_about(profile)
    assert broken_rules == []
