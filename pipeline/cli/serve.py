"""Commands around the dashboard: app opens it, doctor says what is installed and what is missing."""

from __future__ import annotations

import argparse
import os
import sys

from pipeline.cli import AddCommand, add_option
from pipeline.config import load_profile
from pipeline.runs import exchange, jobs
from warehouse import store


def add(command: AddCommand) -> None:
    """`app` and `doctor`."""
    app = command("app", "serve the dashboard", "righttree app", _app)
    add_option(app, "--port", "PORT", "port to serve on", int, default=8501)
    address = "address to bind to (default: 127.0.0.1, this machine only)"
    add_option(app, "--address", "ADDRESS", address, default="127.0.0.1")
    background = "also start or resume a run of this profile in the background, unless one is finished"
    add_option(app, "--run", "PROFILE", background)

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


def _doctor(_: argparse.Namespace) -> int:
    from pipeline.cli.doctor import examine

    findings = examine(store.home())
    print(*findings, sep="\n")
    return 0 if all(finding.ok for finding in findings) else 1
