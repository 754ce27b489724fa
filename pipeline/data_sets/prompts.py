"""The distinct prompts of data sets as rows of table `prompt`, in place of the project's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.data_sets.gather import Rules, gather
from pipeline.prompts import split_of
from warehouse.schema import TABLES

_REFUSE: Mapping[str, bool] = {
    "refusals-dangerous": True,
    "refusals-offensive": True,
    "xstest-should-refuse": True,
    "donotanswer": True,
    "xstest-should-respond": False,
}
"""RewardBench's Safety subsets (arXiv 2403.13787): whether a good assistant declines."""

_EVERYTHING = Rules(validation_share=0.0, ranked_pairs=1, max_characters=2**31)


def load_prompts_of(places: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Rows of table `prompt` (without `run_id`) in the order of the files, and how many prompts have no category.

    Those are left out; a prompt of several subsets is of the first, one without a subset of one named as its source.
    `prompt_id` is `<subset>/<number>`; what a prompt is for follows from the number, as for the project's own.
    Raises InvalidDataSet as `gather` does.
    """
    pairs, _ = gather(places, _EVERYTHING)
    numbers: Counter[str] = Counter()
    seen: set[str] = set()
    without = 0
    rows = []
    for row in pairs.iter_rows(named=True):
        text = row["prompt"].strip()
        if text in seen:
            continue
        seen.add(text)
        if row["category"] is None:
            without += 1
            continue
        subset = row["subset"] or row["source"]
        numbers[subset] += 1
        prompt_id = f"{subset}/{numbers[subset]:04d}"
        rows.append(
            {
                "prompt_id": prompt_id,
                "category": row["category"],
                "subset": subset,
                "split": split_of(prompt_id),
                "source": row["source"],
                "text": text,
                "refuse": _REFUSE.get(subset),
            }
        )
    schema = {name: dtype for name, dtype in TABLES["prompt"].polars_schema.items() if name != "run_id"}
    columns = {name: [row.get(name) for row in rows] for name in schema}
    return pl.DataFrame(columns, schema=schema), without
