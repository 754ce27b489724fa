"""A stage's work in parts that do not need one another, and who makes them: this process, or tasks of a cluster.

Every part depends on its own name, the run's seed and the tables of earlier stages alone, so whoever makes it, wherever
and in whatever order, makes the same rows. `here` makes them one after the other; `pipeline/cluster` has them made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.context import Context


@dataclass(frozen=True)
class Work:
    """What a stage says it has done, for its marker: so many units of something, and which engine made its parts."""

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


Plan = Callable[["Context"], Parts]
"""A function of a stage's module: what the stage has to make, by the tables of the run as they are."""

Engine = Callable[["Context", Plan], Work]
"""Makes the missing parts of a plan."""


def here(context: Context, plan: Plan) -> Work:
    """Make the missing parts in this process."""
    parts = plan(context)
    if parts.missing:
        parts.load()
    context.progress.plan(parts.total, parts.unit, parts.there)
    for name in parts.missing:
        parts.make(name)
    return Work(parts.total, parts.unit)
