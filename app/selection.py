"""What the user has chosen, frozen, and its form in the URL.

`from_query` reads a link, `to_query` writes it back; what a run offers is held against it in `fitting.py`. What a link
asks for and cannot have is left out and said, one note each; it never raises. Defaults are not written: the plain
address shows the newest run, and a link keeps meaning the same choice when a default is worked out anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from app import formats
from warehouse.measures import TestSet
from warehouse.reads import INITIAL

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Source:
    """Whose responses to the RM-test prompts are measured, and to which words.

    `names` are policies, or `ppo` for all of the last PPO step; none is the initial policy. A share `paraphrase` of the
    prompts, drawn by `seed`, gives way to their paraphrases.
    """

    names: tuple[str, ...] = ()
    paraphrase: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Policies:
    """Which optimised policies are valued: an optimizer's at one strength, or all at one KL, in nats."""

    optimizer: str
    strength: float | None = None
    kl: float | None = None


@dataclass(frozen=True)
class Selection:
    """All of a user's choices. None, or an empty tuple, is "no choice made": the newest, the most, or all."""

    run: str | None = None
    measure: str = "accuracy"
    categories: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    paraphrase: float = 0.0
    responses: int | None = None
    prompts: int | None = None
    budget: int | None = None
    rank_bins: int | None = None
    chosen_bin: int | None = None
    rejected_bin: int | None = None
    noise: float = 0.0
    seed: int = 0
    optimizer: str = "bon"
    strength: float | None = None
    kl: float | None = None
    rl_categories: tuple[str, ...] = ()
    correlation: str = "kendall"
    level: str = "pooled"
    golden: str | None = None
    proxy: str | None = None
    cells: str = "ndr"
    study: str = "ranks"
    map_bins: int | None = None
    plan_budget: int | None = None
    plan_noise: float = 0.0

    @property
    def has_pair(self) -> bool:
        return self.golden is not None and self.proxy is not None

    def source(self) -> Source:
        """The responses that the test set is made of."""
        return Source(self.sources, self.paraphrase, self.seed if self.paraphrase else 0)

    def test_set(self) -> TestSet:
        """The prompts, responses and annotation that measures see."""
        return TestSet(
            categories=self.categories or None,
            subsets=self.subsets or None,
            responses=self.responses,
            prompts=self.prompts,
            budget=self.budget,
            rank_bins=self.rank_bins,
            chosen_bin=self.chosen_bin,
            rejected_bin=self.rejected_bin,
            noise=self.noise or None,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Options:
    """What one run offers, on the responses of the sources that are chosen.

    `subsets` maps each RM-test category to its subsets, `sizes` each (category, subset) to its number of prompts,
    `strengths` each optimizer to its, `kl` each optimizer whose KL is known to how far its policies get, in nats: the
    least of them, and the farthest. `sources` are whose responses can be chosen; `paraphrases`, whether the chosen
    ones answered paraphrases too.
    """

    run: str
    measures: tuple[str, ...]
    subsets: Mapping[str, tuple[str, ...]]
    sizes: Mapping[tuple[str, str], int]
    responses: int
    strengths: Mapping[str, tuple[float, ...]]
    rl_categories: tuple[str, ...]
    reward_models: tuple[str, ...]
    kl: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sources: tuple[str, ...] = (INITIAL,)
    paraphrases: bool = False

    def subsets_of(self, categories: Sequence[str]) -> tuple[str, ...]:
        """Subsets of the categories, or of all if there are none."""
        return tuple(subset for name in categories or self.subsets for subset in self.subsets.get(name, ()))

    def prompts_of(self, categories: Sequence[str], subsets: Sequence[str]) -> int:
        """How many RM-test prompts are in these categories and subsets; in all, of what is left empty."""
        return sum(
            size
            for (category, subset), size in self.sizes.items()
            if (not categories or category in categories) and (not subsets or subset in subsets)
        )


def from_query(query: Query) -> tuple[Selection, list[str]]:
    """The choice that a link spells out, and a note for each parameter that says nothing."""
    found: dict[str, Any] = {}
    notes = []
    for name, values in query.items():
        known = _FIELD_OF.get(name)
        if known is None:
            notes.append(f"{name} (no such choice)")
        elif known in _MANY:
            found[known] = tuple(dict.fromkeys(values))
        elif known in _NUMBERS:
            try:
                found[known] = _NUMBERS[known](values[-1])
            except ValueError:
                notes.append(f"{name}={values[-1]} (not a {'whole ' if _NUMBERS[known] is int else ''}number)")
        else:
            found[known] = values[-1]
    return replace(Selection(), **found), notes


def to_query(selection: Selection) -> dict[str, list[str]]:
    """The link's parameters: only what differs from the defaults, in the order of the fields."""
    query = {}
    for entry in fields(Selection):
        value = getattr(selection, entry.name)
        if value == entry.default:
            continue
        values = value if isinstance(value, tuple) else (value,)
        query[_NAME_OF[entry.name]] = [formats.parameter(item) for item in values]
    return query


def name_of(field: str) -> str:
    """What a field is called in the link."""
    return _NAME_OF[field]


_MANY = ("categories", "subsets", "sources", "rl_categories")
_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "paraphrase": float,
    "responses": int,
    "prompts": int,
    "budget": int,
    "rank_bins": int,
    "chosen_bin": int,
    "rejected_bin": int,
    "noise": float,
    "seed": int,
    "strength": float,
    "kl": float,
    "map_bins": int,
    "plan_budget": int,
    "plan_noise": float,
}
_OTHER_NAMES = {
    "categories": "category",
    "subsets": "subset",
    "sources": "source",
    "rl_categories": "rl-category",
}
_NAME_OF = {entry.name: _OTHER_NAMES.get(entry.name, entry.name.replace("_", "-")) for entry in fields(Selection)}
_FIELD_OF = {name: entry for entry, name in _NAME_OF.items()}
