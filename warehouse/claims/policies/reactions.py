"""Does what a reward model reacts to before anything is optimised forecast how its policy drifts?"""

from __future__ import annotations

from dataclasses import replace

from warehouse.claims.claim import Cell, Claim, Finding, Optimised, Study, Table
from warehouse.claims.verdict import NEGLIGIBLE, SIGNIFICANT, negated, predicting
from warehouse.schema import EDITS
from warehouse.study.outcomes.outcome import FEWEST
from warehouse.study.reactions import Forecasts, Reactions, forecasts
from warehouse.study.reactions.features import FEATURES

TITLE = "A reward model’s reaction to edits forecasts how its policy drifts"
_RESAMPLED = "reward models, prompts of both sides"


def reactions_forecast_drift(study: Study) -> Claim:
    """What a reward model likes in edited responses to RM-test prompts, its policy does on the RL-test prompts."""
    claim = Claim(
        "reactions",
        TITLE,
        "One response of π_0 to each of some RM-test prompts is edited in five fixed ways: padding, politeness, a "
        "list, a repeated sentence, an unfinished end. Decided by the mean of five Kendall τ over reward models, each "
        "of the reaction to one edit (mean change of the score, in standard deviations within prompts) with the change "
        "of one feature from π_0 to the policy: it holds if the permutation test rejects that nothing is forecast (p "
        f"below {SIGNIFICANT:g}) and τ is above 0, not if the interval ends below {NEGLIGIBLE:g}. The noise of the "
        "RL-test prompts is taken off.",
        resampled=_RESAMPLED,
        notes=(
            "p of the five edits is corrected for five comparisons (Holm). Reward models count as a sample of those "
            "that people might train; some of a run are alike, which makes intervals too narrow.",
            "How a policy drifts may have other causes that go with the reaction: this is a forecast, not a cause.",
        ),
        beyond_paper=True,
    )
    reactions = study.reactions
    if reactions is None:
        return replace(claim, missing="no edited responses were scored")
    known = {name: policies for name, policies in study.optimised.items() if policies.drift is not None}
    if not known:
        return replace(claim, missing="the texts of the policies’ responses are not stored")
    findings: list[Finding] = []
    rows: list[tuple[Cell, ...]] = []
    for policies in known.values():
        assert policies.drift is not None
        result = forecasts(reactions, policies.drift, replicates=study.replicates, seed=study.seed)
        findings.append(_finding(policies, reactions, result))
        rows += [
            (
                policies.called,
                each.edit,
                FEATURES[each.edit],
                each.kendall,
                each.spearman,
                each.p_value,
                each.mean_drift,
                len(result.reward_models),
            )
            for each in result.each
        ]
    header = ("policies", "edit", "feature", "τ", "Spearman ρ", "adjusted p", "mean drift", "reward models")
    return replace(claim, findings=tuple(findings), tables=(Table("By edit", header, tuple(rows)),))


def _finding(policies: Optimised, reactions: Reactions, result: Forecasts) -> Finding:
    M = len(result.reward_models)
    figure = f"mean τ of {result.defined} of {len(EDITS)} edits, {M} reward models"
    why = ""
    if result.mean.value is None:
        fewer = f"{M} reward models have edited responses scored and policies: it takes {FEWEST}"
        why = fewer if M < FEWEST else "no reaction differs between reward models, or no feature between their policies"
    return Finding(
        policies.called,
        figure,
        result.mean,
        predicting(result.mean, result.mean.p_value),
        why,
        _RESAMPLED,
        opposite=predicting(negated(result.mean), result.mean.p_value) == "holds",
    )
