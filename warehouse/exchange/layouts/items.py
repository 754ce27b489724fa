"""Items of a benchmark, each a row with lists of responses, scores and labels, as long rows and preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from warehouse.exchange.categories import labels_of_path
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.source import DESCRIBED, PATH, PROMPTS, SUBSETS, Source
from warehouse.exchange.scored_rows import LONG, PAIRS, Pieces

_LISTS = {"response_id": pl.String(), "response": pl.String(), "score": pl.Float64(), "label": pl.Float32()}


@dataclass
class Items:
    """Rows of a file as items: `add` one after the other, then `pieces`. `ids` are those of the rows, None: no ids.

    What is added is kept in flat lists, an entry for each response, since Polars is slow with lists in lists.
    """

    source: Source
    ids: Sequence[str | None]
    prompts: list[str | None]
    subset_by_source: bool = False
    rows: list[int] = field(default_factory=list)
    models: list[str | None] = field(default_factory=list)
    lists: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _LISTS})

    def add(self, row: int, model: str | None, **lists: list[Any]) -> None:
        """One item as one reward model scored it (None: not scored): lists of one length by `LONG`'s names."""
        count = len(next(iter(lists.values())))
        self.rows += [row] * count
        self.models += [model] * count
        for name, values in self.lists.items():
            values += lists.get(name) or [None] * count

    def pieces(self, *, preferences: bool, places: bool = False) -> Pieces:
        """The long rows, and with `preferences` a pair for each response of label 1 and each of label 0 of an item.

        With `places` responses without an id are named by their place.
        """
        sheet = self.source.sheet
        described = pl.DataFrame(
            {
                "row": pl.int_range(sheet.frame.height, eager=True, dtype=pl.UInt32()),
                "prompt_id": pl.Series(self.ids, dtype=pl.String()),
                "prompt": pl.Series(self.prompts, dtype=pl.String()),
                **{name: sheet.labels(name) for name in DESCRIBED},
            }
        )
        subsets = [*SUBSETS, *(["source"] if self.subset_by_source else [])]
        described = described.with_columns(subset=pl.coalesce(sheet.labels(name) for name in subsets))
        if PATH in sheet.frame.columns:
            of_path = [labels_of_path(path) for path in sheet.labels(PATH).to_list()]
            described = described.with_columns(
                pl.col(name).fill_null(pl.Series([getattr(labels, name) for labels in of_path], dtype=pl.String()))
                for name in ("category", "subset")
            )
        columns = {
            "row": pl.Series(self.rows, dtype=pl.UInt32()),
            "reward_model": pl.Series(self.models, dtype=pl.String()),
            **{name: pl.Series(values, dtype=_LISTS[name]) for name, values in self.lists.items()},
        }
        long = (
            pl.DataFrame(columns)
            .join(described, on="row", how="left", maintain_order="left")
            .with_columns(file=pl.lit(self.source.number))
            .select(LONG.names())
            .cast(LONG)
        )
        if places:
            place = pl.format("response-{}", pl.int_range(1, pl.len() + 1).over("row", "reward_model"))
            long = long.with_columns(response_id=pl.coalesce("response_id", place))
        return Pieces(long, pairs=_pairs(long) if preferences else PAIRS.to_frame())


def _pairs(long: pl.DataFrame) -> pl.DataFrame:
    """Each response of label 1 of an item beside each of label 0."""
    each = long.unique(("row", "response_id"), keep="first", maintain_order=True)
    sides = [
        each.filter(label=label).select("file", "row", "prompt_id", pl.col("response_id").alias(f"{side}_id"))
        for side, label in (("chosen", 1.0), ("rejected", 0.0))
    ]
    paired = sides[0].join(sides[1].drop("file", "prompt_id"), on="row", maintain_order="left_right")
    return paired.select(PAIRS.names()).cast(PAIRS)


def prompts_of(source: Source) -> list[str | None]:
    """The prompt of each row as text."""
    return cells.prompts(source.sheet, source.column(PROMPTS)).to_list()


def item_ids(source: Source, names: Sequence[str], *, with_subset: bool | None = None) -> list[str] | None:
    """The ids of the rows, with their subset where ids start again in each subset; None if no column has them."""
    column = source.column(names)
    if column is None:
        return None
    ids = source.sheet.ids(column)
    if "subset" not in source.columns or with_subset is False:
        return ids.to_list()
    subsets = source.sheet.ids("subset") if with_subset else source.sheet.labels("subset").fill_null("")
    if with_subset is None:
        apart = pl.DataFrame({"id": ids, "subset": subsets})
        with_subset = apart.n_unique() > apart["id"].n_unique()
    return [f"{subset}/{item}" for subset, item in zip(subsets, ids, strict=True)] if with_subset else ids.to_list()


def places(source: Source) -> list[str]:
    """Names of items without ids: by their place in the file."""
    return [f"item-{row + 1:06d}" for row in range(source.sheet.frame.height)]
