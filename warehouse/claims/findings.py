"""What a run says about the study's questions: figures with verdicts (`claims.verdict` has the rule).

Which measures and test sets are compared is fixed beforehand, not picked after looking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict, above, apart, below
from warehouse.metrics.model_scores import ModelEstimates
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import Comparison
from warehouse.study.evaluate import Evaluation
from warehouse.study.strength_curves import NdrCurve

CORRELATION = "kendall"
"""The correlation that verdicts are about."""


@dataclass(frozen=True)
class Finding:
    """One answer: its name, figure, verdict, what was resampled, and facts for the sentence.

    `opposite`: not only does it not hold, the opposite does.
    """

    name: str
    estimate: Estimate
    verdict: Verdict
    resampled: str
    facts: Mapping[str, object] = field(default_factory=dict)
    opposite: bool = False


def predicts(evaluation: Evaluation) -> Finding:
    """Does the measure predict NDR? If so, the better a reward model measures, the less the policy loses."""
    estimate = evaluation.correlations[CORRELATION]
    M = len(evaluation.ndr_MM)
    facts = {"pairs": M * (M - 1) - evaluation.undefined_pairs, "undefined": evaluation.undefined_pairs}
    return _greater("predicts", estimate, evaluation.resampled, facts)


def better(name: str, comparison: Comparison) -> Finding:
    """Does the first of two ways of measuring predict NDR better? The paired difference of their correlations."""
    facts = {
        "first": comparison.first.correlations[CORRELATION].value,
        "second": comparison.second.correlations[CORRELATION].value,
    }
    return _greater(name, comparison.correlations[CORRELATION], comparison.first.resampled, facts)


def harder(curve: NdrCurve) -> Finding:
    """Does optimising harder lose more? The change of mean NDR from the first defined strength to the last."""
    defined = [
        (strength, ndr.value) for strength, ndr in zip(curve.strengths, curve.ndr, strict=True) if ndr.value is not None
    ]
    facts = {"first": defined[0], "last": defined[-1]} if defined else {}
    opposite = above(curve.change) == "holds"
    return Finding("harder", curve.change, below(curve.change), curve.resampled, facts, opposite)


def length(names: Sequence[str], correlations: ModelEstimates) -> Finding:
    """Do any scores follow length? The reward model whose correlation with it is the strongest, and how many do."""
    longer = sum(above(estimate) == "holds" for estimate in correlations.estimates)
    shorter = sum(below(estimate) == "holds" for estimate in correlations.estimates)
    verdicts = [apart(estimate) for estimate in correlations.estimates]
    sizes = [-1.0 if estimate.value is None else abs(estimate.value) for estimate in correlations.estimates]
    strongest = sizes.index(max(sizes))
    verdict: Verdict = "holds" if longer or shorter else CANNOT_BE_TOLD
    if verdicts[strongest] == "undefined" or set(verdicts) <= {"does not hold", "undefined"}:
        verdict = verdicts[strongest]
    facts = {
        "strongest": names[strongest],
        "longer": longer,
        "shorter": shorter,
        "undefined": verdicts.count("undefined"),
        "reward_models": len(names),
    }
    return Finding("length", correlations.estimates[strongest], verdict, "prompts", facts)


def _greater(name: str, estimate: Estimate, resampled: str, facts: Mapping[str, object]) -> Finding:
    return Finding(name, estimate, above(estimate), resampled, facts, below(estimate) == "holds")
