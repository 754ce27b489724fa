"""Choices of one page: a small frozen dataclass, and its form in the URL; the manner of `selection` for any of them.

A field's name is the parameter's, with `-` for `_`; defaults are not written. Tuples are parameters given several
times. What a link asks for and cannot have is left out and said, one note each; nothing here raises for a bad link.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from app import formats

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class PageChoice:
    """What every page's choice has: the run; None is the newest."""

    run: str | None = None


Chosen = TypeVar("Chosen", bound=PageChoice)


def from_query(kind: type[Chosen], query: Query) -> tuple[Chosen, list[str]]:
    """The choice that a link spells out, and a note for each parameter that says nothing."""
    types = get_type_hints(kind)
    found: dict[str, Any] = {}
    notes = []
    for name, values in query.items():
        field = name.replace("-", "_")
        if field not in types or name != parameter(field):
            notes.append(f"{name} (no such choice)")
        elif isinstance(_default(kind, field), tuple):
            found[field] = tuple(dict.fromkeys(values))
        else:
            number = next((kind for kind in (int, float) if kind in (types[field], *get_args(types[field]))), str)
            try:
                found[field] = number(values[-1])
            except ValueError:
                notes.append(f"{name}={values[-1]} (not a number)")
    return replace(kind(), **found), notes


def to_query(chosen: PageChoice) -> dict[str, list[str]]:
    """The link's parameters: only what differs from the defaults, in the order of the fields."""
    query = {}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if value != field.default:
            values = value if isinstance(value, tuple) else (value,)
            query[parameter(field.name)] = [formats.parameter(item) for item in values]
    return query


def parameter(field: str) -> str:
    """Name of a field in the URL."""
    return field.replace("_", "-")


class Fitting(Generic[Chosen]):
    """A choice being held against what a run offers: `chosen` so far, `notes` on what was left out."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.notes: list[str] = []

    def one(self, field: str, allowed: Collection[object], why: str) -> None:
        """Keep a single value if it is allowed; else the default, with a note."""
        value, default = getattr(self.chosen, field), _default(type(self.chosen), field)
        if value in allowed or value == default:
            return
        self._note(field, value, why)
        self.chosen = replace(self.chosen, **{field: default})

    def many(self, field: str, allowed: Collection[object], why: str) -> None:
        """Keep those of several values that are allowed."""
        values = getattr(self.chosen, field)
        for value in values:
            if value not in allowed:
                self._note(field, value, why)
        kept: Any = tuple(value for value in values if value in allowed)
        self.chosen = replace(self.chosen, **{field: kept})

    def _note(self, field: str, value: object, why: str) -> None:
        shown = f"{value:g}" if isinstance(value, float) else value
        self.notes.append(f"{parameter(field)}={shown} ({why})")


def _default(kind: type[PageChoice], field: str) -> Any:
    return next(entry.default for entry in fields(kind) if entry.name == field)
