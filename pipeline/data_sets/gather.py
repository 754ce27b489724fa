"""Files → preference rows: converted, filtered, de-duplicated, split by prompt; every dropped row is counted.

The paper kept 112,400 pairs of its mix, 7,052 of them (6 %) for validation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.data_sets.converters import REWARDBENCH_PROMPTS, REWARDBENCH_ROWS
from pipeline.data_sets.known import DataSet, data_set_of
from pipeline.data_sets.pairs import Candidate, Pair, Reason, WrongCell, first_user_turn
from pipeline.data_sets.tables import Table, tables
from pipeline.errors import InvalidDataSet
from warehouse.schema import TABLES

_PREFERENCE = tuple(column for column in TABLES["preference"].polars_schema.names() if column != "run_id")
PAIRS = pl.Schema(dict.fromkeys((*_PREFERENCE, "subset"), pl.String()))
"""Rows of table `preference` without `run_id`, and the subset of the prompt where it is known."""

_COUNTED = ("rows", "pairs", "kept", "train", "validation", "prompts")
COUNTS = pl.Schema({"source": pl.String(), **dict.fromkeys((*_COUNTED, *Reason), pl.Int64())})
"""Per source: rows read, candidate pairs in them, pairs kept and in which split, distinct prompts, pairs dropped by
reason. `pairs` = `kept` + all reasons, `kept` = `train` + `validation`."""


@dataclass(frozen=True)
class Rules:
    """Which pairs are kept.

    `ranked_pairs`: the most drawn of one prompt's ranked responses (Nectar, raw UltraFeedback). `max_characters` of
    prompt and response: the paper's limit of 2,048 tokens is about 8,192. `pairs_per_source`: the most drawn of one
    source, so that a large one does not outweigh the mix; None: all.
    """

    seed: int = 0
    validation_share: float = 0.06
    ranked_pairs: int = 4
    max_characters: int = 8192
    pairs_per_source: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation_share < 1:
            raise InvalidDataSet(f"validation share is {self.validation_share}; give 0 or more, less than 1")
        most = 1 if self.pairs_per_source is None else self.pairs_per_source
        if self.seed < 0 or min(self.ranked_pairs, self.max_characters, most) < 1:
            raise InvalidDataSet(f"got {self}; give a seed of 0 or more, and 1 or more of the others")


@dataclass
class _Gatherer:
    rules: Rules
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    seen: dict[bytes, bool] = field(default_factory=dict)

    def add(self, candidates: Sequence[Candidate], name: str) -> None:
        """Add the candidates of one row of the data set `name`."""
        for number, candidate in enumerate(candidates or [Reason.EMPTY]):
            source = (candidate.source if isinstance(candidate, Pair) else None) or name
            counter = self.counts.setdefault(source, Counter())
            counter["rows"] += number == 0
            counter["pairs"] += 1
            reason = candidate if isinstance(candidate, Reason) else self._reason_against(candidate)
            if isinstance(candidate, Pair) and reason is None:
                self._keep(candidate, source, counter)
            else:
                counter[str(reason)] += 1

    def _reason_against(self, pair: Pair) -> Reason | None:
        prompt, chosen, rejected = ((text or "").strip() for text in pair[:3])
        if not (prompt and chosen and rejected):
            return Reason.EMPTY
        if chosen == rejected:
            return Reason.IDENTICAL
        if len(prompt) + max(len(chosen), len(rejected)) > self.rules.max_characters:
            return Reason.TOO_LONG
        in_order = chosen < rejected
        key = blake2b(repr((prompt, *sorted((chosen, rejected)))).encode(), digest_size=16).digest()
        if key in self.seen:
            return Reason.DUPLICATE if self.seen[key] == in_order else Reason.CONTRADICTION
        self.seen[key] = in_order
        return None

    def _keep(self, pair: Pair, source: str, counter: Counter[str]) -> None:
        prompt = str(pair.prompt)
        split = "validation" if is_validation(prompt, self.rules.validation_share, self.rules.seed) else "train"
        preference_id = f"{source}|{counter['passed']}"
        counter["passed"] += 1
        self.rows.append(
            (preference_id, source, split, pair.category, None, prompt, pair.chosen, pair.rejected, pair.subset)
        )

    def drawn(self, rng: np.random.Generator) -> pl.DataFrame:
        """The pairs that passed, of each source at most `pairs_per_source`, in their order."""
        pairs = pl.DataFrame(self.rows, schema=PAIRS, orient="row")
        if self.rules.pairs_per_source is None:
            return pairs
        placed = pairs.with_columns(place=pl.Series(rng.permutation(pairs.height)))
        rank = pl.col("place").rank("ordinal").over("source")
        return placed.filter(rank <= self.rules.pairs_per_source).drop("place")

    def counted(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """`COUNTS`; `pairs` are those that are kept in the end."""
        by_source = pairs.group_by("source").agg(
            kept=pl.len(),
            train=(pl.col("split") == "train").sum(),
            validation=(pl.col("split") == "validation").sum(),
            prompts=pl.col("prompt").str.strip_chars().n_unique(),
        )
        for row in by_source.iter_rows(named=True):
            self.counts[row.pop("source")].update(row)
        for counter in self.counts.values():
            counter[str(Reason.NOT_DRAWN)] += counter["passed"] - counter["kept"]
        rows = [{"source": source, **counter} for source, counter in self.counts.items()]
        columns = {name: [row.get(name, 0) for row in rows] for name in COUNTS}
        return pl.DataFrame(columns, schema=COUNTS).sort("source")


class Gathered(NamedTuple):
    """`pairs` has the columns of `PAIRS`, `counts` those of `COUNTS`."""

    pairs: pl.DataFrame
    counts: pl.DataFrame


def gather(places: Sequence[str], rules: Rules | None = None, name: str | None = None) -> Gathered:
    """The pairs of all files at the places, in their order; `name` says which data set they are, else the columns do.

    Of equal pairs in several places the first is kept. Raises InvalidDataSet for the first thing that is wrong.
    """
    rules = rules or Rules()
    gatherer, rng = _Gatherer(rules), np.random.default_rng(rules.seed)
    for place in places:
        for table in tables(place):
            data_set = data_set_of(table, name)
            for candidates in _converted(table, data_set, rules.ranked_pairs, rng):
                gatherer.add(candidates, data_set.name)
    pairs = gatherer.drawn(rng)
    return Gathered(pairs, gatherer.counted(pairs))


def _converted(table: Table, data_set: DataSet, most: int, rng: np.random.Generator) -> Iterator[list[Candidate]]:
    for number, row in enumerate(table.rows(data_set.columns(table)), 1):
        try:
            candidates = data_set.candidates(row)
            if data_set.ranked:
                candidates = _drawn(candidates, most, rng)
            for pair in candidates:
                for column, value in pair._asdict().items() if isinstance(pair, Pair) else ():
                    if value is not None and not isinstance(value, str):
                        raise WrongCell(column, value, "a text")
            yield candidates
        except WrongCell as error:
            raise InvalidDataSet(f"{table.name}, row {number}, {error}") from error


def _drawn(candidates: list[Candidate], most: int, rng: np.random.Generator) -> list[Candidate]:
    """The candidates of one prompt with at most `most` of its pairs; the others are counted as not drawn."""
    pairs = [index for index, candidate in enumerate(candidates) if isinstance(candidate, Pair)]
    if len(pairs) <= most:
        return candidates
    drawn = {pairs[index] for index in rng.choice(len(pairs), most, replace=False)}
    dropped = set(pairs) - drawn
    return [Reason.NOT_DRAWN if index in dropped else candidate for index, candidate in enumerate(candidates)]


def is_validation(prompt: str, share: float, seed: int) -> bool:
    """Whether the prompt's pairs are for validation, which is true of about `share` of all prompts.

    Decided by a seeded hash, so that files and their order do not matter. Prompts with the same first user turn stay
    together, because one's text is part of the other's.
    """
    digest = blake2b(first_user_turn(prompt).encode(), digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def report(counts: pl.DataFrame) -> str:
    """`COUNTS` as text: a line per source and one for all, without reasons that never occurred; notes below."""
    reasons = [reason for reason in Reason if counts[reason].sum()]
    shown = counts.select("source", "rows", "pairs", "kept", "train", "validation", "prompts", *reasons)
    total = shown.select(pl.lit("all").alias("source"), pl.exclude("source").sum())
    columns = [[str(name), *map(str, column)] for name, column in pl.concat([shown, total]).to_dict().items()]
    sources = columns[0]
    columns[0] = [source.ljust(max(map(len, sources))) for source in sources]
    padded = ([cell.rjust(max(map(len, column))) for cell in column] for column in columns)
    lines = map("  ".join, zip(*padded, strict=True))
    return "\n".join([*lines, *notes(counts)])


def notes(counts: pl.DataFrame) -> list[str]:
    """A line where RewardBench's filtered split is whole and has other prompts than the paper counted."""
    whole = counts.filter((pl.col("source") == "rewardbench") & (pl.col("rows") == REWARDBENCH_ROWS))
    return [
        f"rewardbench: {prompts} distinct prompts, {REWARDBENCH_PROMPTS} expected of its {REWARDBENCH_ROWS} rows"
        for prompts in whole["prompts"]
        if prompts != REWARDBENCH_PROMPTS
    ]


def write(pairs: pl.DataFrame, path: Path) -> None:
    """Write the pairs as Parquet, in the form that `righttree import` reads as preferences.

    Raises InvalidDataSet if the file exists already or cannot be written.
    """
    if path.exists():
        raise InvalidDataSet(f"{path} exists already; give another name or remove it")
    try:
        pairs.drop("subset", "prompt_id").write_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(f"{path} cannot be written ({error}); give a name in a folder that exists") from error
