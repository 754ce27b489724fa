"""What `righttree data` prints and writes: a line per source, and the pairs as `righttree import` reads preferences."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.data_sets.pair import Reason
from pipeline.data_sets.test_sets import REWARDBENCH_PROMPTS, REWARDBENCH_ROWS
from pipeline.errors import InvalidDataSet


def report(counts: pl.DataFrame) -> str:
    """`COUNTS` as text: a line per source and one for all, reasons that never came up left out, notes below."""
    reasons = [reason for reason in Reason if counts[reason].sum()]
    shown = counts.select("source", "rows", "pairs", "kept", "train", "validation", "prompts", *reasons)
    total = shown.select(pl.lit("all").alias("source"), pl.exclude("source").sum())
    lines = [shown.columns, *(map(str, row) for row in pl.concat([shown, total]).iter_rows())]
    table = [list(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    text = [
        "  ".join([source.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for source, *rest in table
    ]
    return "\n".join([*text, *notes(counts)])


def notes(counts: pl.DataFrame) -> list[str]:
    """A line where RewardBench's filtered split is whole and has other prompts than the paper counted."""
    whole = counts.filter((pl.col("source") == "rewardbench") & (pl.col("rows") == REWARDBENCH_ROWS))
    return [
        f"rewardbench: {prompts} distinct prompts, {REWARDBENCH_PROMPTS} expected of its {REWARDBENCH_ROWS} rows"
        for prompts in whole["prompts"]
        if prompts != REWARDBENCH_PROMPTS
    ]


def write(pairs: pl.DataFrame, path: Path) -> None:
    """The pairs as Parquet. Raises InvalidDataSet where the file is there already or cannot be written."""
    if path.exists():
        raise InvalidDataSet(f"{path}: is there already; give another name or remove it")
    try:
        pairs.drop("subset", "prompt_id").write_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(f"{path}: cannot be written ({error}); give a name in a folder that is there") from error
