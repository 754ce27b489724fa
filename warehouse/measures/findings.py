"""What a run says about the study's questions: figures with verdicts, which may be that it cannot be told.

A verdict is read off the 95 % interval alone: above 0, below 0, or open where 0 is inside. Which measures and test
sets are compared is fixed beforehand, not picked after looking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from warehouse.measures.alone import OfEach
from warehouse.measures.bootstrap import Estimate
from warehouse.measures.comparison import Comparison
from warehouse.measures.evaluate import Evaluation
from warehouse.measures.ndr_curve import NdrCurve

Verdict = Literal["above", "below", "open", "undefined"]

CORRELATION = "kendall"
"""The correlation that verdicts are about."""


@dataclass(frozen=True)
class Finding:
    """One answer: its name, figure, verdict, what was resampled, and facts for the sentence."""

    name: str
    estimate: Estimate
    verdict: Verdict
    resampled: str
    facts: Mapping[str, object] = field(default_factory=dict)


def verdict_of(estimate: Estimate) -> Verdict:
    """Where the interval lies against 0; one that touches 0 is open."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "undefined"
    if estimate.low > 0:
        return "above"
    return "below" if estimate.high < 0 else "open"


def predicts(evaluation: Evaluation) -> Finding:
    """Does the measure predict NDR? Above: the better a reward model measures, the less the policy loses."""
    estimate = evaluation.correlations[CORRELATION]
    M = len(evaluation.ndr_MM)
    facts = {"pairs": M * (M - 1) - evaluation.undefined_pairs, "undefined": evaluation.undefined_pairs}
    return Finding("predicts", estimate, verdict_of(estimate), evaluation.resampled, facts)


def better(name: str, comparison: Comparison) -> Finding:
    """Does the first of two ways of measuring predict NDR better? The paired difference of their correlations."""
    estimate = comparison.correlations[CORRELATION]
    facts = {
        "first": comparison.first.correlations[CORRELATION].value,
        "second": comparison.second.correlations[CORRELATION].value,
    }
    return Finding(name, estimate, verdict_of(estimate), comparison.first.resampled, facts)


def harder(curve: NdrCurve) -> Finding:
    """Does optimising harder lose more? The change of mean NDR from the first defined strength to the last."""
    there = [
        (strength, ndr.value) for strength, ndr in zip(curve.strengths, curve.ndr, strict=True) if ndr.value is not None
    ]
    facts = {"first": there[0], "last": there[-1]} if there else {}
    return Finding("harder", curve.change, verdict_of(curve.change), curve.resampled, facts)


def length(names: Sequence[str], found: OfEach) -> Finding:
    """Do scores follow length? The reward model whose correlation with it is the strongest, and how many clearly do."""
    verdicts = [verdict_of(estimate) for estimate in found.estimates]
    strongest = max(range(len(names)), key=lambda m: abs(found.estimates[m].value or 0.0))
    estimate = found.estimates[strongest]
    facts = {
        "strongest": names[strongest],
        "longer": verdicts.count("above"),
        "shorter": verdicts.count("below"),
        "undefined": verdicts.count("undefined"),
        "reward_models": len(names),
    }
    return Finding("length", estimate, verdict_of(estimate), "prompts", facts)
