"""Figures of the benchmarks held against the committed ones of the same kind of processor.

    python -m tests.benchmarks.baselines [--record] [NAME ...]

Every benchmark prints one JSON line last: its name, and seconds by figure. `--record` writes them to
`tests/benchmarks/baselines/<kind of processor>.json`; without it they are compared with that file, what takes more than
10 % longer is marked as slower, and the exit code is 1 if anything is. Figures of a busy machine are not recorded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.machine import Others, described, processor

FOLDER = Path(__file__).parent / "baselines"
SLOWER = 1.10
BUSY_SHARE = 0.05
COMMANDS = {
    "measures": ["report_measures", "--print"],
    "sampling": ["sampling", "--print"],
    "smoke run": ["whole_run", "--profile", "smoke", "--print"],
    "quick run": ["whole_run", "--print"],
    "dashboard": ["dashboard", "--print"],
    "scale": ["scale", "--print"],
    "import": ["import_scores", "--print"],
}
QUICK = ("measures", "sampling", "smoke run")

Seconds = Mapping[str, float]


def json_line(benchmark: str, seconds: Seconds) -> str:
    """What a benchmark prints last."""
    return json.dumps({"benchmark": benchmark, "seconds": {name: round(value, 6) for name, value in seconds.items()}})


def seconds_in(printed: str) -> dict[str, float]:
    """The figures of the JSON line that ends what a benchmark printed."""
    return dict(json.loads(printed.rstrip().splitlines()[-1])["seconds"])


def compare(benchmark: str, baseline: Seconds, now: Seconds) -> tuple[list[str], int]:
    """A line of a table for each figure, and how many are slower than the baseline by more than 10 %."""
    lines, slower = [], 0
    for name in [*now, *(name for name in baseline if name not in now)]:
        before, after = baseline.get(name), now.get(name)
        if before is None or after is None:
            note = "no baseline" if before is None else "not measured any more"
        else:
            ratio = after / before if before else 1.0
            slower += ratio > SLOWER
            note = f"{ratio:.2f}× {'**slower**' if ratio > SLOWER else ''}".rstrip()
        shown = ["–" if value is None else f"{value:.4g}" for value in (before, after)]
        lines.append(f"| {benchmark} | {name} | {shown[0]} | {shown[1]} | {note} |")
    return lines, slower


def measured(benchmark: str) -> dict[str, float]:
    """Run it in a process of its own. A budget that it exceeds is no error here: the comparison says what is slower."""
    module, *options = COMMANDS[benchmark]
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *options], stdout=subprocess.PIPE, text=True, check=False
    )
    return seconds_in(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COMMANDS)} (default: the quick ones)")
    parser.add_argument("--record", action="store_true", help="write the figures as the baseline")
    arguments = parser.parse_args()
    names = arguments.names or QUICK
    if unknown := set(names) - set(COMMANDS):
        parser.error(f"no benchmark {min(unknown)!r}; there are {', '.join(COMMANDS)}")
    path = FOLDER / f"{processor()}.json"
    baselines = json.loads(path.read_text()) if path.exists() else {}
    lines = ["| benchmark | figure | baseline, s | now, s | |", "| --- | --- | ---: | ---: | --- |"]
    slower, busy = 0, []
    for name in names:
        others = Others()
        now = measured(name)
        table, count = compare(name, baselines.get(name, {}).get("seconds", {}), now)
        lines += table
        slower += count
        if (share := others.share()) > BUSY_SHARE:
            busy.append(f"{name}: other work took {share:.0%} of the cores")
        else:
            baselines[name] = {"machine": described(), "seconds": now}
    print("\n".join([*lines, *busy]))
    if arguments.record and not busy:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(json.dumps(baselines, indent=1) + "\n")
    print(json.dumps({"processor": processor(), "slower": slower, "busy": busy}))
    return int(bool(busy)) if arguments.record else int(slower > 0)


if __name__ == "__main__":
    sys.exit(main())
