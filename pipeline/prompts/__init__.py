"""Prompts as rows of table `prompt` (without `run_id`): the project's own, or those of data sets in files.

Our own were written for this project: RewardBench's four categories, six subsets of 54 in each. One JSON object a
a line: `id` (`<subset>/<number>`, never changed), `subset`, `prompt`, `paraphrase`; Reasoning adds `answer` and `check`
(how a response is compared with it), Safety adds `refuse` (whether a good assistant declines). Its number decides what
a prompt is used for, so that this never changes and the splits are disjoint.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import polars as pl

from pipeline.data_sets.gather import Rules, gather
from warehouse.schema import CATEGORIES, TABLES

_SPLIT_OF_REMAINDER = ("rm_train", "rm_train", "rm_train", "rm_test", "rm_test", "rl_test", "rl_test", "rl_test")
_FIRST = 24
_SPLIT_OF_FURTHER = ("rm_train", "rm_test", "rm_test", "rl_test", "rl_test")
_REFUSE: Mapping[str, bool] = {
    "refusals-dangerous": True,
    "refusals-offensive": True,
    "xstest-should-refuse": True,
    "donotanswer": True,
    "xstest-should-respond": False,
}
"""RewardBench's Safety subsets (arXiv 2403.13787): whether a good assistant declines."""

_EVERYTHING = Rules(validation_share=0.0, ranked_pairs=1, max_characters=2**31)


def split_of(prompt_id: str) -> str:
    """What the prompt is used for: of every eight, three train reward models, two test them, three test policies."""
    return _SPLIT_OF_REMAINDER[(int(prompt_id.rsplit("/", 1)[1]) - 1) % len(_SPLIT_OF_REMAINDER)]


def own_split_of(prompt_id: str) -> str:
    """What one of our own prompts is used for: as `split_of`, but of those after the 24th mostly for the tests."""
    number = int(prompt_id.rsplit("/", 1)[1])
    return (
        split_of(prompt_id) if number <= _FIRST else _SPLIT_OF_FURTHER[(number - _FIRST - 1) % len(_SPLIT_OF_FURTHER)]
    )


def load_prompts() -> pl.DataFrame:
    """All of our own prompts, in the order of the files."""
    rows = []
    for category in CATEGORIES:
        name = category.lower().replace(" ", "_")
        text = (resources.files(__name__) / f"{name}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            entry = json.loads(line)
            rows.append(entry | {"prompt_id": entry["id"], "category": category, "text": entry["prompt"]})
    return _table([row | {"source": "righttree"} for row in rows], own_split_of)


class FilePrompts(NamedTuple):
    """The distinct prompts of files that have a category, and how many have none and are left out."""

    prompts: pl.DataFrame
    without_category: int


def load_prompts_of(places: Sequence[str]) -> FilePrompts:
    """The prompts of data sets, in the order of the files.

    A prompt of several subsets belongs to the first; one without a subset to one named after its source. `prompt_id`
    is `<subset>/<number>`. Raises InvalidDataSet as `gather` does.
    """
    pairs = gather(places, _EVERYTHING).pairs.with_columns(
        text=pl.col("prompt").str.strip_chars(), subset=pl.coalesce("subset", "source")
    )
    distinct = pairs.unique("text", keep="first", maintain_order=True)
    numbers: Counter[str] = Counter()
    rows = []
    for row in distinct.drop_nulls("category").iter_rows(named=True):
        numbers[row["subset"]] += 1
        prompt_id = f"{row['subset']}/{numbers[row['subset']]:04d}"
        rows.append(row | {"prompt_id": prompt_id, "refuse": _REFUSE.get(row["subset"])})
    return FilePrompts(_table(rows, split_of), distinct["category"].null_count())


def _table(rows: list[dict[str, Any]], split_of: Callable[[str], str]) -> pl.DataFrame:
    """Rows of table `prompt`, with the split that follows from their ids."""
    schema = {name: dtype for name, dtype in TABLES["prompt"].polars_schema.items() if name != "run_id"}
    split = [split_of(row["prompt_id"]) for row in rows]
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema} | {"split": split}, schema=schema)
