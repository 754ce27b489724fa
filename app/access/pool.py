"""Heavy answers are computed in a few processes beside the server, so that cheap changes of other visitors do not wait.

`heavy` caches a function like `st.cache_resource`, and has an answer that is not known computed by the next free one of
these processes, each question once however many visitors ask it. Changes are served in the order of their first
question: a page that asks ten does not queue ten times. A process starts with its first question, has lower priority
than the server, and ends with it. Arguments, answers and errors have to be picklable.
Where nothing is served, or on a single core, or with `RIGHTTREE_PROCESSES=0`, the asking thread computes.

The processes are not `multiprocessing`'s: those would run the dashboard's script, which Streamlit calls `__main__`.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from warehouse.errors import InvalidChoice

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

PROCESSES = "RIGHTTREE_PROCESSES"
"""Environment variable: how many processes compute beside the server; by default one for each core but the first."""

_NICER = 5
_MOST = 4  # by default: each has caches of its own
_lock = threading.Lock()
_line: _Line | None = None
_asked: dict[_Question, Future[Any]] = {}
_tickets = itertools.count()
_page = threading.local()
"""Per thread: the current run of a page's script, and its ticket."""


class _Question(NamedTuple):
    """A function by its module and name, and what it is called with."""

    module: str
    name: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    def answer(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)(*self.args, **dict(self.kwargs))


class _Ended(Exception):
    """A process ended before it answered, killed for memory perhaps, or none could be started."""


def heavy(
    entries: int, spinner: str | bool = "Resampling …"
) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Answer]]:
    """Decorate a function of a module whose answers take long; its latest `entries` answers are kept."""

    def decorate(compute: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        @wraps(compute)
        def answer(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            line = _line
            if line is None:
                return compute(*args, **kwargs)
            question = _Question(compute.__module__, compute.__qualname__, args, tuple(kwargs.items()))
            try:
                result: Answer = _ask(question, line).result()
            except _Ended:
                return compute(*args, **kwargs)
            return result

        return st.cache_resource(max_entries=entries, show_spinner=spinner)(answer)

    return decorate


def processes() -> int:
    """How many processes compute. Raises InvalidChoice where the environment says something else than a number."""
    stated = os.environ.get(PROCESSES, "")
    if not stated:
        return min(_MOST, len(os.sched_getaffinity(0)) - 1)
    if not stated.isdecimal():
        raise InvalidChoice(f"{PROCESSES} is {stated!r}; give a whole number, 0 for none")
    return int(stated)


@contextmanager
def beside() -> Iterator[None]:
    """In this block heavy answers are computed beside the asking thread. Raises as `processes`."""
    global _line
    count = processes()
    _line = _Line(count) if count else None
    try:
        yield
    finally:
        ending, _line = _line, None
        if ending is not None:
            ending.end()


def _ask(question: _Question, line: _Line) -> Future[Any]:
    """The answer to come; who asks what another visitor has just asked waits for the same."""
    with _lock:
        awaited = _asked.get(question)
        if awaited is not None:
            return awaited
        _asked[question] = future = line.join(_ticket(), question)
    future.add_done_callback(lambda _: _asked.pop(question, None))
    return future


def _ticket() -> int:
    """The ticket of the current run of a page's script.

    While a visitor moves a control, Streamlit runs the script again and again in one thread; each run has new cursors.
    """
    context = get_script_run_ctx(suppress_warning=True)
    run = context and context.cursors
    if not hasattr(_page, "ticket") or _page.run is not run:
        _page.run, _page.ticket = run, next(_tickets)
    return int(_page.ticket)


class _Waiting(NamedTuple):
    """A question in the line: by the page's ticket, then in the order asked; None ends a thread."""

    ticket: int
    number: int
    question: _Question | None
    future: Future[Any]


class _Line:
    """Questions that wait, and a thread for each of the processes that answer them."""

    def __init__(self, count: int) -> None:
        self._numbers = itertools.count()
        self._waiting: queue.PriorityQueue[_Waiting] = queue.PriorityQueue()
        self._has_ended = False
        self._threads = [threading.Thread(target=self._answer, name=f"heavy-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self, ticket: int, question: _Question) -> Future[Any]:
        """Put a question in the line; its answer comes, or is cancelled where the line has ended. Needs `_lock`."""
        future: Future[Any] = Future()
        if self._has_ended:
            future.cancel()
        else:
            self._waiting.put(_Waiting(ticket, next(self._numbers), question, future))
        return future

    def end(self) -> None:
        """Answer what is being computed, and cancel what waits."""
        with _lock:
            self._has_ended = True
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait().future.cancel()
        for _ in self._threads:
            self._waiting.put(_Waiting(0, next(self._numbers), question=None, future=Future()))
        for thread in self._threads:
            thread.join()

    def _answer(self) -> None:
        process: _Process | None = None
        while True:
            waiting = self._waiting.get()
            if waiting.question is None:
                break
            try:
                process = process or _Process()
                error, answer = process.answer(waiting.question)
            except Exception as cause:  # _Ended, or the question cannot be sent
                if process is not None:
                    process.end()
                process = None
                waiting.future.set_exception(cause)
                continue
            if error is None:
                waiting.future.set_result(answer)
            else:
                waiting.future.set_exception(error)
        if process is not None:
            process.end()


class _Process:
    """A process that answers one question after another, for one thread."""

    def __init__(self) -> None:
        """Start it. Raises _Ended if that is not possible."""
        command = [sys.executable, "-P", "-m", __name__]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as cause:
            raise _Ended from cause

    def end(self) -> None:
        """End it as soon as it has answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what a process that was killed has not read
                pipe.close()
        self._process.wait()

    def answer(self, question: _Question) -> tuple[Exception | None, Any]:
        """An error or None, and the answer. Raises _Ended if the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(pickle.dumps(question))
            self._process.stdin.flush()
            error, answer = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as cause:
            raise _Ended from cause
        return error, answer


def main() -> None:
    """Answer the questions on standard input, pickled, on standard output: an error or None, and the answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, with which it ends
    os.nice(_NICER)
    logging.disable(logging.WARNING)  # Streamlit would warn that no page is being shown
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed is no answer
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = pickle.dumps((None, question.answer()))
        except Exception as error:
            answer = pickle.dumps((_portable(error), None))
        answers.write(answer)
        answers.flush()


def _portable(error: Exception) -> Exception:
    """The error, or what it says where it cannot be read again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
