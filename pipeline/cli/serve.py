"""Commands around the dashboard: app opens it, report writes a page of its own, doctor says what is missing.

The dashboard and its reports are another room (docs/architecture.md), so they are started as processes of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.cli import AddCommand, add_option, check_target, listening
from pipeline.config import load_profile
from pipeline.errors import InvalidConfig
from pipeline.runs import exchange, jobs
from warehouse import store
from warehouse.formats import names_in


def add(command: AddCommand) -> None:
    """`app`, `report` and `doctor`."""
    app = command("app", "serve the dashboard", "righttree app", _app)
    add_option(app, "--port", "PORT", "port to serve on", int, default=8501)
    address = "address to bind to (default: 127.0.0.1, this machine only); for any other one, say who may change runs"
    add_option(app, "--address", "ADDRESS", address, default="127.0.0.1")
    who = app.add_mutually_exclusive_group()
    reads = f"nobody can start, change, delete or import runs, and nothing is written (as with {jobs.READ_ONLY}=1)"
    who.add_argument("--read-only", action="store_true", help=reads)
    anyone = "everybody who reaches --address may start, change, delete and import runs, without signing in"
    who.add_argument("--allow-anyone", action="store_true", help=anyone)
    background = "also start or resume a run of this profile in the background, unless one is finished"
    add_option(app, "--run", "PROFILE", background)

    report = command(
        "report",
        "write the report card of a reward model: one HTML file with its figures, data and provenance",
        "righttree report flip-0.20 --output card.html",
        _report,
    )
    report.add_argument("name", metavar="NAME", help="the reward model")
    add_option(report, "--run", "RUN", "id of the run (default: the pinned one, else the recorded one)")
    golden = "scorers that count as the truth (default: those that are golden only, such as labels; else all others)"
    add_option(report, "--golden", "NAME[,…]", golden, names_in, default=())
    add_option(report, "--output", "FILE", "HTML file to write (default: report-NAME.html)", Path)
    add_option(report, "--seed", "S", "seed for what intervals and groups allow for by chance", int, default=0)

    command("doctor", "check what is installed and what is missing, and how to fix it", "righttree doctor", _doctor)


def _app(arguments: argparse.Namespace) -> int:
    data, read_only = store.home(), arguments.read_only or jobs.is_read_only()
    if read_only and arguments.run:
        raise InvalidConfig(f"--run {arguments.run}: a read-only server starts no run; leave --run or read-only out")
    if not arguments.address:
        raise InvalidConfig("--address is empty; leave it out for this machine only")
    listening.check_who(arguments.address, allowed=read_only or arguments.allow_anyone)
    listening.check_free(arguments.address, arguments.port)
    if not read_only:
        exchange.provide_recorded(data, required=False)
    elif store.build_id(data) is None:
        advice = f"`RIGHTTREE_HOME={data} righttree runs` publishes the recorded run there"
        print(f"righttree: nothing is published in {data}, and this server only reads: {advice}", file=sys.stderr)
    if arguments.run:
        print(jobs.ensure(data, load_profile(arguments.run)))
    # -P: a file in the user's folder must not replace a module of the same name
    command = [sys.executable, "-P", "-m", "app", f"--server.address={arguments.address}"]
    command += [f"--server.port={arguments.port}", "--server.headless=true", "--browser.gatherUsageStats=false"]
    command.append("--logger.hideWelcomeMessage=true")  # it would print the address again, as another one
    print(f"dashboard on {listening.url(arguments.address, arguments.port)}")
    sys.stdout.flush()
    environment = {**os.environ, "RIGHTTREE_HOME": str(data)} | ({jobs.READ_ONLY: "1"} if read_only else {})
    os.execve(sys.executable, command, environment)


def _report(arguments: argparse.Namespace) -> int:
    data = store.home()
    check_target("--output", arguments.output)
    exchange.provide_recorded(data)
    command = [sys.executable, "-P", "-m", "app.report", f"--seed={arguments.seed}"]
    command += [f"--golden={name}" for name in arguments.golden]
    command += [f"--{option}={value}" for option in ("run", "output") if (value := getattr(arguments, option))]
    command += ["--", arguments.name]
    return subprocess.run(command, env={**os.environ, "RIGHTTREE_HOME": str(data)}, check=False).returncode


def _doctor(_: argparse.Namespace) -> int:
    from pipeline.cli.doctor import examine

    findings = examine(store.home())
    print(*findings, sep="\n")
    return 0 if all(finding.ok for finding in findings) else 1
