"""The tables of a report card: every figure of it, written out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.components.formats import percent, when
from app.report import text
from app.report.figures import thirds_of
from app.report.subject import Section
from warehouse.claims import choosing


class Table(NamedTuple):
    """A table of texts."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(card: Section) -> list[Table]:
    """Those that have rows."""
    listed = [_training(card), _ranking(card), _curve(card), *_accuracy(card), *_policies(card), _scores(card)]
    listed += [_calibration(card), _agreement(card), *_benchmarks(card)]
    return [table for table in listed if table.rows]


def provenance(card: Section) -> Table:
    """Where the figures come from: the run and what wrote the report."""
    source = card["provenance"]
    run = source["run"]
    rows = [
        ("Run", run["run_id"]),
        ("Profile", run["profile"]),
        ("Seed of the run", str(run["seed"])),
        ("Base model of the run", run["base_model"]),
        ("Started", when(run["started_at"])),
        ("Finished", when(run["finished_at"])),
        ("Code version of the run", run["code_version"]),
        ("Packages of the run", _pairs(run["packages"])),
        ("Machine of the run", _pairs(run["host"])),
        ("Settings of the run", run["config"]),
        ("Report written", when(source["written_at"])),
        ("Packages of the report", ", ".join(f"{name} {version}" for name, version in source["packages"].items())),
        ("Seed of the report", str(source["seed"])),
    ]
    return Table("Provenance", ("What", "Value"), rows)


def _pairs(encoded: str) -> str:
    """A JSON object as `name value, …`; what is none as it is."""
    try:
        parsed = json.loads(encoded)
    except ValueError:
        return encoded
    return ", ".join(f"{name} {value}" for name, value in parsed.items()) if isinstance(parsed, dict) else encoded


def _training(card: Section) -> Table:
    identity = card["reward_model"]
    layers = identity["trainable_layers"]
    trained = {None: None, 0: "head only", -1: "all layers"}.get(layers, f"the top {layers} layers and the head")
    validation = identity["validation_accuracy"]
    pairs = f" on {validation['pairs']:,} pairs" if validation["pairs"] else ""
    cells: list[tuple[str, Any]] = [
        ("Kind", identity["kind"]),
        ("Role", identity["role"] and f"{identity['role']} only"),
        ("Base model", identity["base_model"]),
        ("Training pairs", identity["train_pairs"] and f"{identity['train_pairs']:,}"),
        ("Labels flipped", None if identity["flip_rate"] is None else percent(identity["flip_rate"])),
        ("Labels set to the longer", None if identity["length_bias"] is None else percent(identity["length_bias"])),
        ("Trained", trained),
        ("Seed", None if identity["seed"] is None else str(identity["seed"])),
        ("Validation accuracy", validation["value"] and f"{text.with_interval(validation)}{pairs}"),
    ]
    role = "golden and proxy"
    rows = [(label, role if label == "Role" and not value else value or "unknown") for label, value in cells]
    return Table("What it is", ("What", "Value"), rows)


def _ranking(card: Section) -> Table:
    best = card["best_of_n"] or {"ranking": [], "n": 0, "unit": "sd"}
    rows = [
        (
            str(row["rank"]),
            row["reward_model"],
            choosing.letters(row["groups"]),
            text.with_interval(row, best["unit"]),
            text.with_interval({**row, "low": row["together_low"], "high": row["together_high"]}, best["unit"]),
            text.with_interval(row["ndr"]),
            "" if row["this_beats_it"] is None else choosing.chance(row["this_beats_it"]),
        )
        for row in best["ranking"]
    ]
    columns = ("Rank", "Reward model", "Groups", "Worth, own 95%", "all at once", "NDR", "P(this beats it)")
    return Table(f"Reward models by best-of-{best['n']}", columns, rows)


def _curve(card: Section) -> Table:
    best = card["best_of_n"] or {"curve": [], "unit": "sd"}
    rows = [
        (
            str(row["n"]),
            f"{row['prompts']:,}",
            text.with_interval(row, best["unit"]),
            text.with_interval(row["ndr"]) if row["n"] > 1 else "",
        )
        for row in best["curve"]
    ]
    return Table("Best-of-n along n", ("n", "Prompts", "Worth", "NDR"), rows)


def _accuracy(card: Section) -> list[Table]:
    accuracy = card["accuracy"] or {"categories": [], "subsets": [], "thirds": []}
    subsets = accuracy["subsets"]
    if [row["part"] for row in subsets] == sorted(row["part"] for row in accuracy["categories"]):
        subsets = []  # they say the same
    columns = ("Prompts", "Accuracy")
    return [
        Table("Accuracy by category", ("Category", *columns), _parts(accuracy["categories"])),
        Table("Accuracy by subset", ("Subset", *columns), _parts(subsets)),
        Table(
            "Accuracy by the golden's rank",
            ("Thirds of a prompt's responses", "Accuracy"),
            [(thirds_of(row), text.with_interval(row)) for row in accuracy["thirds"]],
        ),
    ]


