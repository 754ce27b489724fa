"""The whole of what `tests/reliability` does in small, its figures into `docs/reliability.md`.

    python -m tests.reliability.report [--print] [--only NAME …] [--kills N] [--cases N] [--visitors N …] [--seconds S]

`publishing`: readers while the warehouse is replaced. `hostile`: broken input. `sessions`: many visitors at once, the
most of them also behind a proxy with several workers. `kills`: a run killed again and again, which takes most of the
time. `soak`, only where it is named: visitors for an hour. Ends with exit code 1 where anything failed.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from tests.benchmarks.document import RELIABILITY, insert
from tests.conftest import righttree_process
from tests.reliability import killing, publishing, sessions, workers
from tests.reliability.hostile import kinds

KILLS, CASES, VISITORS, SECONDS = 50, 12_000, (1, 10, 25, 50, 100), 60.0
SOAKING = 25
_PROFILE = "smoke"
_LONGEST_S = 12.0  # after a process begins to work: a stage of the profile takes less


def publishing_section(place: Path, _: argparse.Namespace) -> tuple[str, bool]:
    found = publishing.read_while_publishing(place, publishing.READERS, publishing.PUBLISHES)
    left = publishing.leftovers(found)
    line = f"{found.line} Left behind in the data folder: {', '.join(sorted(left)) or 'nothing'}."
    return line, not found.failures and not left


def hostile_section(place: Path, wanted: argparse.Namespace) -> tuple[str, bool]:
    os.environ["RIGHTTREE_HOME"] = str(place)
    logging.disable(logging.WARNING)  # Streamlit's, about caches outside of a page
    lines = ["| input | cases | accepted whole | refused in one line | seconds |", "|---|---:|---:|---:|---:|"]
    total = 0
    for number, (name, kind) in enumerate(kinds.KINDS.items()):
        folder = place / str(number)
        folder.mkdir()
        tried = kinds.fuzz(name, folder, round(wanted.cases * kind.share))
        total += tried.cases
        refused = tried.cases - tried.accepted
        lines.append(f"| {kind.title} | {tried.cases:,} | {tried.accepted:,} | {refused:,} | {tried.seconds:.0f} |")
        print(lines[-1], file=sys.stderr)
    logging.disable(logging.NOTSET)
    return "\n".join([f"{total:,} cases, none of which ended otherwise.", "", *lines]), True


def sessions_section(place: Path, wanted: argparse.Namespace) -> tuple[str, bool]:
    lines, well = [*sessions.HEADER], True
    crowds = [(visitors, 1) for visitors in wanted.visitors]
    for visitors, count in [*crowds, *([(max(wanted.visitors), workers.WORKERS)] if workers.has_proxy() else [])]:
        (folder := place / f"{visitors}-{count}").mkdir()
        crowd = sessions.gather(folder, visitors, wanted.seconds, workers=count)
        for failure in crowd.failures[:10]:
            print(failure, file=sys.stderr)
        lines.append(crowd.row)
        print(crowd.row, file=sys.stderr)
        well &= not crowd.failures
    pages = f"{len(sessions.PAGES)} pages, each crowd on a fresh server for {wanted.seconds:.0f} s."
    return "\n".join([pages, "", *lines]), well


def soak_section(place: Path, wanted: argparse.Namespace) -> tuple[str, bool]:
    crowd = sessions.gather(place, SOAKING, wanted.soak_seconds)
    for failure in crowd.failures[:10]:
        print(failure, file=sys.stderr)
    minutes = [*range(0, len(crowd.memory) - 1, 10), len(crowd.memory) - 1]
    lines = ["| after minutes | memory, MiB |", "|---:|---:|"]
    lines += [f"| {minute} | {sessions.mebibytes(crowd.memory[minute])} |" for minute in minutes]
    after = f"{SOAKING} sessions, {len(crowd.changes):,} changed controls, {len(crowd.failures)} errors. Memory of the "
    return "\n".join([f"{after}server and its processes, the most in a minute:", "", *lines]), not crowd.failures


def kills_section(place: Path, wanted: argparse.Namespace) -> tuple[str, bool]:
    arguments = ["run", "--profile", _PROFILE, "--run-id", "whole"]
    done = righttree_process(*arguments, home=place / "whole", timeout_s=1500)
    if done.returncode:
        raise SystemExit(done.stderr)
    whole = killing.Whole(place / "whole", "whole")
    return killing.kill_runs(place / "home", whole, wanted.kills, _LONGEST_S, seed=0).line, True


SECTIONS: Mapping[str, Callable[[Path, argparse.Namespace], tuple[str, bool]]] = {
    "publishing": publishing_section,
    "hostile": hostile_section,
    "sessions": sessions_section,
    "kills": kills_section,
    "soak": soak_section,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the sections instead of writing them")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=tuple(SECTIONS),
        default=tuple(name for name in SECTIONS if name != "soak"),
        help="only these",
    )
    parser.add_argument("--kills", type=int, default=KILLS, help=f"kills (default: {KILLS})")
    parser.add_argument("--cases", type=int, default=CASES, help=f"cases of broken input (default: {CASES})")
    parser.add_argument("--visitors", type=int, nargs="+", default=VISITORS, help="sessions at once, several crowds")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"how long they stay (default: {SECONDS:.0f})")
    parser.add_argument("--soak-seconds", type=float, default=3600.0, help="how long the soak lasts (default: 3600)")
    arguments = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {date.today()}"
    all_well = True
    for name in arguments.only:
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            section, well = SECTIONS[name](Path(folder), arguments)
        all_well &= well
        section = f"{section}\n\n{machine}; {load:.1f} other processes at work when it began."
        print(f"{name}: {section}")
        if not arguments.print:
            insert(name, section, RELIABILITY)
    return int(not all_well)


if __name__ == "__main__":
    sys.exit(main())
