"""Files → preference rows: converted, filtered, de-duplicated, split by prompt; every dropped row is counted.

The paper kept 112,400 pairs of its mix, 7,052 of them (6 %) for validation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.data_sets.conversations import first_user_turn
from pipeline.data_sets.pairs import Candidate, Pair, Reason
from pipeline.data_sets.recognise import Reading, reading_of
from pipeline.data_sets.report import COUNTS, nothing_kept, remarks
from pipeline.data_sets.tables import Table, tables
from pipeline.data_sets.units import units
from pipeline.errors import InvalidDataSet
from warehouse.exchange.reading import ColumnMap
from warehouse.schema import TABLES

_PREFERENCE = tuple(column for column in TABLES["preference"].polars_schema.names() if column != "run_id")
PAIRS = pl.Schema(dict.fromkeys((*_PREFERENCE, "subset"), pl.String()))
"""Rows of table `preference` without `run_id`, and the subset of the prompt where it is known."""


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
            raise InvalidDataSet(f"validation_share is {self.validation_share}; give 0 or more, less than 1")
        least = {"seed": 0, "ranked_pairs": 1, "max_characters": 1, "pairs_per_source": 1}
        for name, fewest in least.items():
            value = getattr(self, name)
            if value is not None and value < fewest:
                raise InvalidDataSet(f"{name} is {value}; give {fewest} or more")


@dataclass
class _Gatherer:
    rules: Rules
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    seen: dict[bytes, bool] = field(default_factory=dict)

    def add(self, candidates: Sequence[Candidate], rows: int, name: str) -> Counter[str]:
        """Add the candidates of some rows of the data set `name`; returns how many were kept, and dropped by reason."""
        added: Counter[str] = Counter()
        for number, candidate in enumerate(candidates):
            source = (candidate.source if isinstance(candidate, Pair) else None) or name
            counter = self.counts.setdefault(source, Counter())
            counter["rows"] += rows if number == 0 else 0
            counter["pairs"] += 1
            reason = candidate if isinstance(candidate, Reason) else self._reason_against(candidate)
            if isinstance(candidate, Pair) and reason is None:
                self._keep(candidate, source, counter)
                added["kept"] += 1
            else:
                counter[str(reason)] += 1
                added[str(reason)] += 1
        return added

    def _reason_against(self, pair: Pair) -> Reason | None:
        prompt, chosen, rejected = ((text or "").strip() for text in pair[:3])
        if not (prompt and chosen and rejected):
            return Reason.EMPTY
        if not all(map(_is_encodable, (prompt, chosen, rejected))):
            return Reason.UNREADABLE
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


def _is_encodable(text: str) -> bool:
    """Whether the text has no half characters, which JSON can write but no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Gathered(NamedTuple):
    """`pairs` has the columns of `PAIRS`, `counts` those of `COUNTS`; `remarks` are lines on how files were read."""

    pairs: pl.DataFrame
    counts: pl.DataFrame
    remarks: tuple[str, ...]


def gather(
    places: Sequence[str], rules: Rules | None = None, name: str | None = None, columns: ColumnMap | None = None
) -> Gathered:
    """The pairs of all files at the places, in their order; `name` says which data set they are, else the columns do.

    `columns` says what columns are where their names do not.
    Of equal pairs in several places the first is kept; rows that cannot be used are counted. Raises InvalidDataSet for
    a file that cannot be read, or of which nothing is kept.
    """
    rules = rules or Rules()
    gatherer, rng = _Gatherer(rules), np.random.default_rng(rules.seed)
    readings: list[tuple[str, Reading]] = []
    examples: dict[tuple[str, str], str] = {}
    for place in places:
        for table in tables(place, columns):
            reading = reading_of(table, name)
            readings.append((table.name, reading))
            _add(gatherer, table, reading, rng, examples)
    pairs = gatherer.drawn(rng)
    return Gathered(pairs, gatherer.counted(pairs), remarks(readings, examples))


def _add(
    gatherer: _Gatherer, table: Table, reading: Reading, rng: np.random.Generator, examples: dict[tuple[str, str], str]
) -> None:
    """Add all rows of a table, and to `examples` the first row of each reason that has one."""
    total: Counter[str] = Counter()
    for rows, candidates, example in units(table, reading):
        drawn = _drawn(candidates, gatherer.rules.ranked_pairs, rng) if reading.form.ranked else candidates
        total += gatherer.add(drawn, rows, reading.name)
        if example is not None:
            examples.setdefault((table.name, str(candidates[0])), example)
    repeated = total[Reason.DUPLICATE] + total[Reason.CONTRADICTION]
    if not total["kept"] and not repeated:
        raise InvalidDataSet(nothing_kept(table.name, reading, total, _of_table(examples, table.name)))


def _of_table(examples: Mapping[tuple[str, str], str], name: str) -> list[str]:
    return [example for (table, _), example in examples.items() if table == name]


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


def check_new(path: Path) -> None:
    """Raises InvalidDataSet if the file exists already."""
    if path.exists():
        raise InvalidDataSet(f"{path} exists already; give another name or remove it")


def write(pairs: pl.DataFrame, path: Path) -> None:
    """Write the pairs as Parquet, in the form that `righttree import` reads as preferences.

    Raises InvalidDataSet if the file exists already or cannot be written.
    """
    check_new(path)
    try:
        pairs.drop("subset", "prompt_id").write_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(f"{path} cannot be written ({error}); give a name in a folder that exists") from error
