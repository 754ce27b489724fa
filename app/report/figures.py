"""The figures of a report card, drawn from the card as SVG for a light and for a dark ground."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from xml.etree import ElementTree

import polars as pl

from app.charts import choice, curves, export, report, responses
from app.charts.export import Chart, Look
from app.components.formats import SHARE, SHORT, percent
from app.report import text
from app.report.subject import Section
from warehouse.claims import choosing

MOST_ROWS = 30
"""Rows of a figure; tables have them all."""

_WIDTH = 300
_SVG = "http://www.w3.org/2000/svg"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_ROWS = {"part": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


class Figure(NamedTuple):
    """A chart with its title, how to read it, and what it shows in words for those who cannot see it."""

    title: str
    note: str
    chart: Chart
    alt: str


def figures(card: Section) -> list[Figure]:
    """Those that the card has the figures for, in the order of a reader's questions."""
    drawn = (_ranking, _curve, _predicted, _categories, _thirds, _calibration, _distribution, _agreement, _benchmark)
    return [figure for draw in drawn if (figure := draw(card)) is not None]


def svg(chart: Chart, look: Look, key: str, alt: str) -> str:
    """A chart as an `svg` element of a page. Ids start with `key`, as they would clash with those of other figures."""
    root = ElementTree.fromstring(export.inline(chart, look, _WIDTH))
    for element in root.iter():
        for name in list(element.attrib):
            if name.startswith(("aria-", "on")) or name in ("role", "href", "{http://www.w3.org/1999/xlink}href"):
                del element.attrib[name]  # the whole has one description; nothing in it acts or leads elsewhere
            elif name == "id":
                element.attrib[name] = f"{key}-{element.attrib[name]}"
            else:
                element.attrib[name] = _REFERENCE.sub(rf"url(#{key}-\1)", element.attrib[name])
    root.attrib |= {"role": "img", "aria-label": alt}
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _ranking(card: Section) -> Figure | None:
    best = card["best_of_n"]
    if not best or len(best["ranking"]) < 2:
        return None
    rows = best["ranking"]
    name = card["reward_model"]["name"]
    if len(rows) > MOST_ROWS:
        rows = sorted(rows, key=lambda row: row["reward_model"] != name)[:MOST_ROWS]
        rows = sorted(rows, key=lambda row: row["rank"])
    columns = ("reward_model", "value", "low", "high", "together_low", "together_high")
    frame = pl.DataFrame([{column: row[column] for column in columns} for row in rows]).with_columns(
        group=pl.Series([choosing.letters(row["groups"]) for row in rows], dtype=pl.String),
        first=pl.col("reward_model") == pl.lit(name),
        ndr=pl.Series([row["ndr"]["value"] for row in rows], dtype=pl.Float64),
    )
    alone = best["length_alone"]
    lines = [(f"always the {side}", alone[side]["value"]) for side in ("longest", "shortest")] if alone else []
    share = best["unit"] == "share"
    title = f"Right by best-of-{best['n']}" if share else f"Golden gain of best-of-{best['n']} (sd)"
    left_out = f" {len(best['ranking']) - len(rows)} more are in the table." if len(rows) < len(best["ranking"]) else ""
    return Figure(
        "Among the others",
        "Opaque: this one. Thick: 95% of its own; thin: all at once. A letter in common: cannot be told apart. "
        f"Dashed: by length alone.{left_out}",
        choice.ranked(frame, title, lines, format_=SHARE if share else SHORT),
        f"Reward models by what their policies are worth; this one is {text.ordinal(best['rank'])} of {best['of']}",
    )


def _curve(card: Section) -> Figure | None:
    best = card["best_of_n"]
    points = [row for row in best["curve"] if row["ndr"]["value"] is not None] if best else []
    if len(points) < 2:
        return None
    frame = pl.DataFrame(
        [
            {"strength": float(row["n"]), "ndr": row["ndr"]["value"], "low": row["ndr"]["low"]}
            | {"high": row["ndr"]["high"], "undefined_pairs": 0}
            for row in points
        ]
    )
    return Figure(
        "What optimising against it keeps",
        "Golden gain as a share of what the golden itself gains, with 95% intervals. 1: nothing is lost; 0: no gain.",
        curves.ndr(frame, "n of best-of-n", doubling=True),
        "NDR of best-of-n along n",
    )


