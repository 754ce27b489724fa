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
from warehouse.exchange.check import Study, check
from warehouse.exchange.policies import policy_rows
from warehouse.exchange.preferences import accuracies, preference_rows
from warehouse.exchange.scored_rows import Pieces
from warehouse.exchange.sheet import Sheet, shown, wrong_row
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


def build(sheets: Sequence[Sheet], pieces: Pieces, facts: Facts) -> dict[str, pl.DataFrame]:
    """All rows of the run. Raises InvalidRows for files that do not make a whole study."""
    study = check(sheets, pieces.long)
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
    )
    _check_ids(sheets, pieces.long, responses)
    models = study.scores["reward_model"].unique().sort().to_list()
    scores = study.scores.join(
        responses.select("prompt_id", "given_id", "placed", "stored_id", "sample", "split_of"),
        left_on=["prompt_id", "response_id"],
        right_on=["prompt_id", "given_id"],
    ).sort("reward_model", "placed", "sample")
    sampled = scores.filter(split_of="rl_test")
    names = sampled["placed"].unique().sort().to_list()
    scores_MPN = sampled["score"].to_numpy().reshape(len(models), len(names), -1)
    given = pieces.values.with_columns(prompt_id=pl.col("prompt_id") + (SAME_PROMPT["rl_test"] if doubled else ""))
    preferences = preference_rows(sheets, pieces, study, places)
    accuracy = accuracies(study.scores, preferences.scored)
    known = {"kind": "import", "base_model": _UNKNOWN}
    tables = {
        "run": TABLES["run"].rows_of_one_run([_run_row(sheets, facts, study, given.height)]),
        "prompt": _prompts(places),
        "reward_model": TABLES["reward_model"].rows_of_one_run(
            [known | {"reward_model_id": model, "validation_accuracy": accuracy.get(model)} for model in models]
        ),
        **policy_rows(sheets, given, models, names, scores_MPN)._asdict(),
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
    }
    return {name: frame.with_columns(run_id=pl.lit(facts.run_id)) for name, frame in tables.items()}


def _check_ids(sheets: Sequence[Sheet], long: pl.DataFrame, responses: pl.DataFrame) -> None:
    again = repeated(responses, ["stored_id"])
    if again.height:
        other = again.row(-1, named=True)
        rows = long.filter(prompt_id=other["prompt_id"], response_id=other["given_id"])
        remedy = f"with another prompt it makes the same id, {shown(other['stored_id'])}: leave '|' out of the ids"
        raise wrong_row(sheets, rows, "response_id", other["given_id"], remedy)


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
        "same_responses_for_both_splits": study.prompts["split"].null_count() > 0,
        "categories": "given" if study.has_categories else f"not given: {DEFAULT_CATEGORY}, {DEFAULT_SUBSET}",
    }
    constants = {"profile": "import", "seed": 0, "base_model": _UNKNOWN, "timings": "{}"}
    machine = {"packages": json.dumps(facts.packages), "host": json.dumps(facts.host)}
    return asdict(facts) | constants | machine | {"config": json.dumps(config, ensure_ascii=False)}
