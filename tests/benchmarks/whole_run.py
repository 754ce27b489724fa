"""Time and peak memory of a whole run of `quick` (or `smoke`), stage by stage, written into `docs/benchmarks.md`.

A `quick` run is also what estimates go by where there is none: its facts are written into `pipeline/reference.json`.

    python -m tests.benchmarks.whole_run [--profile smoke] [--print] [--keep FOLDER]

Runs the command line in an empty data folder, with the model already provisioned. Ends with exit code 1 if the run took
more time than the profile's budget or more than six GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.cost import estimate
from tests.benchmarks.baselines import json_line
from tests.benchmarks.document import insert
from tests.benchmarks.sampling import matrix_rate, precision_name

REFERENCE = Path("pipeline/reference.json")
BUDGET_S = {"quick": 600, "smoke": 60}
BUDGET_BYTES = 6 * 2**30


def measure(home: Path, profile: str) -> tuple[dict, float, int]:
    """The manifest of a fresh run, the seconds from start to end, and the peak resident bytes of its process."""
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--profile", profile, "--run-id", "benchmark"],
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        check=True,
    )
    wall_s = time.monotonic() - begun
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return json.loads((home / "runs" / "benchmark" / "manifest.json").read_text()), wall_s, peak_bytes


def facts(folder: Path) -> dict:
    """What an estimate needs to know of a finished run."""
    manifest = json.loads((folder / "manifest.json").read_text())
    kept = {name: manifest[name] for name in ("finished_at", "code_version", "config", "host", "stages")}
    return {**kept, "sizes": estimate.sizes(folder)}


def render(manifest: dict, wall_s: float, peak_bytes: int, rate: float) -> str:
    host, packages, profile = manifest["host"], manifest["packages"], manifest["config"]["profile"]
    lines = [
        f"One run of `{profile}` from an empty data folder, start-up and publishing included:",
        f"**{wall_s:.0f} s** of {BUDGET_S[profile]} s, **{peak_bytes / 2**30:.1f} GiB** of"
        f" {BUDGET_BYTES / 2**30:.0f} GiB.",
        f"{host['processor']}, {host['cores']} cores, "
        f"{rate / 1e9:,.0f} GFLOP/s in a {precision_name()} product right after it;",
        f"Python {packages['python']}, torch {packages['torch']}, {manifest['finished_at'][:10]}.",
        "",
        "| stage | seconds | units | per second |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, facts in manifest["stages"].items():
        rate = facts["units"] / facts["wall_s"] if facts["wall_s"] >= 0.5 else None
        shown = f"{rate:,.1f}" if rate else ""
        lines.append(f"| {name} | {facts['wall_s']:.1f} | {facts['units']:,} {facts['unit']} | {shown} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=list(BUDGET_S), default="quick")
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="new data folder to leave the run in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.keep or Path(folder)
        manifest, wall_s, peak_bytes = measure(home, arguments.profile)
        reference = facts(home / "runs" / "benchmark")
    section = render(manifest, wall_s, peak_bytes, matrix_rate())
    print(section)
    if not arguments.print:
        insert(f"{arguments.profile} run", section)
    if not arguments.print and arguments.profile == "quick":
        REFERENCE.write_text(json.dumps(reference, indent=1) + "\n")
    stages = {name: facts["wall_s"] for name, facts in manifest["stages"].items() if facts["wall_s"] >= 0.5}
    print(json_line(f"{arguments.profile} run", {"whole": wall_s, **stages}))
    return int(wall_s > BUDGET_S[arguments.profile] or peak_bytes > BUDGET_BYTES)


if __name__ == "__main__":
    sys.exit(main())
