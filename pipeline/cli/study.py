"""Commands that say what runs have shown, without a browser."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline.cli import Command
from pipeline.runs import recorded
from warehouse import store
from warehouse.metrics.test_set import TestSet


def add(command: Command) -> None:
    """`measure` and `findings`."""
    measure = command("measure", "print how well a measure predicts the regret of the optimised policy", _measure)
    _add_measure_options(measure)

    found = command(
        "findings", "write what a run says of each claim: figures, intervals and computed verdicts", _findings
    )
    found.add_argument("--run", metavar="RUN", help="id of the run (default: the newest finished one)")
    found.add_argument("--output", type=Path, metavar="FILE", help="Markdown file to write (default: print the page)")
    found.add_argument("--replicates", type=int, default=1000, metavar="B", help="bootstrap replicates (default: 1000)")
    found.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of bootstrap, drawn prompts and noise (default: 0)"
    )


def _add_measure_options(parser: argparse.ArgumentParser) -> None:
    def option(*names: str, help: str, **settings: Any) -> None:  # noqa: A002
        parser.add_argument(*names, help=help, **settings)

    option("--run", metavar="RUN", help="id of the run (default: the newest finished one)")
    option(
        "--measure", default="accuracy", metavar="NAME", help="measure of the reward models, or all (default: accuracy)"
    )
    option("--compare", metavar="A,B", help="two measures: the paired bootstrap of their difference")
    option("--optimizer", default="bon", metavar="NAME", help="bon (default) or ppo")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--n",
        "--strength",
        dest="strength",
        type=float,
        metavar="N",
        help="n of best-of-n or PPO step (default: the largest)",
    )
    where.add_argument(
        "--kl", type=float, metavar="NATS", help="policies that are this far from the initial one, between strengths"
    )
    option("--kl-coefficient", type=float, metavar="C", help="KL penalty of PPO (default: the profile's own)")
    option("--level", choices=("pooled", "within"), default="pooled", help="all pairs (default) or within each golden")
    option("--category", default="all", metavar="NAME", help="category of the RM-test prompts, or all (default)")
    option("--subset", action="append", metavar="NAME", help="subset of the RM-test prompts; may be repeated")
    option("--rl-category", default="all", metavar="NAME", help="category of the RL-test prompts, or all (default)")
    option("--source", default="initial", metavar="A[,B…]", help="whose responses: a policy, or ppo (default: initial)")
    option("--paraphrase", type=float, default=0.0, metavar="SHARE", help="share of RM-test prompts to paraphrase")
    for field in fields(TestSet):
        if field.metadata:
            option(f"--{field.name.replace('_', '-')}", **field.metadata)
    option("--replicates", type=int, default=1000, metavar="B", help="bootstrap replicates (default: 1000)")
    option("--seed", type=int, default=0, metavar="S", help="seed of bootstrap, prompts and noise (default: 0)")
    option("--json", action="store_true", help="print one JSON object")
    option("--export", type=Path, metavar="FILE", help="also write a .json, .csv or .parquet file")


def _measure(arguments: argparse.Namespace) -> int:
    from pipeline.cli.measure import report

    recorded.provide(store.home())
    print(report(store.home(), arguments))
    return 0


def _findings(arguments: argparse.Namespace) -> int:
    from pipeline.cli.findings import findings

    recorded.provide(store.home())
    print(findings(store.home(), arguments.run, arguments.output, arguments.replicates, arguments.seed))
    return 0
