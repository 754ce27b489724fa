"""Charts of the same figures are made once, for all visitors, and so are the specifications that browsers get.

A chart is known by the function that draws it and by what it is given: frames by their content, so that no change of
data, run or choice can show an old chart. Making a chart takes Altair several milliseconds, which is most of what a
page costs whose figures are already known. The latest are kept, bounded in bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from hashlib import blake2b
from typing import Any, NamedTuple, ParamSpec, TypeVar

import altair as alt
import polars as pl

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn", bound=alt.TopLevelMixin | list[alt.LayerChart])

MOST_BYTES = 96 * 2**20
"""How much the kept charts may take, by estimate."""
_OF_A_CHART = 64 * 2**10
"""What a chart takes besides its data: Altair's objects."""


class Specification(NamedTuple):
    """A finished chart: Vega-Lite, and the data that it names, as Streamlit sends them."""

    vega_lite: Mapping[str, Any]
    datasets: Mapping[str, bytes]


@dataclass
class _Entry:
    """What was drawn, with what it was drawn from where that is known by its identity; `size` is in bytes."""

    drawn: Any
    given: tuple[Any, ...]
    size: int
    finished: dict[int, Specification] = field(default_factory=dict)

    @property
    def charts(self) -> list[Any]:
        return self.drawn if isinstance(self.drawn, list) else [self.drawn]


class _Memory:
    """The latest charts, those least lately used leave first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._of_chart: dict[int, _Entry] = {}
        self.bytes = 0

    def get(self, key: Hashable) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def of(self, chart: object) -> _Entry | None:
        """The entry of a chart; None for one that was not remembered, or no longer is."""
        return self._of_chart.get(id(chart))

    def put(self, key: Hashable, entry: _Entry) -> _Entry:
        """Keep an entry, or return the one that another thread has kept meanwhile."""
        with self._lock:
            if key in self._entries:
                return self._entries[key]
            self._entries[key] = entry
            self._of_chart |= {id(chart): entry for chart in entry.charts}
            self._grow(entry.size)
            return entry

    def finish(self, entry: _Entry, chart: object, specification: Specification) -> None:
        """Add the finished form of one of an entry's charts."""
        with self._lock:
            if self._of_chart.get(id(chart)) is not entry or id(chart) in entry.finished:
                return
            entry.finished[id(chart)] = specification
            size = sum(map(len, specification.datasets.values()))
            entry.size += size
            self._grow(size)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._of_chart.clear()
            self.bytes = 0

    def _grow(self, size: int) -> None:
        self.bytes += size
        while self.bytes > MOST_BYTES and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.size
            for chart in oldest.charts:
                del self._of_chart[id(chart)]


memory = _Memory()


def remembered(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """A function that draws, which returns the same chart for the same content; nobody may change it.

    Takes frames, other charts, and what can be hashed, also in lists and mappings. Raises TypeError for anything else.
    """

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        given: list[Any] = []
        key = (draw, _known_by(args, given), _known_by(kwargs, given))
        entry = memory.get(key)
        if entry is None:
            charts = tuple(value for value in given if not isinstance(value, pl.DataFrame))
            size = sum(int(value.estimated_size()) for value in given if isinstance(value, pl.DataFrame))
            entry = memory.put(key, _Entry(draw(*args, **kwargs), charts, size + _OF_A_CHART))
        result: Drawn = entry.drawn
        return result

    return drawn


def finished(chart: object, finish: Callable[[], Specification]) -> Specification:
    """The finished form of a chart, which `finish` makes unless it is known."""
    entry = memory.of(chart)
    known = entry and entry.finished.get(id(chart))
    if known:
        return known
    specification = finish()
    if entry is not None:
        memory.finish(entry, chart, specification)
    return specification


def _known_by(value: Any, given: list[Any]) -> Hashable:
    """What stands for a value in a key; frames and charts are added to `given`.

    A chart stands for itself: its entry holds it, so that no other one gets its identity.
    """
    if isinstance(value, pl.DataFrame):
        given.append(value)
        rows = value.hash_rows().to_numpy().tobytes()
        return (tuple(value.schema.items()), value.height, blake2b(rows, digest_size=16).digest())
    if isinstance(value, alt.TopLevelMixin):
        given.append(value)
        return ("chart", id(value))
    if isinstance(value, Mapping):
        return tuple((name, _known_by(item, given)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return (type(value), *(_known_by(item, given) for item in value))
    hash(value)
    return (type(value), value)