def _predicted(card: Section) -> Figure | None:
    rows = [row for row in card["predicted"] if row["quantity"] == "ndr"]
    if not rows:
        return None
    measured = [
        f"{text.optimizer(row)} {text.amount(row['measured'], 'measure')}"
        for row in rows
        if row["measured"] is not None
    ]
    note = f" Measured: {'; '.join(measured)}." if measured else ""
    return Figure(
        "What its policies would keep, predicted",
        f"NDR predicted from its RM-test scores, without its own policies, with {percent(rows[0]['level'])} intervals "
        f"(jackknife+).{note}",
        report.forest(_frame([{**row, "part": text.optimizer(row)} for row in rows]), "NDR"),
        "Predicted NDR with its interval, one row an optimiser",
    )


def _categories(card: Section) -> Figure | None:
    accuracy = card["accuracy"]
    if not accuracy or len(accuracy["categories"]) < 2:
        return None
    rows = accuracy["categories"][:MOST_ROWS]
    return Figure(
        "Accuracy by category",
        "Dashed: over all prompts. Each 95% interval holds for its category alone.",
        report.forest(_frame(rows), "Accuracy", references=_references(accuracy["value"])),
        "Accuracy with its interval, one row a category",
    )


def _thirds(card: Section) -> Figure | None:
    accuracy = card["accuracy"]
    if not accuracy or all(row["value"] is None for row in accuracy["thirds"]):
        return None
    rows = [{**row, "part": thirds_of(row)} for row in accuracy["thirds"]]
    return Figure(
        "Accuracy by the golden's rank",
        "Pairs of a response from one third of a prompt's responses by the golden and one from another.",
        report.forest(_frame(rows), "Accuracy", references=_references(accuracy["value"])),
        "Accuracy with its interval on pairs of responses of different thirds",
    )


def thirds_of(row: Section) -> str:
    """`best against middle third`."""
    names = {1: "worst", 2: "middle", 3: "best"}
    return f"{names[row['better']]} against {names[row['worse']]}"


def _calibration(card: Section) -> Figure | None:
    calibration = card["calibration"]
    if not calibration:
        return None
    columns = {"confidence": "confidence", "right": "value", "low": "low", "high": "high", "pairs": "pairs"}
    bins = pl.DataFrame([{new: row[old] for new, old in columns.items()} for row in calibration["bins"]])
    return Figure(
        "Is it as right as it is sure?",
        f"Confidence in the order of two responses, and how often {calibration['golden']} orders them so. Dashed: "
        "perfect.",
        responses.reliability(bins),
        "Confidence against the share of pairs ordered right",
    )


def _distribution(card: Section) -> Figure | None:
    if not card["scores"]:
        return None
    scores = card["scores"]
    return Figure(
        "How its scores are distributed",
        f"{scores['responses']:,} responses to RM-test prompts; mean {text.amount(scores['mean'], 'measure')}, sd "
        f"{text.amount(scores['sd'], 'measure')}. The end bins have all beyond ±3.",
        report.histogram(pl.DataFrame(scores["bins"])),
        "Histogram of standardised scores",
    )


def _agreement(card: Section) -> Figure | None:
    rows = card["agreement"]
    if not rows:
        return None
    drawn = rows[:MOST_ROWS]
    more = f" The {MOST_ROWS} most alike of {len(rows)}." if len(rows) > len(drawn) else ""
    return Figure(
        "Which others does it agree with?",
        f"Share of the pairs that the other orders which this one orders alike; dashed: chance.{more}",
        report.forest(
            _frame([{**row, "part": row["scorer"]} for row in drawn]), "Ordered alike", references=_references(0.5)
        ),
        "Share of pairs ordered alike with each other scorer",
    )


def _benchmark(card: Section) -> Figure | None:
    if not card["benchmarks"]:
        return None
    first = card["benchmarks"][0]
    rows = [{"part": part["part"], "value": part["score"], "low": None, "high": None} for part in first["parts"]]
    return Figure(
        f"{first['benchmark']}: its own scores",
        "As the benchmark computes them.",
        report.forest(_frame(rows[-MOST_ROWS:]), "Score"),
        "Scores of the benchmark by part",
    )


def _frame(rows: list[Section]) -> pl.DataFrame:
    return pl.DataFrame([{column: row[column] for column in _ROWS} for row in rows], schema=_ROWS)


def _references(*values: Any) -> list[float]:
    return [value for value in values if value is not None]
