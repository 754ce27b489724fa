"""What a run says about the study's questions, for the Overview: findings, as those of the claims.

Which measures and test sets are compared is fixed beforehand, not picked after looking.
"""

from __future__ import annotations

from collections.abc import Sequence

from warehouse.claims.claim import Finding, pairs_of, resolved_by_interval
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict, above, apart, below, fits, negated, predicting
from warehouse.metrics.model_scores import ModelEstimates
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.comparison import Comparison
from warehouse.study.curves.strength_curves import NdrCurve
from warehouse.study.evaluate import Evaluation
from warehouse.study.goodhart import GoodhartSlopes
from warehouse.study.resolution import Sizes

CLOSE = 0.15
"""A slope this near Goodhart's curve is on it, in golden gain per proxy gain."""


def predicts(evaluation: Evaluation) -> Finding:
    """Does the measure predict NDR? If so, the better a reward model measures, the less the policy loses."""
    kendall = evaluation.correlations["kendall"]
    pairs, undefined = pairs_of(evaluation)
    finding = Finding(
        "predicts",
        "Kendall τ",
        kendall,
        predicting(kendall, kendall.p_value),
        resampled=evaluation.resampled,
        facts={"pairs": pairs - undefined, "undefined": undefined},
        opposite=predicting(negated(kendall), kendall.p_value) == "holds",
    )
    return resolved_by_interval(finding, _sizes(evaluation))


def better(name: str, comparison: Comparison) -> Finding:
    """Does the first of two ways of measuring predict NDR better? The paired difference of their correlations."""
    facts = {
        "first": comparison.first.correlations["kendall"].sample.value,
        "second": comparison.second.correlations["kendall"].sample.value,
    }
    difference = comparison.correlations["kendall"]
    finding = Finding(
        name,
        "Kendall τ",
        difference,
        above(difference),
        resampled=comparison.first.resampled,
        facts=facts,
        opposite=below(difference) == "holds",
    )
    return resolved_by_interval(finding, _sizes(comparison.first))


def _sizes(evaluation: Evaluation) -> Sizes:
    return Sizes(evaluation.proxies, evaluation.prompts_used, evaluation.rl_prompts_used)


def harder(curve: NdrCurve) -> Finding:
    """Does optimising harder lose more? The change of mean NDR between the ends, over the pairs defined at both.

    Undefined for gains in NDR's place: what the golden could gain is not known.
    """
    change = curve.change if curve.quantity == "ndr" else None
    difference = change.difference if change else NOTHING
    return Finding(
        "harder",
        "change of mean NDR",
        difference,
        below(difference),
        resampled=curve.resampled,
        facts={"first": change.first, "last": change.last, "pairs": change.pairs} if change else {},
        opposite=above(difference) == "holds",
    )


def follows_curve(slopes: GoodhartSlopes) -> Finding:
    """Is the golden gain per proxy gain what accuracy says? The bin of accuracy that is farthest from the curve.

    The same prompts on both sides decide nothing: accuracy and slopes share their noise.
    """
    residuals = []
    for b in slopes.bins:
        low, high = (None if end is None else end - b.curve for end in (b.low, b.high))
        residuals.append(Estimate(b.slope - b.curve, low, high, slopes.replicates))
    verdict = fits(slopes.test.p_value, residuals, CLOSE)
    if verdict == "undefined":
        why = "no proxy gains, all pairs are alike, or too few prompts or replicates"
        return Finding("goodhart", "slope minus curve", NOTHING, verdict, why, slopes.resampled)
    if slopes.shared_prompts:
        verdict = CANNOT_BE_TOLD
    farthest = max(residuals, key=lambda estimate: abs(estimate.value or 0.0))
    figure = f"slope minus curve, farthest of {len(residuals)} bins"
    return Finding("goodhart", figure, farthest, verdict, resampled=slopes.resampled)


def length(names: Sequence[str], correlations: ModelEstimates) -> Finding:
    """Do any scores follow length? The reward model whose correlation with it is the strongest, and how many do."""
    longer = sum(above(estimate) == "holds" for estimate in correlations.estimates)
    shorter = sum(below(estimate) == "holds" for estimate in correlations.estimates)
    verdicts = [apart(estimate) for estimate in correlations.estimates]
    sizes = [-1.0 if estimate.value is None else abs(estimate.value) for estimate in correlations.estimates]
    strongest = sizes.index(max(sizes))
    verdict: Verdict = "holds" if longer or shorter else CANNOT_BE_TOLD
    if verdicts[strongest] == "undefined" or set(verdicts) <= {"refuted", "undefined"}:
        verdict = verdicts[strongest]
    facts = {
        "strongest": names[strongest],
        "longer": longer,
        "shorter": shorter,
        "undefined": verdicts.count("undefined"),
        "reward_models": len(names),
    }
    return Finding("length", "Spearman ρ", correlations.estimates[strongest], verdict, resampled="prompts", facts=facts)
