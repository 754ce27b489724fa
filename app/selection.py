"""What the user has chosen, frozen, and its form in the URL.

`from_query` reads a link, `fitted` holds the choice against what a run offers, `to_query` writes the link back. What a
link asks for and cannot have is left out and said, one note each; it never raises. Defaults are not written: the plain
address shows the newest run, and a link keeps meaning the same choice when a default is worked out anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Selection:
    """All of a user's choices. None, or an empty tuple, is "no choice made": the newest, the most, or all."""

    run: str | None = None
    measure: str = "accuracy"
    categories: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    responses: int | None = None
    optimizer: str = "bon"
    strength: float | None = None
    rl_categories: tuple[str, ...] = ()
    golden: str | None = None
    proxy: str | None = None

    @property
    def has_pair(self) -> bool:
        return self.golden is not None and self.proxy is not None


@dataclass(frozen=True)
class Options:
    """What one run offers. `subsets` maps each RM-test category to its subsets, `strengths` each optimizer to its."""

    run: str
    measures: tuple[str, ...]
    subsets: Mapping[str, tuple[str, ...]]
    responses: int
    strengths: Mapping[str, tuple[float, ...]]
    rl_categories: tuple[str, ...]
    reward_models: tuple[str, ...]

    def subsets_of(self, categories: Sequence[str]) -> tuple[str, ...]:
        """Subsets of the categories, or of all if there are none."""
        return tuple(subset for name in categories or self.subsets for subset in self.subsets.get(name, ()))


def from_query(query: Query) -> tuple[Selection, list[str]]:
    """The choice that a link spells out, and a note for each parameter that says nothing."""
    found: dict[str, Any] = {}
    notes = []
    for name, values in query.items():
        field = _FIELD_OF.get(name)
        if field is None:
            notes.append(f"{name} (no such choice)")
        elif field in _MANY:
            found[field] = tuple(dict.fromkeys(values))
        elif field in _NUMBERS:
            try:
                found[field] = _NUMBERS[field](values[-1])
            except ValueError:
                notes.append(f"{name}={values[-1]} (not a number)")
        else:
            found[field] = values[-1]
    return replace(Selection(), **found), notes


def to_query(selection: Selection) -> dict[str, list[str]]:
    """The link's parameters: only what differs from the defaults, in the order of the fields."""
    query = {}
    for field in fields(Selection):
        value = getattr(selection, field.name)
        if value == field.default:
            continue
        values = value if isinstance(value, tuple) else (value,)
        query[_NAME_OF[field.name]] = [f"{item:g}" if isinstance(item, float) else str(item) for item in values]
    return query


def with_known_run(selection: Selection, run_ids: Sequence[str]) -> tuple[Selection, list[str]]:
    """The choice without a run that is not there."""
    if selection.run is None or selection.run in run_ids:
        return selection, []
    return replace(selection, run=None), [f"run={selection.run} (not in the warehouse)"]


def fitted(selection: Selection, options: Options) -> tuple[Selection, list[str]]:
    """The choice without what the run does not offer, and a note for each thing left out."""
    fitting = _Fitting(selection)
    fitting.one("measure", options.measures, "no such measure")
    fitting.many("categories", tuple(options.subsets), "not among the RM-test prompts")
    fitting.many("subsets", options.subsets_of(fitting.selection.categories), "not in the chosen categories")
    fitting.one("responses", range(2, options.responses + 1), f"this run has 2 to {options.responses}")
    fitting.one("optimizer", tuple(options.strengths), "not in this run")
    strengths = options.strengths.get(fitting.selection.optimizer, ())
    fitting.one("strength", strengths, f"this run has {', '.join(f'{value:g}' for value in strengths)}")
    fitting.many("rl_categories", options.rl_categories, "not among the RL-test prompts")
    fitting.one("golden", options.reward_models, "no such reward model")
    others = tuple(name for name in options.reward_models if name != fitting.selection.golden)
    fitting.one("proxy", others, "no such reward model beside the golden")
    return fitting.selection, fitting.notes


class _Fitting:
    """A choice on its way through `fitted`: `selection` so far, `notes` on what was left out."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.notes: list[str] = []

    def one(self, field: str, allowed: Sequence[object], why: str) -> None:
        """Keep a single value if it is allowed; else the default, or the first allowed where even that is not."""
        value, default = getattr(self.selection, field), getattr(Selection(), field)
        if value is None or value in allowed:
            return
        if value != default:
            self._note(field, value, why)
        fallback = default if default is None or default in allowed or not allowed else allowed[0]
        self._change(field, fallback)

    def many(self, field: str, allowed: Sequence[object], why: str) -> None:
        """Keep those of several values that are allowed."""
        values = getattr(self.selection, field)
        for value in values:
            if value not in allowed:
                self._note(field, value, why)
        self._change(field, tuple(value for value in values if value in allowed))

    def _change(self, field: str, value: Any) -> None:
        self.selection = replace(self.selection, **{field: value})

    def _note(self, field: str, value: object, why: str) -> None:
        shown = f"{value:g}" if isinstance(value, float) else value
        self.notes.append(f"{_NAME_OF[field]}={shown} ({why})")


_MANY = ("categories", "subsets", "rl_categories")
_NUMBERS = {"responses": int, "strength": float}
_NAME_OF = {
    "run": "run",
    "measure": "measure",
    "categories": "category",
    "subsets": "subset",
    "responses": "responses",
    "optimizer": "optimizer",
    "strength": "strength",
    "rl_categories": "rl-category",
    "golden": "golden",
    "proxy": "proxy",
}
_FIELD_OF = {name: field for field, name in _NAME_OF.items()}
