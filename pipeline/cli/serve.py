"""Commands around the dashboard: app opens it, report writes a page of its own, doctor says what is missing.

The dashboard and its reports are another room (docs/architecture.md), so they are started as processes of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from pipeline.cli import AddCommand, add_option
from pipeline.config import load_profile
from pipeline.runs import exchange, jobs
from warehouse import store
from warehouse.formats import names_in


def add(command: AddCommand) -> None:
    """`app`, `report` and `doctor`."""
    app = command("app", "serve the dashboard", "righttree app", _app)
    add_option(app, "--port", "PORT", "port to serve on", int, default=8501)
    address = "address to bind to (default: 127.0.0.1, this machine only)"
    add_option(app, "--address", "ADDRESS", address, default="127.0.0.1")
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
    add_option(report, "--output", "FILE", "HTML file to write (default: report-NAME.html)")
    add_option(report, "--seed", "S", "seed for what intervals and groups allow for by chance", int, default=0)

    command("doctor", "check what is installed and what is missing, and how to fix it", "righttree doctor", _doctor)


def _app(arguments: argparse.Namespace) -> int:
    data = store.home()
    exchange.provide_recorded(data, required=False)
    if arguments.run:
        print(jobs.ensure(data, load_profile(arguments.run)))
    # -P: a file in the user's folder must not replace a module of the same name
    command = [sys.executable, "-P", "-m", "app", f"--server.address={arguments.address}"]
    command += [f"--server.port={arguments.port}", "--server.headless=true", "--browser.gatherUsageStats=false"]
    print(f"dashboard on http://{arguments.address.replace('127.0.0.1', 'localhost')}:{arguments.port}")
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, "RIGHTTREE_HOME": str(data)})


def _report(arguments: argparse.Namespace) -> int:
    data = store.home()
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
