"""`righttree benchmark`: the benchmarks' own scores of an imported run's reward models, as text or JSON.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from pipeline.cli import AddCommand, add_option
from pipeline.runs import exchange
from warehouse import reads, store
from warehouse.errors import UnknownName
from warehouse.formats import count
from warehouse.metrics.benchmarks.of_run import benchmark_scores, lacking
from warehouse.metrics.benchmarks.scores import BenchmarkScores
from warehouse.terminals import names_on_one_line

SCHEMA_VERSION = 1


def add(command: AddCommand) -> None:
    """`benchmark`."""
    benchmark = command(
        "benchmark",
        "print the scores that RewardBench, RewardBench 2 and RM-Bench give the reward models of an imported run",
        "righttree benchmark --run RUN",
        lambda choice: print(report(choice)) or 0,
    )
    add_option(benchmark, "--run", "RUN", "id of the run (default: the pinned one, else the recorded one)")
    benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def report(choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName without a run or without benchmarks."""
    exchange.provide_recorded(store.home())
    with store.open_read_only(store.home()) as connection:
        run_id = choice.run or reads.runs.default_run(connection)
        if run_id is None:
            raise UnknownName("the warehouse has no run yet; import one with `righttree import FILES`")
        cube = reads.scores.initial_scores(connection, run_id, "rm_test")
    results = benchmark_scores(cube)
    if not results:
        raise UnknownName(
            f"run {run_id!r} is of no known benchmark: {lacking(cube)}; docs/formats.md shows their files"
        )
    if choice.json:
        rows = [_row(scores) for scores in results]
        return json.dumps({"schema_version": SCHEMA_VERSION, "run": run_id, "benchmarks": rows})
    return names_on_one_line("\n\n".join(map(_text, results)), cube.reward_models)


def _row(scores: BenchmarkScores) -> dict[str, Any]:
    return {
        "benchmark": scores.benchmark,
        "parts": [
            {"part": part, "prompts": int(size)} for part, size in zip(scores.parts, scores.prompts_S, strict=True)
        ],
        "reward_models": [
            {"reward_model": name, "scores": dict(zip(scores.parts, map(_number, row), strict=True))}
            for name, row in zip(scores.reward_models, scores.scores_MS, strict=True)
        ],
        "lacks": list(scores.lacks),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _text(scores: BenchmarkScores) -> str:
    width = max(len(name) for name in ("prompts", *scores.reward_models))
    columns = [max(len(part), 6) for part in scores.parts]
    head = "  ".join(f"{part:>{size}}" for part, size in zip(scores.parts, columns, strict=True))
    sizes = "  ".join(f"{number:>{size},}" for number, size in zip(scores.prompts_S, columns, strict=True))
    order = np.argsort(-scores.scores_MS[:, -1], kind="stable")
    rows = [
        f"{scores.reward_models[row]:<{width}}  "
        + "  ".join(f"{100 * value:>{size}.1f}" for value, size in zip(scores.scores_MS[row], columns, strict=True))
        for row in order
    ]
    lines = [
        f"{scores.benchmark}: {count(int(scores.prompts_S[-1]), 'prompt')}, "
        f"{count(len(scores.reward_models), 'reward model')}; in percent, as the benchmark computes it",
        f"{'':<{width}}  {head}",
        f"{'prompts':<{width}}  {sizes}",
        *rows,
    ]
    if scores.lacks:
        lines += ["The run lacks, so that averages are of the rest:", *(f"  {what}" for what in scores.lacks)]
    return "\n".join(lines)
