"""What was read, kept and dropped, as text: the table of counts, how files were read, and why nothing was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.data_sets.known import REWARDBENCH_PROMPTS, REWARDBENCH_ROWS
from pipeline.data_sets.pairs import Reason
from pipeline.data_sets.recognise import Reading

_COUNTED = ("rows", "pairs", "kept", "train", "validation", "prompts")
COUNTS = pl.Schema({"source": pl.String(), **dict.fromkeys((*_COUNTED, *Reason), pl.Int64())})
"""Per source: rows read, candidate pairs in them, pairs kept and in which split, distinct prompts, pairs dropped by
reason. `pairs` = `kept` + all reasons, `kept` = `train` + `validation`."""

_ADVICE: Mapping[str, str] = {
    Reason.TIE: "no pair has a preference: give rows in which one response is better",
    Reason.UNRATED: "no response has a score: fill in the scores or the winner",
    Reason.PROMPTS_DIFFER: "the two conversations of a row have to be equal up to their last turn",
    Reason.NO_PROMPT: "add a column prompt",
    Reason.UNFINISHED: "every conversation has to end with the assistant's turn",
    Reason.SINGLE: "every prompt needs two responses or more",
    Reason.UNKNOWN_ROLE: "use the roles system, user and assistant",
    Reason.UNREADABLE: "correct the cells, or say with --as what the file is",
    Reason.EMPTY: "fill in prompt, chosen and rejected, or say with --as what the file is",
    Reason.IDENTICAL: "chosen and rejected have to differ",
    Reason.TOO_LONG: "raise --max-characters",
}


def report(counts: pl.DataFrame, remarks: Sequence[str] = ()) -> str:
    """`COUNTS` as text: a line per source and one for all, without reasons that never occurred; notes below."""
    reasons = [reason for reason in Reason if counts[reason].sum()]
    shown = counts.select("source", "rows", "pairs", "kept", "train", "validation", "prompts", *reasons)
    total = shown.select(pl.lit("all").alias("source"), pl.exclude("source").sum())
    columns = [[str(name), *map(str, column)] for name, column in pl.concat([shown, total]).to_dict().items()]
    sources = columns[0]
    columns[0] = [source.ljust(max(map(len, sources))) for source in sources]
    padded = ([cell.rjust(max(map(len, column))) for cell in column] for column in columns)
    lines = map("  ".join, zip(*padded, strict=True))
    return "\n".join([*lines, *notes(counts), *remarks])


def notes(counts: pl.DataFrame) -> list[str]:
    """A line where RewardBench's filtered split is whole and has other prompts than the paper counted."""
    whole = counts.filter((pl.col("source") == "rewardbench") & (pl.col("rows") == REWARDBENCH_ROWS))
    return [
        f"rewardbench: {prompts} distinct prompts, {REWARDBENCH_PROMPTS} expected of its {REWARDBENCH_ROWS} rows"
        for prompts in whole["prompts"]
        if prompts != REWARDBENCH_PROMPTS
    ]


def remarks(readings: Sequence[tuple[str, Reading]], examples: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """A line for each way in which files were read, with the columns that were left out; one for each kind of row that
    could not be used."""
    files: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, reading in readings:
        files.setdefault((reading.name, reading.left_out), []).append(name)
    lines = [
        f"{_files(names)} read as {name}" + (f"; columns left out: {', '.join(left_out)}" if left_out else "")
        for (name, left_out), names in files.items()
    ]
    return (*lines, *(f"{file}: {reason}, first in {example}" for (file, reason), example in examples.items()))


def _files(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} to {names[-1]},"


def nothing_kept(name: str, reading: Reading, counts: Mapping[str, int], examples: Sequence[str]) -> str:
    """The message for a file of which nothing is kept: counts by reason, an example, and what to do."""
    if not counts:
        return f"{name}: it has no rows; give a file with rows"
    by_reason = ", ".join(f"{count} {reason}" for reason, count in Counter(counts).most_common() if count)
    advice = _ADVICE.get(Counter(counts).most_common(1)[0][0], "give other rows")
    example = f" ({examples[0]})" if examples else ""
    none = f"{name}, read as {reading.name}: none of its {sum(counts.values())} pairs is kept"
    return f"{none}: {by_reason}{example}; {advice}"
