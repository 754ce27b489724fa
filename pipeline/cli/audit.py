"""`righttree audit`: what is wrong with a test set, as text or JSON, and its items as a file to act on.

The names in the JSON and in the file are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.cli import AddCommand, add_option, check_target
from pipeline.errors import InvalidConfig, write_errors
from pipeline.runs import exchange
from warehouse import files, reads, store
from warehouse.formats import count, names_in, number
from warehouse.metrics.catalogue import optimizer_words
from warehouse.metrics.cube import PolicyValues
from warehouse.spreadsheets import neutral
from warehouse.store import Connection
from warehouse.study.audit.audit import Audit, audited, default_goldens
from warehouse.study.audit.items import FAULTS, FEWEST_MODELS, RATE
from warehouse.study.audit.subsets import FEWEST_ITEMS, STANDARD
from warehouse.study.audit.table import item_rows, reason_rows, subset_rows
from warehouse.study.correlation import cautions
from warehouse.terminals import on_one_line

Result = dict[str, Any]

SCHEMA_VERSION = 1

_WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], object]] = {
    ".csv": lambda rows, path: neutral(rows).write_csv(path),
    ".parquet": lambda rows, path: rows.write_parquet(path),
}


def add(command: AddCommand) -> None:
    """`audit`."""
    audit = command(
        "audit",
        "print which subsets of a test set predict and tell reward models apart, and which items are faulty",
        "righttree audit --export items.csv",
        lambda choice: print(report(choice)) or 0,
    )
    audit.add_argument(
        "run", nargs="?", metavar="RUN", help="id of the run (default: the pinned one, else the recorded one)"
    )
    truth = "scorers that count as the truth (default: labels, grades and verifiers, else every reward model in turn)"
    add_option(audit, "--golden", "NAME[,…]", truth)
    add_option(audit, "--optimizer", "NAME", "optimiser whose policies subsets are to predict", default="bon")
    degree = "n of best-of-n, λ of tilted, or PPO step (default: the largest; an n that half of the prompts reach)"
    audit.add_argument("--n", "--strength", dest="strength", type=float, metavar="N", help=degree)
    add_option(audit, "--outcome", "NAME", "outcome that subsets are to predict, in NDR's place")
    add_option(audit, "--items", "K", "how many of the worst items to print", int, default=20)
    add_option(audit, "--replicates", "B", "altered studies for intervals and p-values", int, default=1000)
    add_option(audit, "--seed", "S", "seed for replicates and simulated draws", int, default=0)
    audit.add_argument("--json", action="store_true", help="print one JSON object, with every item")
    add_option(audit, "--export", "FILE", "also write the table of items, a .csv or .parquet file", Path)


def report(choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName, InvalidChoice and InvalidConfig."""
    if choice.export and choice.export.suffix not in _WRITERS:
        raise InvalidConfig(f"--export {choice.export}: the name has to end in .csv or .parquet")
    check_target("--export", choice.export)
    if choice.items < 0:
        raise InvalidConfig(f"--items is {choice.items}; give 0 or more")
    exchange.provide_recorded(store.home())
    with store.open_read_only(store.home()) as connection:
        run_id = reads.runs.named_or_default(connection, choice.run)
        cube = reads.scores.score_cube(connection, run_id)
        goldens = names_in(choice.golden) or default_goldens(cube)
        cube = cube.with_goldens(goldens)
        outcome = reads.outcomes.outcome(connection, run_id, choice.outcome) if choice.outcome else None
        degree = None if outcome else _strength(connection, run_id, choice)
        values = None if degree is None else _values(connection, run_id, choice.optimizer, degree)
        texts = reads.responses.texts(connection, run_id, cube.prompts)
    audit = audited(cube, values, texts, outcome=outcome, replicates=choice.replicates, seed=choice.seed)
    quantities = {prediction.quantity for prediction in audit.predictions if prediction is not None}
    result: Result = {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "goldens": list(audit.right.golden_names),
        "reward_models": list(audit.right.reward_models),
        "optimizer": choice.optimizer if values is not None else None,
        "strength": degree,
        "predicts": next(iter(quantities), None),
        "shared_prompts": max((evaluation.shared_prompts for evaluation in audit.evaluations), default=0),
        "seed": choice.seed,
        "subsets": subset_rows(audit),
        "reasons": reason_rows(audit),
        "items": item_rows(audit),
    }
    if choice.export:
        rows = pl.DataFrame(result["items"], infer_schema_length=None)
        with write_errors(choice.export, "give another file to --export"), files.replacing(choice.export) as temporary:
            _WRITERS[choice.export.suffix](rows, temporary)
    return json.dumps(result) if choice.json else _text(on_one_line(result), audit, choice.items)


def _strength(connection: Connection, run_id: str, choice: argparse.Namespace) -> float | None:
    """The strength of the policies; None where the run has none. Raises InvalidChoice for an unknown optimiser."""
    if reads.policies.strengths(connection, run_id).is_empty():
        return None
    usual = reads.policies.usual_strength(connection, run_id, choice.optimizer)
    return usual if choice.strength is None else float(choice.strength)


def _values(connection: Connection, run_id: str, optimizer: str, strength: float) -> PolicyValues:
    return reads.values.policy_values(connection, run_id, optimizer, strength)


# Text ----------------------------------------------------------------------------------------------------------------


