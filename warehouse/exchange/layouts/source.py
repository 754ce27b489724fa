"""A file as the recognisers see it: its columns under any of their names, and the reward model that it names.

A reward model is named by a column, else by the file; by its folder where several files have one name. What tools add
to the names of files is taken off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from warehouse.exchange.reading import ColumnMap
from warehouse.exchange.scored_rows import Pieces
from warehouse.exchange.sheet import Sheet

PROMPT_IDS = ("prompt_id", "question_id", "query_id", "instruction_id")
RESPONSE_IDS = ("response_id", "answer_id", "completion_id", "sample_id")
MODELS = ("reward_model", "reward_model_id", "reward_model_name", "scorer", "rm", "rm_name", "judge", "judge_model")
SCORES = ("score", "reward", "rating", "rm_score", "reward_score")
PROMPTS = ("prompt", "question", "instruction", "query", "conversation_input", "input")
RESPONSES = ("response", "completion", "answer", "output", "generation")
LABELS = ("label", "is_correct", "correct", "correctness", "grade")
DESCRIBED = ("category", "subset", "split")

_ENDINGS = {".gz", ".zst", ".bz2", ".xz", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".parquet"}
_ENDINGS |= {".arrow", ".feather", ".ipc"}
_ADDED = re.compile(r"(_REWORD_MODEL_\d{8}_\d{6}|_(outputs?|all|results?|scores?|rewards?|predictions?))$")
_JUDGE_BENCH = re.compile(r"^(?:\w+=[^,]*,)*judge_model=")
_RM_BENCH = re.compile(r"^(chat|code|math|safety-refuse|safety-response|total)_(filtered|dataset)_|^total_dataset_")
SUBSETS = ("subset", "domain")
PATH = "category_path"
KNOWN = (*PROMPTS, *DESCRIBED, *SUBSETS, PATH, "results")
"""Columns that every form of items reads where a file has them, and `results`, which follow from the scores."""
_GENERIC = re.compile(
    r"^(generated_|eval_|test_|all_)?(predictions?|results?|outputs?|scores?|rewards?|data|train|test|all|eval|"
    r"judgments?|judgements?|part-?\d*)$"
)


@dataclass(frozen=True)
class Source:
    """One file: its sheet, its number among the files, the reward model that its path names, and what the user said."""

    sheet: Sheet
    number: int
    model: str
    given: ColumnMap = field(default_factory=ColumnMap)
    columns: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", frozenset(self.sheet.frame.columns))

    def column(self, names: Sequence[str]) -> str | None:
        """The first of these columns that the file has."""
        return next((name for name in names if name in self.columns), None)

    def left_out(self, used: Sequence[str | None], kind: str) -> tuple[str, ...]:
        """The note about columns that are in no use, if there are any."""
        others = [name for name in self.sheet.frame.columns if name not in used]
        if not others:
            return ()
        plural = "s" if len(others) > 1 else ""
        return (f"{self.sheet.name}: left out column{plural} {', '.join(others)}: no part of {kind}",)

    def models(self, names: Sequence[str]) -> pl.Series:
        """The reward model of each row: by the first of these columns, else by the path."""
        column = self.column(names)
        if column is not None:
            return self.sheet.ids(column)
        return pl.repeat(self.model, self.sheet.frame.height, dtype=pl.String(), eager=True)

    def labels(self) -> dict[str, pl.Series]:
        """Category, subset and split, null where they are absent."""
        return {name: self.sheet.labels(name) for name in DESCRIBED}


@dataclass(frozen=True)
class Part:
    """What a file gave, and how its prompts are told: by `ids`, as `items`, by their `places` or by their `texts`.

    `items`: ids of a benchmark, whose texts each reward model may have in a chat template of its own and whose ids may
    repeat. `places`: items without ids, in one order in all files. `texts`: rows without ids. `keyed`: scorers are
    named by keys or columns, which other files may have too.
    """

    pieces: Pieces
    identity: str = "ids"
    notes: tuple[str, ...] = ()
    keyed: bool = False


def display_names(paths: Sequence[Path]) -> list[str]:
    """How messages name files: by their name, with as many folders as tell files of one name apart."""
    counts = Counter(path.name for path in paths)
    return [path.name if counts[path.name] == 1 else "/".join((_folder(path, paths), path.name)) for path in paths]


def model_names(paths: Sequence[Path]) -> list[str]:
    """The reward model that each path names."""
    counts = Counter(path.name for path in paths)
    names = []
    for path in paths:
        stem = cleaned(path.name)
        if counts[path.name] > 1:
            folder = _folder(path, paths)
            stem = folder if _GENERIC.match(_stem(path.name)) else f"{folder}/{stem}"
        names.append(stem)
    return names


def cleaned(name: str) -> str:
    """A file's name without its extensions and without what tools add to it."""
    stem = _stem(name)
    shorter = _RM_BENCH.sub("", _JUDGE_BENCH.sub("", stem))
    while (shortest := _ADDED.sub("", shorter)) != shorter:
        shorter = shortest
    return shorter or stem


def _stem(name: str) -> str:
    path = Path(name)
    while path.suffix.lower() in _ENDINGS and path.stem:
        path = Path(path.stem)
    return path.name


def _folder(path: Path, paths: Sequence[Path]) -> str:
    """The last folders of a path that tell it from the others of its name."""
    parents = [other.absolute().parent.parts for other in paths if other.name == path.name]
    parts = path.absolute().parent.parts
    for count in range(1, len(parts)):
        if len({other[-count:] for other in parents}) == len(parents):
            return "/".join(parts[-count:])
    return "/".join(parts)
