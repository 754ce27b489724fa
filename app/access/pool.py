"""Heavy answers are computed in a few processes beside the server, so that cheap changes of other visitors do not wait.

`heavy` caches a function like `st.cache_resource`, and has an answer that is not known computed by the next free one of
these processes, each question once however many visitors ask it. A process starts with the first question that finds
none free, has lower priority than the server, and ends with it. Arguments, answers and errors have to be picklable.
Where nothing is served, or on a single core, or with `RIGHTTREE_PROCESSES=0`, the asking thread computes.

The processes are not `multiprocessing`'s: those would run the dashboard's script, which Streamlit calls `__main__`.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import streamlit as st

from warehouse.errors import InvalidChoice

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

PROCESSES = "RIGHTTREE_PROCESSES"
"""Environment variable: how many processes compute beside the server; by default one for each core but the first."""

_NICER = 5
_MOST = 4  # by default: each has caches of its own
_lock = threading.Lock()
_threads: ThreadPoolExecutor | None = None
_asked: dict[_Question, Future[Any]] = {}


class _Question(NamedTuple):
    """A function by its module and name, and what it is called with."""

    module: str
    name: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    def answer(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)(*self.args, **dict(self.kwargs))


class _Ended(Exception):
    """A process ended before it answered, killed for memory perhaps."""


def heavy(
    entries: int, spinner: str | bool = "Resampling …"
) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Answer]]:
    """Decorate a function of a module whose answers take long; its latest `entries` answers are kept."""

    def decorate(compute: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        @wraps(compute)
        def answer(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            if _threads is None:
                return compute(*args, **kwargs)
            question = _Question(compute.__module__, compute.__qualname__, args, tuple(kwargs.items()))
            try:
                result: Answer = _ask(question, _threads).result()
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
    global _threads
    count = processes()
    _threads = ThreadPoolExecutor(count, thread_name_prefix="heavy") if count else None
    try:
        yield
    finally:
        ending, _threads = _threads, None
        if ending is not None:
            ending.shutdown(cancel_futures=True)


def _ask(question: _Question, threads: ThreadPoolExecutor) -> Future[Any]:
    """The answer to come; who asks what another visitor has just asked waits for the same."""
    with _lock:
        awaited = _asked.get(question)
        if awaited is not None:
            return awaited
        _asked[question] = future = threads.submit(_answered, question)
    future.add_done_callback(lambda _: _asked.pop(question, None))
    return future


class _Process:
    """A process that answers one question after another, for one thread; it ends when the thread does."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __del__(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # which it reads to its end
        self._process.wait()

    def answer(self, question: _Question) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            error, answer = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as cause:
            raise _Ended from cause
        if error is not None:
            raise error
        return answer


_own = threading.local()


def _answered(question: _Question) -> Any:
    if not hasattr(_own, "process"):
        _own.process = _Process()
    try:
        return _own.process.answer(question)
    except _Ended:
        del _own.process
        raise


def main() -> None:
    """Answer the questions on standard input, pickled, on standard output: an error or None, and the answer."""
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
            answer = pickle.dumps((error, None))
        answers.write(answer)
        answers.flush()


if __name__ == "__main__":
    main()
