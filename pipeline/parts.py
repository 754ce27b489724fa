"""A stage's work in independent parts, which an engine makes: this process (`context.here`), or a cluster's tasks.

A part depends only on its own name, the run's seed and the tables of earlier stages. So it has the same rows whoever
makes it, in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """What a stage has done, for its marker: how many units of what, and which engine made its parts."""

    units: int
    unit: str
    engine: str = "local"


@dataclass(frozen=True)
class Parts:
    """What a stage has to make: `total` of something in all, and the parts that are not there yet.

    `missing` has each part's name and how much of `total` it is. `make(name)` writes it to the run, whole or not at
    all, and advances the progress by as much; what several parts need is made by the first and kept. `load` is what
    the local engine does before the first one, so that its rate does not count it.
    """

    total: int
    unit: str
    missing: Mapping[Any, int]
    make: Callable[[Any], None]
    load: Callable[[], object] = lambda: None

    @property
    def there(self) -> int:
        """How much of `total` is there already."""
        return self.total - sum(self.missing.values())
