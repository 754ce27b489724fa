"""The report card as one HTML file: sentences, figures as SVG, tables, the data as JSON, and where they come from.

The file asks for nothing from outside and runs no script; its own policy forbids both. All foreign text is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from app.charts import export
from app.report import figures, style, tables, text
from app.report.card import card as card_of
from app.report.subject import Section, subject
from warehouse.store import Connection

DATA = "righttree-report"
"""The id of the JSON block."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write(connection: Connection, run_id: str | None, name: str, goldens: tuple[str, ...] = (), seed: int = 0) -> str:
    """The file of a reward model (of the default run, if None is given). Raises as `subject.subject`."""
    return html(card_of(subject(connection, run_id, name, goldens, seed)))


def file_name(name: str) -> str:
    """`report-NAME.html`, with what a file's name cannot have replaced."""
    return f"report-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.')[:80] or 'reward-model'}.html"


def html(card: Section) -> str:
    """The file of a card."""
    shown = _printable(card)
    identity, run = shown["reward_model"], shown["provenance"]["run"]
    kind = f"{identity['kind']}: {text.KINDS.get(identity['kind'], '')}".removesuffix(": ")
    name = escape(identity["name"])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark"><meta name="generator" content="righttree report">',
        f"<title>{name}: report card</title>",
        f"<style>{style.css()}</style></head><body><main>",
        f'<header><p class="over">Report card of a reward model</p><h1><bdi>{name}</bdi></h1>',
        f'<p class="under">{escape(kind)}. Run <bdi>{escape(run["run_id"])}</bdi>; judged by '
        f"{_foreign(text.judged_by(shown))}.</p></header>",
        f'<p class="answer">{_foreign(text.answer(shown))}</p>',
        _tiles(text.tiles(shown)),
        _list(text.points(shown)),
        "<h2>Cautions</h2>",
        _list(text.cautions(shown)),
        "<h2>Figures</h2>",
        _figures(shown),
        "<h2>Where it fails</h2>",
        _worst(shown),
        "<h2>All figures</h2>",
        f'<div class="tables">{"".join(_table(table) for table in tables.tables(shown))}</div>',
        "<h2>What is undefined or unknown</h2>",
        _undefined(shown),
        "<h2>What the words mean</h2>",
        f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(words)}</dd>' for term, words in text.TERMS.items())}</dl>",
        "<h2>Where this comes from</h2>",
        _table(tables.provenance(shown)),
        f"<p>Written by <code>{escape(shown['provenance']['command'])}</code>, which writes it again. All figures of "
        f"this page are also in it as JSON, in the element <code>#{DATA}</code>.</p>",
        "</main>",
        f'<script type="application/json" id="{DATA}">{_json(card)}</script></body></html>',
    ]
    return "\n".join(parts) + "\n"


def _json(card: Section) -> str:
    """JSON that cannot end the element that it is in, in ASCII."""
    encoded = json.dumps(card, allow_nan=False, ensure_ascii=True)
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _printable(part: Any) -> Any:
    """The same with control characters, which no HTML or SVG may have, replaced in every text."""
    if isinstance(part, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", part)
    if isinstance(part, dict):
        return {name: _printable(value) for name, value in part.items()}
    return [_printable(value) for value in part] if isinstance(part, list) else part


def _foreign(sentence: str) -> str:
    return f"<bdi>{escape(sentence)}</bdi>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_foreign(sentence)}</li>' for sentence in sentences)}</ul>"


def _tiles(tiles: Sequence[tuple[str, str, str]]) -> str:
    cells = (
        f"<div><dt>{escape(label)}</dt><dd><b>{escape(value)}</b><span>{escape(rest)}</span></dd></div>"
        for label, value, rest in tiles
    )
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def _figures(card: Section) -> str:
    drawn = []
    for number, (title, note, chart, alt) in enumerate(figures.figures(card), start=1):
        looks = "".join(
            f'<div class="{look}">{figures.svg(chart, look, f"f{number}{look}", alt)}</div>' for look in export.LOOKS
        )
        drawn.append(f"<figure><h3>{_foreign(title)}</h3>{looks}<figcaption>{_foreign(note)}</figcaption></figure>")
    return f'<div class="figures">{"".join(drawn)}</div>'


def _table(table: tables.Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_foreign(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return (
        f'<section><h3>{_foreign(table.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _worst(card: Section) -> str:
    failing = card["failures"]
    if not failing:
        return "<p>Unknown: the run has no samples that best-of-n could pick from.</p>"
    if not failing["worst"]:
        return "<p>On no prompt does the golden prefer another response to its favourite.</p>"
    blocks = []
    for row in failing["worst"]:
        about = f"{row['category']} · {row['subset']} · {row['prompt']}: loses {text.amount(row['loss'], 'measure')}"
        sides = (("Its favourite", "pick"), ("The golden's favourite", "best"))
        texts = "".join(
            f"<div><h4>{title}, golden {text.amount(row[f'golden_of_{side}'], 'measure')}</h4>"
            f"<pre>{_foreign(row[side] or 'The text is unknown.')}</pre></div>"
            for title, side in sides
        )
        prompt = row["text"] or "The text is unknown."
        blocks.append(
            f'<section class="worst"><h3>{_foreign(about)}</h3><pre>{_foreign(prompt)}</pre>'
            f'<div class="two">{texts}</div></section>'
        )
    said = "The prompts on which the golden gives up most by the reward model's favourite of all responses."
    return f"<p>{said}</p>{''.join(blocks)}"


def _undefined(card: Section) -> str:
    if not card["undefined"]:
        return "<p>Nothing.</p>"
    sentences = (f"{row['what']} ({text.undefined(row)}): {row['why']}" for row in card["undefined"])
    return _list(f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences)