def _text(result: Result, audit: Audit, most: int) -> str:
    faulty = len(audit.worst())
    models, goldens = result["reward_models"], result["goldens"]
    truth = f"golden {', '.join(goldens)}" if audit.right.fixed else "each judged by all others"
    lines = [
        f"Audit of the test set of run {result['run']}: {count(len(audit.prompts), 'item')}, "
        f"{count(len(models), 'reward model')}, {truth}",
        f"{count(faulty, 'item')} to look at: {_counts(result['reasons'])}",
    ]
    if not audit.enough_models:
        few = f"fewer than {FEWEST_MODELS} reward models: no test says anything of single items"
        lines.append(f"{few[:1].upper()}{few[1:]}")
    lines += [f"{line[:1].upper()}{line[1:]}" for line in cautions(len(models), result["shared_prompts"])]
    lines += [*_verdicts(result["subsets"]), "", *_subsets(result)]
    if shown := result["items"][: min(most, faulty)]:
        width = max(len(row["prompt_id"]) for row in shown)
        lines += ["", f"The {len(shown)} worst of {count(faulty, 'item')} (--export FILE writes all of them)"]
        lines += [f"  {row['prompt_id']:<{width}}  {row['reasons']}: {row['because']}" for row in shown]
    if named := [row for row in result["reasons"] if row["items"]]:
        lines += ["", "What the reasons mean, and how many items they name by mistake"]
        lines += [f"  {row['reason']:<14} {row['items']:>6,}  {row['means']} ({row['by_chance']})" for row in named]
    return "\n".join(lines)


def _counts(reasons: Sequence[Mapping[str, Any]]) -> str:
    parts = [f"{row['items']:,} {row['reason']}" for row in reasons if row["items"] and row["reason"] in FAULTS]
    return ", ".join(parts) or "no fault was found"


def _verdicts(subsets: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands out: pairs told apart by all items, and subsets that are good for nothing."""
    whole, few = subsets[0], [row for row in subsets[1:] if row["used"] < FEWEST_ITEMS]
    lines = []
    if whole["used"] < FEWEST_ITEMS:
        lines.append(f"{count(whole['used'], 'usable item')}, fewer than {FEWEST_ITEMS}: no verdict on the test set")
    if whole["reliability"] is not None:
        lines.append(
            f"{whole['pairs_apart']} of {count(whole['pairs'], 'pair')} of reward models are told apart; reliability "
            f"of their ranking {_interval(whole, 'reliability')}"
        )
    judged = [row for row in subsets if row["verdict"] and row["used"] >= FEWEST_ITEMS]
    lines += [f"{_name(row)}: {row['verdict']}" for row in judged]
    if few:
        lines.append(f"{count(len(few), 'subset')} of fewer than {FEWEST_ITEMS} items not judged")
    return lines


def _subsets(result: Result) -> list[str]:
    rows = [row for row in result["subsets"] if row["used"] >= FEWEST_ITEMS or row is result["subsets"][0]]
    width = max(len(_name(row)) for row in rows)
    predicts, compared = result["predicts"], any(row["tau_difference"] is not None for row in rows)
    head = f"{'items':>6}  {'accuracy':>8}  {'reliability':>21}  {f'of {STANDARD}':>6}  {'pairs apart':>11}"
    lines = []
    if predicts is not None and all(row["tau"] is None for row in rows):
        lines, predicts = [f"No correlation with {_what(predicts)} is defined"], None
    if predicts is not None:
        what = _what(predicts)
        policies = f" of {_policies(result)}" if predicts in ("ndr", "gain") else ""
        lines = [
            f"τ: how well accuracy on the subset predicts {what}{policies}. * it does"
            f"{'; < less, > more than all items' if compared else ''}: p below 0.05,",
            "corrected for the number of subsets",
        ]
        head += f"  {f'τ with {what}':>24}" + (f"  {'minus τ of all items':>24}" if compared else "")
    lines.append(f"  {'':<{width}}  {head}")
    for row in rows:
        apart = f"{row['pairs_apart']}/{row['pairs']}"
        cells = (
            f"  {_name(row):<{width}}  {row['used']:>6,}  {_number(row['accuracy']):>8}  "
            f"{_interval(row, 'reliability'):>21}  {_number(row['reliability_100']):>6}  {apart:>11}"
        )
        if predicts is not None:
            predicted = f"{_interval(row, 'tau')}{'*' if _predicts(row) else ' '}"
            cells += f"  {predicted:>24}"
        if compared:
            cells += f"  {_interval(row, 'tau_difference') + _against_all(row):>24}"
        lines.append(cells.rstrip())
    return lines


def _what(predicts: str) -> str:
    return {"ndr": "NDR", "gain": "the gain"}.get(predicts, predicts)


def _policies(result: Result) -> str:
    return optimizer_words(result["optimizer"]).at.format(f"{result['strength']:g}")


def _name(row: Mapping[str, Any]) -> str:
    if row["subset"] is None:
        return row["category"] or "all items"
    return f"{row['category']} / {row['subset']}"


def _interval(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "–" if value is None else f"{number(value)} [{number(low)}, {number(high)}]"


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _predicts(row: Mapping[str, Any]) -> bool:
    return row["p_predicts"] is not None and row["p_predicts"] < RATE and row["tau"] > 0


def _against_all(row: Mapping[str, Any]) -> str:
    if row["p_difference"] is None or row["p_difference"] >= RATE:
        return " "
    return "<" if row["tau_difference"] < 0 else ">"
