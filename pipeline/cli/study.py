"""Commands that print what runs have shown, without a browser: measure and findings."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from pipeline.cli import AddCommand, add_option
from pipeline.runs import exchange
from warehouse import store
from warehouse.metrics.test_set import TestSet


def add(command: AddCommand) -> None:
    """`measure` and `findings`."""
    measure = command(
        "measure",
        "print how well a metric of reward models predicts the regret of the optimised policy",
        "righttree measure --measure accuracy --optimizer bon --n 8 --category Chat",
        _measure,
    )
    _add_run(measure)
    add_option(measure, "--measure", "NAME", "metric of the reward models, or all", default="accuracy")
    add_option(measure, "--compare", "A,B", "compare two metrics by a paired bootstrap of their difference")
    add_option(measure, "--optimizer", "NAME", "optimiser of the policies: bon or ppo", default="bon")
    degree = measure.add_mutually_exclusive_group()
    degree.add_argument(
        "--n",
        "--strength",
        dest="strength",
        type=float,
        metavar="N",
        help="n of best-of-n or PPO step (default: the largest)",
    )
    add_option(degree, "--kl", "NATS", "compare policies at this KL, interpolating between strengths", float)
    add_option(measure, "--kl-coefficient", "C", "KL penalty of PPO (default: the profile's main one)", float)
    levels = "correlate over all pairs, or within each golden model (default: pooled)"
    measure.add_argument("--level", choices=("pooled", "within"), default="pooled", help=levels)
    add_option(measure, "--category", "NAME", "category of the RM-test prompts, or all", default="all")
    add_option(measure, "--subset", "NAME", "subset of the RM-test prompts; may be repeated", action="append")
    add_option(measure, "--rl-category", "NAME", "category of the RL-test prompts, or all", default="all")
    add_option(measure, "--source", "A[,B…]", "policies whose responses are judged, or ppo", default="initial")
    add_option(measure, "--paraphrase", "SHARE", "share of RM-test prompts to paraphrase", float, default=0.0)
    for field in fields(TestSet):
        if field.metadata:
            measure.add_argument(f"--{field.name.replace('_', '-')}", **field.metadata)
    _add_bootstrap(measure)
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    add_option(measure, "--export", "FILE", "also write a .json, .csv or .parquet file", Path)

    findings = command(
        "findings",
        "write the verdict on each claim about reward models, with figures and intervals, for one run",
        "righttree findings --output findings.md",
        _findings,
    )
    _add_run(findings)
    add_option(findings, "--output", "FILE", "Markdown file to write (default: print the page)", Path)
    _add_bootstrap(findings)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--run", "RUN", "id of the run (default: the newest finished one)")


def _add_bootstrap(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--replicates", "B", "bootstrap replicates", int, default=1000)
    seed = "seed for the bootstrap, for choosing prompts and paraphrases, and for simulated noise"
    add_option(parser, "--seed", "S", seed, int, default=0)


def _measure(arguments: argparse.Namespace) -> int:
    from pipeline.cli.measure import report

    exchange.provide_recorded(store.home())
    print(report(store.home(), arguments))
    return 0


def _findings(arguments: argparse.Namespace) -> int:
    from pipeline.cli.findings import findings

    exchange.provide_recorded(store.home())
    print(findings(store.home(), arguments.run, arguments.output, arguments.replicates, arguments.seed))
    return 0
