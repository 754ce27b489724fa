"""A checked study → the rows of one run in every table it needs, as `warehouse.ingest.publish` takes them.

Without splits the same responses serve the RM test and best-of-n. A prompt row has one split, so every prompt, with its
responses and scores, is stored twice: `<id>#rm` among the RM-test prompts and `<id>#rl` among the RL-test prompts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from warehouse.exchange.categories import DEFAULT_CATEGORY, DEFAULT_SUBSET
from warehouse.exchange.checking.check import Study
from warehouse.exchange.outcomes import outcome_rows
from warehouse.exchange.policies import policy_rows
from warehouse.exchange.preferences import accuracies, preference_rows
from warehouse.exchange.sheet import Sheet, invalid, shown
from warehouse.ingest import repeated
from warehouse.schema import INITIAL, ORIGINAL, SAME_PROMPT, TABLES

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Facts:
    """What the row of table `run` says besides the files: when, how long, by what code, where."""

    run_id: str
    layout: str
    started_at: str
    finished_at: str
    wall_s: float
    code_version: str
    packages: dict[str, str]
    host: dict[str, Any]


def build(sheets: Sequence[Sheet], study: Study, facts: Facts) -> dict[str, pl.DataFrame]:
    """All rows of the run. Raises InvalidRows for preferences and policy values that do not belong to the study."""
    doubled = study.prompts["split"].null_count() > 0
    splits = pl.DataFrame(
        {"split_of": list(SAME_PROMPT), "suffix": list(SAME_PROMPT.values()) if doubled else ["", ""]}
    )
    places = (
        study.prompts.join(splits, how="cross", maintain_order="left_right")
        .filter(pl.col("split").is_null() | (pl.col("split") == pl.col("split_of")))
        .with_columns(placed=pl.col("prompt_id") + pl.col("suffix"))
    )
    responses = (
        study.responses.rename({"response_id": "given_id"})
        .join(places.select("prompt_id", "placed", "split_of"), on="prompt_id")
        .with_columns(stored_id=pl.format("{}|{}|{}", pl.lit(INITIAL), "placed", "given_id"))
        .sort("placed", "sample")
        .with_row_index("place")
    )
    _check_ids(sheets, responses)
    names = pl.Enum(study.scores["reward_model"].unique().sort())  # sorted as numbers, which is faster than as texts
    scores = (
        study.scores.join(
            responses.select("prompt_id", "given_id", "placed", "stored_id", "place", "split_of"),
            left_on=["prompt_id", "response_id"],
            right_on=["prompt_id", "given_id"],
        )
        .sort(pl.col("reward_model").cast(names), "place")
        .select("reward_model", "score", "placed", "stored_id", "split_of")
    )
    sampled = scores.filter(split_of="rl_test").select("reward_model", "score", prompt_id="placed")
    values = study.pieces.values
    given = values.with_columns(prompt_id=pl.col("prompt_id") + (SAME_PROMPT["rl_test"] if doubled else ""))
    preferences = preference_rows(sheets, study, places)
    accuracy = accuracies(study.scores, preferences.scored)
    scorers = study.scorers.with_columns(
        base_model=pl.lit(_UNKNOWN),
        validation_accuracy=pl.Series(
            [accuracy.get(name) for name in study.scorers["reward_model_id"]], dtype=pl.Float64()
        ),
    )
    tables = {
        "run": TABLES["run"].rows_of_one_run([_run_row(sheets, facts, study, given.height)]),
        "prompt": _prompts(places),
        "reward_model": TABLES["reward_model"].rows_of_one_run(scorers.to_dicts()),
        **policy_rows(sheets, given, study.scorers, sampled)._asdict(),
        "response": responses.select(
            "sample",
            "text",
            response_id="stored_id",
            prompt_id="placed",
            policy_id=pl.lit(INITIAL),
            prompt_form=pl.lit(ORIGINAL),
            tokens=pl.lit(0, pl.Int64()),
            finished=pl.lit(True),
        ),
        "preference": preferences.rows,
        "score": scores.select("score", reward_model_id="reward_model", response_id="stored_id"),
        "outcome": outcome_rows(sheets, study.pieces.outcomes, study.scorers["reward_model_id"].to_list()).rows,
    }
    return {name: frame.with_columns(run_id=pl.lit(facts.run_id)) for name, frame in tables.items()}


def _check_ids(sheets: Sequence[Sheet], responses: pl.DataFrame) -> None:
    again = repeated(responses, ["stored_id"])
    if again.height:
        names = [f"{shown(row['given_id'])} of prompt {shown(row['prompt_id'])}" for row in again.head(2).to_dicts()]
        raise invalid(
            f"{sheets[0].name}, column response_id: responses {' and '.join(names)} make the same id, "
            f"{shown(again['stored_id'][0])}; leave '|' out of the ids"
        )


def _prompts(places: pl.DataFrame) -> pl.DataFrame:
    unknown = {name: pl.lit(None, dtype=pl.String()) for name in ("paraphrase", "answer", "check")}
    return places.select(
        "category",
        "subset",
        "text",
        prompt_id="placed",
        split="split_of",
        source=pl.lit("import"),
        refuse=pl.lit(None, dtype=pl.Boolean()),
        **unknown,
    ).sort("prompt_id")


def _run_row(sheets: Sequence[Sheet], facts: Facts, study: Study, values: int) -> dict[str, object]:
    config = {
        "profile": "import",
        "layout": facts.layout,
        "files": [{"name": sheet.name, "rows": sheet.frame.height} for sheet in sheets],
        "counts": {
            "reward_models": study.scores["reward_model"].n_unique(),
            "prompts": study.prompts.height,
            "responses": study.responses.height,
            "responses_per_prompt": study.responses.group_by("prompt_id").len()["len"].unique().sort().to_list(),
            "scores": study.scores.height,
            "policy_values_given": values,
        },
        "left_out": study.left_out_line,
        "notes": study.notes,
        "same_responses_for_both_splits": study.prompts["split"].null_count() > 0,
        "categories": "given" if study.has_categories else f"not given: {DEFAULT_CATEGORY}, {DEFAULT_SUBSET}",
    }
    constants = {"profile": "import", "seed": 0, "base_model": _UNKNOWN, "timings": "{}"}
    machine = {"packages": json.dumps(facts.packages), "host": json.dumps(facts.host)}
    return asdict(facts) | constants | machine | {"config": json.dumps(config, ensure_ascii=False)}
