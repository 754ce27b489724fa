"""`righttree app` before it serves: who may reach it, whether the port can be had, and what it then starts."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import listening
from pipeline.runs import jobs
from tests.browser.serving import free_port
from tests.conftest import righttree
from warehouse import store

AUTH = '[auth]\nredirect_uri = "https://runs.example.org/oauth2callback"\n'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a working folder without settings of Streamlit."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv(jobs.READ_ONLY, raising=False)
    monkeypatch.chdir(tmp_path / "user")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The commands and environments of the servers that would have replaced this process."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def execve(_: str, command: list[str], environment: dict[str, str]) -> Any:
        seen.append((command, environment))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "execve", execve)
    return seen


def test_a_port_that_is_taken_is_said_before_anything_starts_or_is_written(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = righttree("app", "--port", port, "--run", "smoke", home=tmp_path / "home")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"righttree: --port {port}: cannot listen there (Address already in use); stop what uses it, or give another "
        "port\n"
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "0"], "--port 0: a port is from 1 to 65535"),
        (["--port", "70000"], "--port 70000: a port is from 1 to 65535"),
        (["--address", "no such machine", "--read-only"], "--address no such machine: cannot listen there"),
        (["--address", "203.0.113.7", "--read-only"], "--address 203.0.113.7: cannot listen there"),
        (["--read-only", "--run", "smoke"], "--run smoke: a read-only server starts no run"),
    ],
)
def test_an_impossible_place_gets_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    done = righttree("app", *options, home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_for_others_has_to_say_who_may_change_runs(tmp_path: Path, address: str) -> None:
    done = righttree("app", "--address", address, "--port", str(free_port()), home=tmp_path / "home")
    assert done.returncode == 2
    assert f"--address {address}: everybody who reaches it could start, change and delete runs" in done.stderr
    for answer in ("--read-only", "--allow-anyone", "docs/security.md"):
        assert answer in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("options", [["--read-only"], ["--allow-anyone"], []], ids=["read-only", "anyone", "sign-in"])
def test_it_starts_with_an_answer(
    tmp_path: Path, started: list[tuple[list[str], dict[str, str]]], options: list[str]
) -> None:
    if not options:
        (tmp_path / "user" / ".streamlit").mkdir()
        (tmp_path / "user" / ".streamlit" / "secrets.toml").write_text(AUTH)
    port = free_port()
    home = tmp_path / "home"
    home.mkdir()
    (home / store.LINK).symlink_to("warehouse-published.duckdb")  # so that nothing has to be published
    done = righttree("app", "--address", "0.0.0.0", "--port", str(port), *options, home=home)
    assert done.stdout == f"dashboard on http://0.0.0.0:{port}\n"
    ((command, environment),) = started
    assert "--server.address=0.0.0.0" in command
    assert (environment.get(jobs.READ_ONLY) == "1") == (options == ["--read-only"])


def test_read_only_by_the_environment_is_an_answer_too(
    tmp_path: Path, started: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    righttree("app", "--address", "0.0.0.0", "--port", str(free_port()), home=tmp_path / "home")
    assert started[0][1][jobs.READ_ONLY] == "1"


def test_a_read_only_server_does_not_even_publish_the_recorded_run(
    tmp_path: Path, started: list[tuple[list[str], dict[str, str]]]
) -> None:
    home = tmp_path / "home"
    done = righttree("app", "--read-only", "--port", str(free_port()), home=home)
    assert len(started) == 1
    assert not home.exists()
    assert f"nothing is published in {home}, and this server only reads" in done.stderr


@pytest.mark.parametrize(
    ("text", "asks"), [(AUTH, True), ("[database]\nuser = 'a'\n", False), ("[auth", True)], ids=["auth", "no", "broken"]
)
def test_signing_in_is_set_up_where_streamlit_looks_for_it(tmp_path: Path, text: str, asks: bool) -> None:
    assert not listening.asks_to_sign_in()
    (tmp_path / "user" / ".streamlit").mkdir()
    (tmp_path / "user" / ".streamlit" / "secrets.toml").write_text(text)
    assert listening.asks_to_sign_in() is asks


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_what_only_this_machine_reaches(address: str, local: bool) -> None:
    assert listening.is_local(address) is local
