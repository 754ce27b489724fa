"""`righttree import --check`: what files would be read as and what would be left out, without writing anything.

The names in the JSON are a public interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from warehouse.exchange import Study
from warehouse.exchange.scored_rows import Pieces
from warehouse.exchange.sheet import Sheet
from warehouse.formats import count, percent
from warehouse.schema import category_order

_ROLES = {None: "golden and proxy", "golden": "golden only", "proxy": "proxy only"}


def of_files(sheets: Sequence[Sheet], pieces: Pieces) -> dict[str, Any]:
    """What each file was read as: `files` with `name, rows, columns, read_as`."""
    read_as = {line.partition(": ")[0]: line.partition(": ")[2] for line in pieces.recognised}
    files = [
        {
            "name": sheet.name,
            "rows": sheet.frame.height,
            "columns": sheet.frame.columns,
            "read_as": read_as.get(sheet.name),
        }
        for sheet in sheets
    ]
    return {"files": files}


def of_study(study: Study) -> dict[str, Any]:
    """What would be imported and what would be left out."""
    prompts, counts = study.prompts, study.responses.group_by("prompt_id").len()["len"]
    categories = dict(prompts.group_by("category").len().iter_rows())
    ties = _ties(study.scores)
    reasons = study.left_out.group_by("reason").len().sort("len", "reason", descending=[True, False])
    return {
        "scorers": [
            {"name": name, "kind": kind, "role": _ROLES[role], "ties": ties[name]}
            for name, kind, role in study.scorers.select("reward_model_id", "kind", "role").iter_rows()
        ],
        "prompts": prompts.height,
        "splits": dict(prompts.drop_nulls("split").group_by("split").len().sort("split").iter_rows()),
        "responses": study.responses.height,
        "responses_per_prompt": {
            str(number): prompts_of for number, prompts_of in counts.value_counts().sort("len").iter_rows()
        },
        "scores": study.scores.height,
        "preferences": study.pieces.pairs.drop("file", "row").unique().height + study.pieces.preferences.height,
        "policy_values": study.pieces.values.height,
        "categories": {name: categories[name] for name in category_order(categories)},
        "left_out": {
            "line": study.left_out_line,
            "reasons": dict(reasons.iter_rows()),
        },
        "notes": list(study.notes),
    }


def _ties(scores: pl.DataFrame) -> dict[str, float]:
    """The share of the pairs of responses to one prompt to which each scorer gives the same score."""
    same = scores.group_by("reward_model", "prompt_id", "score").len("equal")
    pairs = pl.col("equal").cast(pl.Float64()) * (pl.col("equal") - 1).cast(pl.Float64())
    tied = same.group_by("reward_model", "prompt_id").agg(pairs.sum().alias("tied"), pl.col("equal").sum())
    shares = tied.group_by("reward_model").agg(pl.col("tied").sum() / pairs.sum())
    return dict(shares.iter_rows())


def text(described: dict[str, Any]) -> str:
    """The same in lines; `described` is what `of_files` and, where the files make a study, `of_study` return."""
    lines = []
    for file in described["files"]:
        columns = f"  columns: {', '.join(file['columns'])}"
        lines.append(f"{file['name']}: {file['read_as'] or count(file['rows'], 'row')}")
        lines += [] if columns in lines else [columns]
    if "scorers" not in described:
        return "\n".join(lines)
    lines += ["", "scorers:"]
    width = max(len(scorer["name"]) for scorer in described["scorers"])
    for scorer in described["scorers"]:
        ties = percent(scorer["ties"])
        lines.append(f"  {scorer['name']:<{width}}  {scorer['role']}, {scorer['kind']}, ties in {ties} of the pairs")
    numbers = ", ".join(
        f"{count(prompts, 'prompt')} with {number}" for number, prompts in described["responses_per_prompt"].items()
    )
    sides = ", ".join(f"{prompts} {split}" for split, prompts in described["splits"].items())
    lines += [
        "",
        f"{count(described['prompts'], 'prompt')} ({sides or 'no split: all serve both sides'})",
        f"{count(described['responses'], 'response')}: {numbers}",
        f"{count(described['scores'], 'score')}, {count(described['preferences'], 'preference')}, "
        f"{count(described['policy_values'], 'policy value')}",
        "categories: " + ", ".join(f"{name} ({prompts})" for name, prompts in described["categories"].items()),
        *described["notes"],
    ]
    if described["left_out"]["line"]:
        lines.append(f"would be left out: {described['left_out']['line']}")
    return "\n".join([*lines, "", "nothing was written; leave out --check to import"])
