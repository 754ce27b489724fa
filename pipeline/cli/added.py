"""Commands that add to a published run what needs no models: outcomes measured elsewhere, ensembles of scorers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.cli import AddCommand, add_option
from pipeline.runs import exchange
from pipeline.runs.outcomes import INCOMPLETE, add_outcomes
from warehouse import store


def add(command: AddCommand) -> None:
    """`outcomes` and `ensemble`."""
    outcomes = command(
        "outcomes",
        "add outcomes measured elsewhere, such as Elo or a win rate after DPO, to a run: one number per reward model",
        "righttree outcomes elo.csv --run RUN",
        _outcomes,
    )
    about = "files with the columns reward_model, outcome, value and, optionally, standard_error"
    outcomes.add_argument("files", nargs="+", type=Path, metavar="FILE", help=about)
    add_option(outcomes, "--run", "RUN", "id of the run that has the reward models", required=True)
    smaller = "outcome of which smaller is better, stored negated as -NAME; may be repeated (default: larger is better)"
    add_option(outcomes, "--smaller-is-better", "NAME", smaller, action="append", default=[])
    unknown = "reward models that the run does not have: drop-model leaves them out and says so, or refuse"
    add_option(outcomes, "--incomplete", "HOW", unknown, default=INCOMPLETE[0], choices=INCOMPLETE)
    outcomes.add_argument("--json", action="store_true", help="print one JSON object")


def _outcomes(arguments: argparse.Namespace) -> int:
    exchange.provide_recorded(store.home())
    added = add_outcomes(
        store.home(),
        arguments.files,
        arguments.run,
        smaller_is_better=arguments.smaller_is_better,
        incomplete=arguments.incomplete,
    )
    named = {"run": added.run_id, "outcomes": added.outcomes, "left_out": added.left_out}
    print(json.dumps(named) if arguments.json else f"{added.line}; `righttree measure --outcome NAME` uses them")
    return 0
