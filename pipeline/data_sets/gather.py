"""Files → preference rows: converted, filtered, de-duplicated, split by prompt; every row that is left out is counted.

The paper kept 112,400 pairs of its mix, 7,052 of them (6 %) for validation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import polars as pl

from pipeline.data_sets.conversation import opening
from pipeline.data_sets.known import DataSet, data_set_of
from pipeline.data_sets.pair import Candidate, Pair, Reason, WrongCell
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
    """What is kept. `max_characters` of prompt and response: 2,048 tokens, the paper's most, are about 8,192."""

    seed: int = 0
    validation_share: float = 0.06
    ranked_pairs: int = 4
    """Most pairs drawn of one prompt's ranked responses (Nectar, raw UltraFeedback)."""
    max_characters: int = 8192
    pairs_per_source: int | None = None
    """Most pairs drawn of one source, so that a large one does not outweigh the mix; None: all."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation_share < 1:
            raise InvalidDataSet(f"validation share is {self.validation_share}; give 0 or more, less than 1")
        most = 1 if self.pairs_per_source is None else self.pairs_per_source
        if self.seed < 0 or min(self.ranked_pairs, self.max_characters, most) < 1:
            raise InvalidDataSet(f"got {self}; give a seed from 0, and 1 or more of the others")


@dataclass
class _Gatherer:
    rules: Rules
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    seen: dict[bytes, bool] = field(default_factory=dict)

    def add(self, candidates: Sequence[Candidate], name: str) -> None:
        """One row's candidates."""
        first = candidates[0] if candidates else Reason.EMPTY
        self._counter((first.source if isinstance(first, Pair) else None) or name)["rows"] += 1
        for candidate in candidates or [first]:
            source = (candidate.source if isinstance(candidate, Pair) else None) or name
            counter = self._counter(source)
            counter["pairs"] += 1
            reason = candidate if isinstance(candidate, Reason) else self._reason_against(candidate)
            if reason is None and isinstance(candidate, Pair):
                self._keep(candidate, source, counter)
            else:
                counter[str(reason)] += 1

    def _counter(self, source: str) -> Counter[str]:
        return self.counts.setdefault(source, Counter())

    def _reason_against(self, pair: Pair) -> Reason | None:
        prompt, chosen, rejected = ((text or "").strip() for text in pair[:3])
        if not (prompt and chosen and rejected):
            return Reason.EMPTY
        if chosen == rejected:
            return Reason.IDENTICAL
        if len(prompt) + max(len(chosen), len(rejected)) > self.rules.max_characters:
            return Reason.TOO_LONG
        in_order = chosen < rejected
        key = _digest(repr((prompt, *sorted((chosen, rejected)))))
        if key in self.seen:
            return Reason.DUPLICATE if self.seen[key] == in_order else Reason.CONTRADICTION
        self.seen[key] = in_order
        return None

    def _keep(self, pair: Pair, source: str, counter: Counter[str]) -> None:
        prompt = str(pair.prompt)
        held_out = is_validation(prompt, self.rules.validation_share, self.rules.seed)
        split = "validation" if held_out else "train"
        number = counter["passed"]
        counter["passed"] += 1
        self.rows.append(
            (f"{source}|{number}", source, split, pair.category, None, prompt, pair.chosen, pair.rejected, pair.subset)
        )

    def drawn(self, rng: np.random.Generator) -> pl.DataFrame:
        """All pairs that passed, or of each source as many as asked for, in their order."""
        pairs = pl.DataFrame(self.rows, schema=PAIRS, orient="row")
        if self.rules.pairs_per_source is None:
            return pairs
        placed = pairs.with_columns(place=pl.Series(rng.permutation(pairs.height)))
        return placed.filter(pl.col("place").rank("ordinal").over("source") <= self.rules.pairs_per_source).drop(
            "place"
        )

    def counted(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """`COUNTS`, of which `pairs` are what is kept in the end."""
        for of_source in (
            pairs.group_by("source")
            .agg(
                kept=pl.len(),
                train=(pl.col("split") == "train").sum(),
                validation=(pl.col("split") == "validation").sum(),
                prompts=pl.col("prompt").str.strip_chars().n_unique(),
            )
            .iter_rows(named=True)
        ):
            self.counts[of_source.pop("source")].update(of_source)
        for counter in self.counts.values():
            counter[str(Reason.NOT_DRAWN)] += counter["passed"] - counter["kept"]
        rows = [{"source": source, **counter} for source, counter in self.counts.items()]
        columns = {name: [row.get(name, 0) for row in rows] for name in COUNTS}
        return pl.DataFrame(columns, schema=COUNTS).sort("source")


def gather(
    places: Sequence[str], rules: Rules | None = None, name: str | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`PAIRS` and `COUNTS` of all files at the places, in their order; `name` says what they are, else the columns do.

    Of the same pair in several places the first is kept. Raises InvalidDataSet for the first thing that is wrong.
    """
    rules = rules or Rules()
    gatherer, rng = _Gatherer(rules), np.random.default_rng(rules.seed)
    for place in places:
        for table in tables(place):
            data_set = data_set_of(table, name)
            for candidates in _converted(table, data_set, rules.ranked_pairs, rng):
                gatherer.add(candidates, data_set.name)
    pairs = gatherer.drawn(rng)
    return pairs, gatherer.counted(pairs)


def _converted(table: Table, data_set: DataSet, most: int, rng: np.random.Generator) -> Iterator[list[Candidate]]:
    for number, row in enumerate(table.rows(data_set.columns(table)), 1):
        try:
            found = list(data_set.convert(data_set.decoded(row), most, rng))
            for candidate in found:
                if isinstance(candidate, Pair):
                    _check_texts(candidate)
            yield found
        except WrongCell as error:
            raise InvalidDataSet(f"{table.name}, row {number}, {error}") from error


def _check_texts(pair: Pair) -> None:
    for column, value in zip(pair._fields, pair, strict=True):
        if value is not None and not isinstance(value, str):
            raise WrongCell(column, value, "a text")


def is_validation(prompt: str, share: float, seed: int) -> bool:
    """Whether the prompt's pairs validate; true of about `share` of all prompts.

    By a seeded hash, so that the files and their order do not matter. Prompts that go on from the same first user turn
    stay together: one's text is part of the other's.
    """
    digest = blake2b(opening(prompt).encode(), digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
