"""What a claim is decided by, and what is said of it: figures with intervals, and a verdict read off one of them.

Which figure decides, and from where on a difference is worth speaking of, is fixed here and in the claims' modules,
before any run is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from warehouse.measures.across_pairs import Wanted
from warehouse.measures.bootstrap import Estimate
from warehouse.measures.evaluate import RESAMPLED

Verdict = Literal["holds", "does not hold", "cannot be told at this size", "undefined", "not in this run"]

KENDALL: Wanted = (("kendall", "pooled"),)
"""The one correlation that claims are decided by."""

NEGLIGIBLE = 0.05
"""A difference of two correlations, or of two NDR, below which there is none to speak of."""

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


def above(estimate: Estimate, least: float = 0.0, negligible: float = 0.0) -> Verdict:
    """Is the figure above `least`? Clearly not, if its interval ends below `least` and what is negligible beyond it.

    The noise of few prompts pulls replicates towards 0, so that a figure may lie outside of its own interval: then it
    has to be on the same side of the bound.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "undefined"
    if min(estimate.low, estimate.value) > least:
        return "holds"
    return "does not hold" if max(estimate.high, estimate.value) < least + negligible else "cannot be told at this size"


def below(estimate: Estimate, most: float = 0.0, negligible: float = 0.0) -> Verdict:
    """Is the figure below `most`? As `above`, the other way round."""
    return above(negated(estimate), -most, negligible)


def apart(estimate: Estimate, negligible: float = NEGLIGIBLE) -> Verdict:
    """Does the figure differ from 0, either way? Clearly not, if its interval has nothing that is not negligible."""
    up, down = above(estimate, 0.0, negligible), below(estimate, 0.0, negligible)
    if "holds" in (up, down):
        return "holds"
    return up if up == down else "cannot be told at this size"


def negated(estimate: Estimate) -> Estimate:
    """Minus the figure, its interval turned round."""
    value, low, high = (None if end is None else -end for end in (estimate.value, estimate.high, estimate.low))
    return Estimate(value, low, high, estimate.replicates)
