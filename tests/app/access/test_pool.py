"""Heavy answers come from processes beside the server: the same answers, each asked for once, errors and all."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import ScriptRunContext, add_script_run_ctx
from streamlit.runtime.state import SafeSessionState, SessionState

from app.access import pool
from app.access.warehouse import Snapshot
from app.views.overview import data
from warehouse import store
from warehouse.errors import InvalidChoice


@pool.heavy(16, spinner=False)
def process_of(name: str) -> tuple[str, int]:
    print("what is printed is no answer")
    return name, os.getpid()


@pool.heavy(16, spinner=False)
def noted(folder: Path, name: str) -> str:
    with (folder / "asked").open("a") as file:
        file.write(f"{name}\n")
    time.sleep(0.5)
    return name


@pool.heavy(16, spinner=False)
def refused(name: str) -> str:
    raise InvalidChoice(f"{name} is no choice")


@pool.heavy(16, spinner=False)
def killed(asking: int) -> int:
    if os.getpid() != asking:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


class Unreadable(Exception):
    """One that is written, and cannot be read again."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


@pool.heavy(16, spinner=False)
def unreadable(one: str, other: str) -> None:
    raise Unreadable(one, other)


@pool.heavy(16, spinner=False)
def sent(_what: object) -> None:
    """Streamlit takes the hash of no argument whose name begins with an underscore."""


@pytest.fixture(autouse=True)
def processes_know_this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they know those of the dashboard, which are installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(pool.PROCESSES, "1")
    process_of.clear()  # type: ignore[attr-defined]
    with pool.beside():
        yield


def test_an_answer_comes_from_another_process_and_is_kept(beside: None) -> None:
    name, process = process_of("first")
    assert name == "first"
    assert process != os.getpid()
    assert process_of("second")[1] == process
    assert process_of("first") is process_of("first")


def test_without_processes_the_asking_one_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    process_of.clear()  # type: ignore[attr-defined]
    assert process_of("alone")[1] == os.getpid()
    monkeypatch.setenv(pool.PROCESSES, "0")
    with pool.beside():
        assert process_of("none") == ("none", os.getpid())


def test_a_process_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pool.PROCESSES, "1")
    with pool.beside():
        _, process = process_of("ends")
    deadline = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process != os.getpid()
    assert not Path(f"/proc/{process}").exists()


def test_a_question_that_comes_too_late_is_cancelled_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pool.PROCESSES, "1")
    with pool.beside():
        line = pool._line
        assert line is not None
    late = pool._Question(__name__, "process_of", ("late",), ())
    with pytest.raises(CancelledError):
        pool._ask(late, line).result(timeout=20)


def test_visitors_who_ask_the_same_at_once_wait_for_one_answer(beside: None, tmp_path: Path) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(noted(tmp_path, "same"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["same"] * 4
    assert (tmp_path / "asked").read_text() == "same\n"


def test_a_page_that_asks_on_goes_before_pages_that_came_later(beside: None, tmp_path: Path) -> None:
    def show(*names: str) -> threading.Thread:
        page = threading.Thread(target=lambda: [noted(tmp_path, name) for name in names])
        page.start()
        time.sleep(0.1)
        return page

    process_of("started")
    for page in (show("first, 1", "first, 2"), show("second"), show("third")):
        page.join()
    # the process does not wait for what a page has yet to ask
    assert (tmp_path / "asked").read_text().splitlines() == ["first, 1", "second", "first, 2", "third"]


def script_run() -> ScriptRunContext:
    """What Streamlit gives the thread of a script."""
    return ScriptRunContext(
        session_id="visitor",
        _enqueue=lambda _: None,
        query_string="",
        session_state=SafeSessionState(SessionState(), lambda: None),
        uploaded_file_mgr=MemoryUploadedFileManager("/files"),
        main_script_path="main.py",
        user_info={},
        fragment_storage=MemoryFragmentStorage(),
        pages_manager=PagesManager("main.py"),
    )


def test_who_keeps_moving_a_control_does_not_stay_before_others(beside: None, tmp_path: Path) -> None:
    def move(*names: str) -> None:
        context = script_run()
        add_script_run_ctx(ctx=context)
        for name in names:  # Streamlit runs the script again, in the same thread
            context.reset()
            noted(tmp_path, name)

    process_of("started")
    threads = []
    for names in (("moves, 1", "moves, 2", "moves, 3"), ("second",), ("third",)):
        threads.append(threading.Thread(target=move, args=names))
        threads[-1].start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert (tmp_path / "asked").read_text().splitlines() == ["moves, 1", "second", "third", "moves, 2", "moves, 3"]


def test_where_no_process_can_be_started_the_asking_one_computes_until_one_can(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        assert process_of("none can be started") == ("none can be started", os.getpid())
    assert process_of("one can")[1] != os.getpid()


def test_what_cannot_be_sent_is_an_error_and_what_comes_after_is_answered(beside: None) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        sent(lambda: None)
    with pytest.raises(RuntimeError, match=r"^Unreadable: two and three$"):
        unreadable("two", "three")
    assert process_of("after both")[1] != os.getpid()


def test_ctrl_c_ends_the_server_and_is_not_answered_by_its_processes(beside: None) -> None:
    _, process = process_of("before")
    os.kill(process, signal.SIGINT)
    time.sleep(0.3)
    assert process_of("after it")[1] == process


def test_an_error_is_the_same_as_without_processes(beside: None) -> None:
    for _ in range(2):
        with pytest.raises(InvalidChoice, match="seven is no choice"):
            refused("seven")


def test_a_process_that_is_killed_costs_no_answer(beside: None) -> None:
    assert killed(os.getpid()) == os.getpid()
    name, process = process_of("after")
    assert (name, process == os.getpid()) == ("after", False)


@pytest.mark.parametrize("stated", ["many", "-1", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pool.PROCESSES, stated)
    with pytest.raises(InvalidChoice, match=f"RIGHTTREE_PROCESSES is '{stated}'"):
        pool.processes()


def test_an_evaluation_is_the_same_to_the_last_digit(simulated_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = store.build_id(simulated_home)
    assert build is not None
    answers = []
    for count in ("0", "1"):
        monkeypatch.setenv(pool.PROCESSES, count)
        data.evaluation.clear()  # type: ignore[attr-defined]
        with pool.beside():
            answers.append(data.evaluation(Snapshot(str(simulated_home), build), "simulated", "bon"))
    here, there = answers
    assert here is not there
    assert here.correlations == there.correlations
    assert here.value_MM.tobytes() == there.value_MM.tobytes()
