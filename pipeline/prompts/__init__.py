"""The project's own prompts: RewardBench's four categories, six subsets of 24 in each, written for this project.

One JSON object a line: `id` (`<subset>/<number>`, never changed), `subset`, `prompt`, `paraphrase`; Reasoning adds
`answer` and `check` (how a response is held against it), Safety adds `refuse` (whether a good assistant declines).
What a prompt is for follows from its number, so that it never changes and the splits never meet.
"""

from __future__ import annotations

import json
from importlib import resources

import polars as pl

from warehouse.schema import CATEGORIES

_SPLIT_OF_REMAINDER = ("rm_train", "rm_train", "rm_train", "rm_test", "rm_test", "rl_test", "rl_test", "rl_test")
_FIELDS = ("id", "subset", "prompt", "paraphrase", "answer", "check", "refuse")


def split_of(prompt_id: str) -> str:
    """What the prompt is for: three of every eight train reward models, two test them, three test policies."""
    return _SPLIT_OF_REMAINDER[(int(prompt_id.rsplit("/", 1)[1]) - 1) % len(_SPLIT_OF_REMAINDER)]


def load_prompts() -> pl.DataFrame:
    """All prompts as rows of table `prompt` (without `run_id`), in the order of the files."""
    rows = []
    for category in CATEGORIES:
        name = category.lower().replace(" ", "_")
        text = (resources.files(__name__) / f"{name}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            entry = dict.fromkeys(_FIELDS) | json.loads(line)
            rows.append({"category": category, "split": split_of(entry["id"]), **entry})
    return pl.DataFrame(rows, infer_schema_length=None).select(
        pl.col("id").alias("prompt_id"),
        "category",
        "subset",
        "split",
        pl.lit("righttree").alias("source"),
        pl.col("prompt").alias("text"),
        "paraphrase",
        "answer",
        "check",
        "refuse",
    )
