"""What a claim is made of: rulings, each a figure with its interval and verdict, and tables of further figures.

Which figure decides is fixed in the claims' modules, before any run is looked at; `verdict` has the rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.claims.verdict import Verdict
from warehouse.stats.across_pairs import Wanted
from warehouse.stats.bootstrap import Estimate
from warehouse.study.evaluate import RESAMPLED

KENDALL: Wanted = (("kendall", "pooled"),)
"""The one correlation that claims are decided by."""

Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Ruling:
    """A verdict on a claim for some policies, with the figure that decides it; `why` says what is undefined."""

    about: str
    figure: str
    estimate: Estimate
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Table:
    """Figures beside the one that decides."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Claim:
    """One claim, how it is decided, and what was found; `missing` says why a run has nothing to say of it."""

    name: str
    title: str
    rule: str
    rulings: tuple[Ruling, ...] = ()
    tables: tuple[Table, ...] = ()
    resampled: str = RESAMPLED
    notes: tuple[str, ...] = ()
    missing: str = ""
    beyond_paper: bool = False