def _parts(rows: list[Section], unit: str = "measure") -> list[tuple[str, ...]]:
    return [(row["part"], f"{row['prompts']:,}", text.with_interval(row, unit)) for row in rows]


def _policies(card: Section) -> list[Table]:
    best = card["best_of_n"] or {"categories": [], "length_alone": None, "unit": "sd", "n": 0}
    alone = best["length_alone"] or {}
    others = [
        (
            text.optimizer(row),
            text.with_interval(row, row["unit"]),
            text.with_interval(row["ndr"]),
            text.with_interval(row["gain_per_nat"], "sd"),
            f"{row['rank']} of {row['of']}",
            choosing.letters(row["groups"]),
            f"{row['prompts']:,}",
        )
        for row in card["optimizers"]
    ]
    failing = card["failures"] or {"picks_by_length": []}
    return [
        Table(
            f"Worth of best-of-{best['n']} by category",
            ("Category", "Prompts", "Worth"),
            _parts(best["categories"], best["unit"]),
        ),
        Table(
            f"Length alone: the worth of best-of-{best['n']} by length in {alone.get('unit', '')}",
            ("Picks always", "Worth"),
            [
                (f"the {side}", text.with_interval(alone[side], best["unit"]))
                for side in ("longest", "shortest")
                if alone
            ],
        ),
        Table(
            "What it picks, by length among a prompt's responses",
            ("Length", "Share of picks", "Golden above a prompt's mean"),
            [
                (
                    row["part"].replace("lowest", "shortest").replace("highest", "longest"),
                    text.with_interval(row["share"], "share"),
                    text.amount(row["gain"], "measure"),
                )
                for row in failing["picks_by_length"]
            ],
        ),
        Table(
            "Other optimisers", ("Policy", "Worth", "NDR", "Gain per nat of KL", "Rank", "Groups", "Prompts"), others
        ),
        _predicted(card),
    ]


def _predicted(card: Section) -> Table:
    rows = []
    for row in card["predicted"]:
        cells = [text.optimizer(row), "NDR" if row["quantity"] == "ndr" else "gain, sd", text.with_interval(row)]
        cells += ["no policy" if row["measured"] is None else text.amount(row["measured"], "measure")]
        cells.append(f"{row['learnt_from']:,}")
        for left_out in ("reward_model", "kind"):
            held = row["held"][left_out]
            cells.append(f"{held['covered']} of {held['of']}, error {text.amount(held['error'], 'measure')}")
        rows.append(tuple(cells))
    level = percent(card["predicted"][0]["level"]) if rows else ""
    columns = ("Policy", "Of", f"Predicted, {level} interval", "Measured", "Learnt from", "Each left out", "Each kind")
    return Table("Regret predicted from RM-test scores, and how many such intervals held", columns, rows)


def _scores(card: Section) -> Table:
    scores, length = card["scores"], card["length"]
    rows: list[tuple[str, ...]] = []
    if scores:
        names = (("Responses", "responses"), ("Mean", "mean"), ("Standard deviation", "sd"))
        for label, name in (*names, ("Lowest", "least"), ("Highest", "greatest")):
            value = scores[name]
            rows.append((label, f"{value:,}" if isinstance(value, int) else text.amount(value, "measure")))
        rows.append(("Variance within prompts, share of all", text.with_interval(scores["variance_within"])))
    if length:
        rows.append((f"Spearman ρ of score and length in {length['unit']}", text.with_interval(length)))
    return Table("Its scores of RM-test responses", ("What", "Value"), rows)


def _calibration(card: Section) -> Table:
    calibration = card["calibration"] or {"bins": [], "golden": ""}
    rows = [
        (
            f"{percent(row['least'])} to {percent(row['greatest'])}",
            text.amount(row["confidence"], "share"),
            text.with_interval(row, "share"),
            f"{row['pairs']:,}",
        )
        for row in calibration["bins"]
    ]
    columns = ("Confidence", "Mean confidence", "Ordered right", "Pairs")
    return Table(f"Calibration, by {calibration['golden']}", columns, rows)


def _agreement(card: Section) -> Table:
    rows = [(row["scorer"], text.with_interval(row)) for row in card["agreement"] or []]
    return Table("Agreement: share of the other's pairs ordered alike", ("Other scorer", "Ordered alike"), rows)


def _benchmarks(card: Section) -> list[Table]:
    listed = []
    for row in card["benchmarks"] or []:
        rank = "undefined" if row["rank"] is None else f"{row['rank']} of {row['of']}"
        lacks = f"; the run lacks {'; '.join(row['lacks'])}" if row["lacks"] else ""
        cells = [(part["part"], f"{part['prompts']:,}", text.amount(part["score"], "share")) for part in row["parts"]]
        title = f"{row['benchmark']}, as it computes its scores (rank {rank}{lacks})"
        listed.append(Table(title, ("Part", "Prompts", "Score"), cells))
    return listed
