"""Commands around the dashboard: open it, and say what is here and what is missing."""

from __future__ import annotations

import argparse
import os
import sys

from pipeline.cli import Command
from pipeline.config import load_profile
from pipeline.runs import jobs, recorded
from warehouse import store


def add(command: Command) -> None:
    """`app` and `doctor`."""
    app = command("app", "open the dashboard", _app)
    app.add_argument("--port", type=int, default=8501, help="port to serve on (default: 8501)")
    app.add_argument(
        "--address", default="127.0.0.1", help="address to bind to (default: 127.0.0.1, this machine only)"
    )
    app.add_argument(
        "--run", metavar="PROFILE", help="also work on a run of this profile in the background, unless one is finished"
    )

    command("doctor", "say what is installed, what is missing, and what to do about it", _doctor)


def _app(arguments: argparse.Namespace) -> int:
    data = store.home()
    recorded.provide(data, required=False)
    if arguments.run:
        print(jobs.ensure(data, load_profile(arguments.run)))
    # -P: a file of the user's folder must not stand in for a module of the same name
    command = [sys.executable, "-P", "-m", "app"]
    options = {
        "server.address": arguments.address,
        "server.port": arguments.port,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    command += [f"--{name}={value}" for name, value in options.items()]
    print(
        f"dashboard on http://{'localhost' if arguments.address == '127.0.0.1' else arguments.address}:{arguments.port}"
    )
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, "RIGHTTREE_HOME": str(data)})


def _doctor(_: argparse.Namespace) -> int:
    from pipeline.cli.doctor import examine

    findings = examine(store.home())
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'} {finding.what}: {finding.found}")
        if not finding.ok:
            print(f"        → {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1
