"""Seconds and memory of importing five million scores, beside Polars reading the same file, in one run.

    python -m tests.benchmarks.import_scores [--scorers 50] [--prompts 25000] [--responses 4] [--print]

Each format is imported in a process of its own, from the file to the published warehouse; the ratio is to `read_csv` or
`read_parquet` of the whole file in the same process. At most 20 s and 4 GiB. Written into `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.runs.exchange import import_files
from tests.benchmarks.baselines import json_line
from tests.benchmarks.document import insert
from tests.benchmarks.machine import Others

MOST_S, MOST_GIB = 20.0, 4.0
FORMATS = {"csv": pl.read_csv, "parquet": pl.read_parquet}


def write(folder: Path, scorers: int, prompts: int, responses: int) -> None:
    """The same scores in long form as `scores.csv` and `scores.parquet`, in the order in which scorers write them."""
    size = scorers * prompts * responses
    numbers = pl.DataFrame(
        {
            "prompt_id": np.tile(np.repeat(np.arange(prompts), responses), scorers),
            "response_id": np.tile(np.arange(responses), scorers * prompts),
            "reward_model": np.repeat(np.arange(scorers), prompts * responses),
            "score": np.random.default_rng(0).normal(size=size).round(5),
        }
    )
    frame = numbers.with_columns(
        prompt_id=pl.format("prompt-{}", "prompt_id"),
        response_id=pl.format("response-{}", "response_id"),
        reward_model=pl.format("scorer-{}", "reward_model"),
    )
    frame.write_csv(folder / "scores.csv")
    frame.write_parquet(folder / "scores.parquet")


def measured(path: Path) -> dict[str, float]:
    """Seconds of an import and of Polars alone, and the greatest memory of the import in GiB; in this process."""
    start = time.perf_counter()
    FORMATS[path.suffix[1:]](path)
    plain_s = time.perf_counter() - start
    start, cpu_start = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        import_files(Path(folder), [path], run_id="many", layout="auto")
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"import_s": seconds, "cpu_s": cpu_s, "polars_s": plain_s, "peak_gib": peak_gib}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorers", type=int, default=50)
    parser.add_argument("--prompts", type=int, default=25_000)
    parser.add_argument("--responses", type=int, default=4)
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.of:
        print(json.dumps(measured(arguments.of)))
        return 0
    size = arguments.scorers * arguments.prompts * arguments.responses
    lines = [
        f"{size:,} scores in long form: {arguments.scorers} scorers, {arguments.prompts:,} prompts, "
        f"{arguments.responses} responses.",
        "",
        "| format | import, s | processor time, s | Polars reads the file, s | ratio | peak memory, GiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    seconds, within = {}, True
    with tempfile.TemporaryDirectory() as folder:
        others = Others()
        write(Path(folder), arguments.scorers, arguments.prompts, arguments.responses)
        for name in FORMATS:
            command = [sys.executable, "-m", "tests.benchmarks.import_scores", "--of", f"{folder}/scores.{name}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            import_s, plain_s, peak_gib = figures["import_s"], figures["polars_s"], figures["peak_gib"]
            lines.append(
                f"| {name} | {import_s:.1f} | {figures['cpu_s']:.1f} | {plain_s:.2f} | {import_s / plain_s:.0f}× | "
                f"{peak_gib:.1f} |"
            )
            seconds[name] = import_s
            within &= import_s <= MOST_S and peak_gib <= MOST_GIB
        lines += ["", others.line()]
    print("\n".join(lines))
    if not arguments.print:
        insert("import", "\n".join(lines))
    print(json_line("import", seconds))
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
