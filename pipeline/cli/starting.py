"""What commands that create a run share: their options, and how they start it."""

from __future__ import annotations

import argparse
import signal

from pipeline import flow, runs
from pipeline.backends.ray.engine import opened
from pipeline.backends.ray.options import EngineOptions, add_options
from pipeline.cli import add_option
from pipeline.runs import jobs
from warehouse import store


def add_start_options(
    parser: argparse.ArgumentParser, estimate: str = "print the estimated time, memory and disk space; start nothing"
) -> None:
    """Options of every command that creates a run and starts it."""
    add_option(parser, "--run-id", "ID", "name of the new run (default: made from profile and time)")
    parser.add_argument("--estimate", action="store_true", help=estimate)
    parser.add_argument("--detach", action="store_true", help="run in the background and return at once")
    add_options(parser)


def start(run: runs.RunDirectory, engine: EngineOptions, *, detach: bool) -> int:
    """Execute a run here, or in the background; returns the exit code."""
    if not detach:
        return execute(run, engine)
    jobs.resume(store.home(), run.run_id, engine)
    print(run.run_id)
    return 0


def execute(run: runs.RunDirectory, options: EngineOptions) -> int:
    """Execute a run to its end; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `righttree cancel` acts like Ctrl-C
    with opened(options) as engine:
        flow.execute(run, engine=engine)
    print(f"{run.run_id} is published; explore it with `righttree app`")
    return 0
