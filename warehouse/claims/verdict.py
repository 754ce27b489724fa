"""The one rule that turns a figure and its 95 % interval into a verdict, and the words for it.

Findings, the Overview, the leaderboards and the planner of budgets all ask here, so that the same figure has the same
verdict on every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from warehouse.stats.bootstrap import Estimate

Verdict = Literal["holds", "refuted", "cannot be told at this size", "undefined"]

CANNOT_BE_TOLD: Verdict = "cannot be told at this size"

NEGLIGIBLE = 0.05
"""A correlation, or a difference of two correlations or of two NDR, that is too small to matter."""

FEWEST_RESAMPLED = 6
"""Reward models below which resampling them says little about others: a mean over few of them decides nothing."""

SIGNIFICANT = 0.05
"""A test whose p is below rejects what it tests."""

MEANING: Mapping[str, str] = {
    "holds": "the interval lies where the claim says",
    "refuted": f"it lies elsewhere, or leaves nothing beyond a negligible {NEGLIGIBLE:g}",
    CANNOT_BE_TOLD: "it leaves both open",
    "undefined": "there is nothing to compare, for the reason given",
}
"""What each verdict means."""

SAID: Mapping[Verdict, str] = {
    "holds": "Holds",
    "refuted": "Refuted",
    CANNOT_BE_TOLD: "Cannot be told",
    "undefined": "Undefined",
}
"""The word with which a page answers a claim."""

Comparison = Literal["better", "worse", "not better", "cannot be told at this size", "undefined"]


def above(estimate: Estimate, bound: float = 0.0) -> Verdict:
    """Is the figure above `bound`? Around 0 the answer is no, too, if the interval ends below what is NEGLIGIBLE.

    Another bound says itself what matters: nothing is negligible there. A percentile interval need not contain its
    figure: then that has to be on the same side as the interval.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "undefined"
    if min(estimate.low, estimate.value) > bound:
        return "holds"
    least = bound or NEGLIGIBLE
    return "refuted" if max(estimate.high, estimate.value) < least else CANNOT_BE_TOLD


def predicting(estimate: Estimate, p_value: float | None) -> Verdict:
    """Is a correlation above 0? Yes by the permutation test, no if the interval ends below what is NEGLIGIBLE."""
    verdict = above(estimate)
    if verdict == "undefined" or estimate.value is None:
        return "undefined"
    if p_value is not None and p_value < SIGNIFICANT and estimate.value > 0:
        return "holds"
    return verdict if verdict == "refuted" else CANNOT_BE_TOLD


def below(estimate: Estimate, bound: float = 0.0) -> Verdict:
    """Is the figure below `bound`? As `above`, with the signs reversed."""
    return above(negated(estimate), -bound)


def apart(estimate: Estimate) -> Verdict:
    """Does the figure differ from 0 in either direction? No, if everything in its interval is NEGLIGIBLE."""
    up, down = above(estimate), below(estimate)
    if "holds" in (up, down):
        return "holds"
    return up if up == down else CANNOT_BE_TOLD


def fits(p_value: float | None, residuals: Sequence[Estimate], close: float) -> Verdict:
    """Do points lie on a curve? No, if the test of fit rejects it; yes, if it does not and all are within ±`close`."""
    if p_value is None or not residuals:
        return "undefined"
    if p_value < SIGNIFICANT:
        return "refuted"
    near = all(above(residual, -close) == below(residual, close) == "holds" for residual in residuals)
    return "holds" if near else CANNOT_BE_TOLD


def compared(difference: Estimate, p_value: float | None = None) -> Comparison:
    """The verdict on a difference `first minus second` in words: how does the first compare with the second?

    Of several differences at once, an adjusted `p_value` may be sharper than the interval, and then decides.
    """
    if p_value is not None and p_value < SIGNIFICANT and difference.value:
        return "better" if difference.value > 0 else "worse"
    verdict = above(difference)
    if verdict == "holds":
        return "better"
    if verdict == "refuted":
        return "worse" if below(difference) == "holds" else "not better"
    return verdict


def negated(estimate: Estimate) -> Estimate:
    """Minus the figure, with its interval reversed."""
    value, low, high = (None if end is None else -end for end in (estimate.value, estimate.high, estimate.low))
    return Estimate(value, low, high, estimate.replicates)
