"""The words for what a correlation says: its two questions, its noise ceiling, and what to beware of. Pure functions.

How well a measure does *on this test set* and how well *the measure itself* would do are two questions, which no page
mixes; the plain correlation of the figures is beside them as what it is (`warehouse.study.correlation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.components import glossary
from app.components.formats import count, interval, number, percent
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict, negated, predicting
from warehouse.study import Estimate, Evaluation
from warehouse.study.correlation import FEW_MODELS, Correlation
from warehouse.study.folds import FEWEST

TERMS = ("this test set", "the measure itself", "plain correlation", "noise ceiling")
"""The terms of the glossary that a page with correlations explains."""

KEY = (
    "●\N{NO-BREAK SPACE}this test set, bar: its 95% interval · ○\N{NO-BREAK SPACE}plain correlation · "
    "│\N{NO-BREAK SPACE}noise ceiling, about the most that ○\N{NO-BREAK SPACE}can reach"
)
"""What the marks of a chart of correlations are."""

LINE_KEY = (
    "●\N{NO-BREAK SPACE}this test set, band: its 95% interval · ○\N{NO-BREAK SPACE}plain correlation · "
    "line across: noise ceiling, about the most that ○\N{NO-BREAK SPACE}can reach"
)
"""The same for a chart of lines."""

_ANSWERS: Mapping[Verdict, str] = {
    "holds": "yes",
    "refuted": "no",
    CANNOT_BE_TOLD: CANNOT_BE_TOLD,
    "undefined": "undefined",
}
_SMALLEST_P = 0.001


def intervals(replicates: int) -> str:
    """Where the intervals of correlations come from: `95% intervals of correlations from …`."""
    return (
        "95% intervals of correlations from leaving out each reward model in turn (jackknife) and resampling prompts "
        f"(up to {replicates:,} times)"
    )


def explained() -> str:
    """What each figure of a correlation is, a line each (Markdown)."""
    return "\n".join(f"- {glossary.explain(term)}" for term in TERMS)


def cautions(evaluations: Iterable[Evaluation], reward_models: int) -> list[str]:
    """What to beware of in these correlations: few reward models, gains for NDR, and prompts that are on both sides."""
    evaluations, lines = list(evaluations), []
    if reward_models < FEW_MODELS:
        lines.append(
            f"**Rough intervals**: {count(reward_models, 'reward model')} say little about others. In simulations "
            f"95% intervals keep what they promise from {FEW_MODELS} reward models on."
        )
    if any(evaluation.quantity == "gain" for evaluation in evaluations):
        lines.append(
            "**Golden gain in the place of NDR**: no policy was optimised against a golden, so what could be gained is "
            "not known. The gain is that of each proxy's policy, in the golden's standard deviations within prompts."
        )
    shared = max((evaluation.shared_prompts for evaluation in evaluations), default=0)
    if shared:
        few = f" That takes {FEWEST} prompts or more on either side." if shared < FEWEST else ""
        lines.append(
            f"**The same prompts on both sides**: {count(shared, 'prompt')} measure the reward models and value the "
            "policies, which would make even noise seem to predict. So correlations are cross-fitted: measured on one "
            f"half of the prompts, valued on the other, both ways, averaged over several splits.{few}"
        )
    return lines


def with_interval(estimate: Estimate) -> str:
    """A figure with its interval: `0.52 (0.31 to 0.69)`; `undefined` without."""
    if estimate.value is None:
        return number(None)
    if estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} ({interval(estimate.low, estimate.high)})"


def ceiling(correlation: Correlation) -> str:
    """The noise ceiling, and how much the plain figure reaches: `0.93 (0.90 to 0.95), plain reaches 56% of it`."""
    share = correlation.of_ceiling or 0.0
    reached = f", plain reaches {percent(share)} of it" if share > 0 else ""
    return f"{with_interval(correlation.ceiling)}{reached}"


def predicts_at_all(correlation: Correlation) -> str:
    """Whether the measure predicts, by the one rule of the verdicts, and the permutation test's p: `yes, p = 0.005`."""
    test = f"{p_value(correlation.p_value)}, permutation test"
    if predicting(negated(correlation), correlation.p_value) == "holds":
        return f"yes, but the wrong way round ({test})"
    return f"{_ANSWERS[predicting(correlation, correlation.p_value)]} ({test})"


def p_value(p: float | None) -> str:
    """A p-value: `p = 0.012`, `p < 0.001`, `p undefined`."""
    if p is None:
        return "p undefined"
    return f"p < {_SMALLEST_P:g}" if p < _SMALLEST_P else f"p = {p:.3f}"


def beside(correlation: Correlation) -> str:
    """What stands beside the headline in a sentence; empty where the headline is undefined."""
    if correlation.value is None:
        return ""
    return (
        f"The measure itself, with unlimited test prompts: {with_interval(correlation.measure_itself)}. "
        f"Plain: {number(correlation.sample.value)}. Noise ceiling: {ceiling(correlation)}."
    )
