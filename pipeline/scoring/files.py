"""Scores of files, written as a file in long form that `righttree import` reads beside them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.config import AddedRewardModel
from pipeline.errors import InvalidConfig, write_errors
from pipeline.scoring.added import Scoring
from pipeline.scoring.parts import Parts
from pipeline.scoring.responses import IDS, Responses
from warehouse import files
from warehouse.spreadsheets import neutral

ENDINGS = (".parquet", ".csv", ".jsonl")


def default_target(file: Path, name: str) -> Path:
    """Where the scores of a file go: `answers.jsonl` → `answers-mine.parquet`, beside it."""
    return file.with_name(f"{file.name.split('.')[0]}-{name}{ENDINGS[0]}")


def score_files(responses: Responses, settings: AddedRewardModel, target: Path, scoring: Scoring) -> None:
    """Score all responses and write the scores to `target`, whole or not at all.

    A scoring that was stopped is resumed from the folder `<target>.parts`. Raises InvalidConfig for another kind of
    file, NoScore for a text that the reward model does not score, NotWritten if the disk refuses.
    """
    if target.suffix not in ENDINGS:
        raise InvalidConfig(f"{target}: unknown kind of file; end its name with {', '.join(ENDINGS)}")
    parts = Parts(target.with_name(f"{target.name}.parts"), settings)
    scores = parts.score(responses.texts, scoring).rename({"text": "response"})
    rows = responses.rows.join(scores, on=["prompt", "response"], how="left", maintain_order="left")
    described = [name for name in rows.columns if name not in (*IDS, "score") and rows[name].null_count() < rows.height]
    rows = rows.select(*IDS, pl.lit(settings.name).alias("reward_model"), "score", *described)
    with write_errors(target), files.replacing(target) as draft:
        if target.suffix == ".parquet":
            rows.write_parquet(draft)
        elif target.suffix == ".csv":
            neutral(rows).write_csv(draft)
        else:
            rows.write_ndjson(draft)
    parts.finish()
