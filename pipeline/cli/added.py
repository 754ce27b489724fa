"""Commands that add to a published run what needs no models: outcomes measured elsewhere, ensembles of scorers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.cli import AddCommand, add_option
from pipeline.runs import exchange
from pipeline.runs.ensembles import SUFFIX, ensemble
from pipeline.runs.outcomes import INCOMPLETE, add_outcomes
from warehouse import store
from warehouse.formats import names_in
from warehouse.metrics.ensembles import WAYS
from warehouse.schema import ROLES


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

    joined = command(
        "ensemble",
        "create a new run from a published one with an ensemble of its scorers, made from their stored scores",
        "righttree ensemble --run RUN --members flip-0.00,flip-0.10,flip-0.20 --how worst --role golden",
        _ensemble,
    )
    add_option(joined, "--run", "RUN", "id of the run; it is not changed", required=True)
    add_option(joined, "--members", "A,B,…", "scorers of the run, two or more", required=True)
    ways = (
        "mean of the standardised scores, the worst (lowest) of them, or uncertainty: the mean less their disagreement"
    )
    add_option(joined, "--how", "HOW", ways, default=WAYS[0], choices=WAYS)
    weight = "with --how uncertainty: how many standard deviations over the members are taken off the mean"
    add_option(joined, "--weight", "X", weight, float, default=1.0)
    add_option(joined, "--name", "NAME", "id of the ensemble in the new run (default: ensemble-HOW)")
    role = "what it is only: golden (never a proxy) or proxy (never golden) (default: both)"
    add_option(joined, "--role", "ROLE", role, choices=ROLES)
    add_option(joined, "--run-id", "ID", f"name of the new run (default: RUN-{SUFFIX})")
    joined.add_argument("--json", action="store_true", help="print one JSON object")


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


def _ensemble(arguments: argparse.Namespace) -> int:
    exchange.provide_recorded(store.home())
    members = list(names_in(arguments.members))
    joined = ensemble(
        store.home(),
        arguments.run,
        members,
        arguments.how,
        weight=arguments.weight,
        name=arguments.name,
        role=arguments.role,
        new_id=arguments.run_id,
    )
    named = {"run": joined.run_id, "scorer": joined.scorer, "responses": joined.responses, "left_out": joined.left_out}
    print(json.dumps(named) if arguments.json else f"{joined.line}; explore it with `righttree app`")
    return 0
