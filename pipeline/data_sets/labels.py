"""Category, subset and source of a row's pairs: what the row says, or what its benchmark means by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.data_sets.cells import label_of
from pipeline.data_sets.pairs import Row
from warehouse.exchange.categories import CATEGORY_OF_SUBSET, labels_of_path


class Labels(NamedTuple):
    """`source` only where it is not the data set as a whole."""

    category: str | None = None
    subset: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class LabelColumns:
    """The columns that labels come from, which need not exist, and how."""

    columns: tuple[str, ...]
    of: Callable[[Row], Labels]


def _given(row: Row) -> Labels:
    """The row's own category is kept; without one, it is that of the subset in RewardBench or RM-Bench."""
    subset = label_of(row.get("subset"))
    return Labels(label_of(row.get("category")) or CATEGORY_OF_SUBSET.get(subset or ""), subset)


def _own(row: Row) -> Labels:
    return _given(row)._replace(source=label_of(row.get("source")))


def _rewardbench_2(row: Row) -> Labels:
    """Math is Reasoning and Safety is Safety; the four others have no category in RewardBench."""
    subset = label_of(row.get("subset"))
    return Labels({"math": "Reasoning", "safety": "Safety"}.get((subset or "").lower()), subset)


def _rm_bench(row: Row) -> Labels:
    names = [name for name in (label_of(row.get("subset")), label_of(row.get("domain"))) if name]
    category = next((CATEGORY_OF_SUBSET[name] for name in names if name in CATEGORY_OF_SUBSET), None)
    return Labels(category, names[0] if names else None)


def _rmb(row: Row) -> Labels:
    return Labels(*labels_of_path(label_of(row.get("category_path"))))


_JUDGEBENCH = {"mmlu-pro": "Knowledge", "livebench-reasoning": "Reasoning", "livebench-math": "Math"}


def _judgebench(row: Row) -> Labels:
    source = label_of(row.get("source"))
    named = (category for begin, category in _JUDGEBENCH.items() if (source or "").startswith(begin))
    return Labels(next(named, "Coding" if (source or "").startswith("livecodebench") else None), source)


GIVEN = LabelColumns(("category", "subset"), _given)
OWN = LabelColumns(("category", "subset", "source"), _own)
REWARDBENCH_2 = LabelColumns(("subset",), _rewardbench_2)
RM_BENCH = LabelColumns(("subset", "domain"), _rm_bench)
RMB = LabelColumns(("category_path",), _rmb)
JUDGEBENCH = LabelColumns(("source",), _judgebench)
SAFETY = LabelColumns((), lambda row: Labels("Safety"))
DOMAIN_IS_CATEGORY = LabelColumns(("domain",), lambda row: Labels(label_of(row.get("domain"))))
DOMAIN_IS_SUBSET = LabelColumns(("domain",), lambda row: Labels(subset=label_of(row.get("domain"))))
