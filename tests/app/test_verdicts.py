"""One rule for verdicts: the same difference gets the same verdict in findings, Overview, leaderboard and planner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.state import Policies, Selection
from app.views.measures import data
from app.views.overoptimisation import text as overoptimisation_text
from app.views.overview import text as overview_text
from app.views.test_sets import text as test_sets_text
from tests.helpers.small import evaluation
from tests.warehouse.claims.studies import of_noise
from warehouse.claims.claim import predicts_better
from warehouse.claims.findings import better, follows_curve
from warehouse.claims.verdict import CANNOT_BE_TOLD, above, below, compared
from warehouse.stats.bootstrap import Estimate
from warehouse.stats.intervals import t_quantile
from warehouse.stats.resampling import rows_for
from warehouse.study.comparison import paired
from warehouse.study.correlation import correlation
from warehouse.study.evaluate import Replicated
from warehouse.study.goodhart import goodhart_slopes
from warehouse.study.plans import Plan, advise
from warehouse.study.together import boards

ENDS = (-0.4, -0.06, -0.05, -0.03, 0.0, 0.01, 0.04, 0.05, 0.3)
M = 12
ROWS = rows_for((True,) * M, (True,) * M, 400, seed=0)
SENTENCES = {
    "better": "better than accuracy",
    "worse": "worse than accuracy",
    "not better": "no better than accuracy",
    CANNOT_BE_TOLD: "**Cannot be told** for best-of-8 at this size",
    "undefined": "**Undefined**",
}


def replicated(measure: str, low: float, high: float) -> Replicated:
    """An evaluation whose Kendall τ has an interval from `low` to `high` when compared with one that is always 0.

    Every other reward model pulls τ up, the others down, by as much as the jackknife needs for that.
    """
    value, half = (low + high) / 2, (high - low) / 2
    influence = half / t_quantile(ROWS.left_out.stop - ROWS.left_out.start - 1.0)
    value_B = np.full(ROWS.count, value)
    value_B[ROWS.left_out] += influence * np.resize([1.0, -1.0], M) / np.sqrt(M - 1)
    figures = {"kendall": (value_B, np.ones(ROWS.count, dtype=bool))}
    tau = correlation(ROWS, "kendall", figures["kendall"], 1.0, Estimate(1.0, 1.0, 1.0, 0))
    evaluated = replace(evaluation(), measure=measure, correlations={"kendall": tau}, within={"kendall": tau})
    return Replicated(evaluated, ROWS, figures, figures, rm_noise=1.0)


def test_an_evaluation_made_by_hand_has_the_interval_it_is_made_for() -> None:
    difference = paired(replicated("spearman", -0.2, 0.3), replicated("accuracy", 0.0, 0.0)).correlations["kendall"]
    assert (difference.low, difference.high) == (pytest.approx(-0.2), pytest.approx(0.3))


@pytest.mark.parametrize(
    ("low", "high"), [(low, high) for low in ENDS for high in ENDS if low < high], ids=lambda end: f"{end:g}"
)
def test_the_same_interval_has_the_same_verdict_everywhere(low: float, high: float) -> None:
    first, plain = replicated("spearman", low, high), replicated("accuracy", 0.0, 0.0)
    comparison = paired(first, plain)
    difference = comparison.correlations["kendall"]
    word = compared(difference)
    claim = "holds" if word == "better" else "refuted" if word in ("worse", "not better") else word

    assert predicts_better("best-of-8", "difference of τ", first, plain).verdict == claim
    finding = better("measure", comparison)
    assert (finding.verdict, finding.opposite) == (claim, word == "worse")
    assert SENTENCES[word] in overview_text.sentence(finding, "best-of-8")

    (board,) = boards([{"spearman": first, "accuracy": plain}], "accuracy", selected=(("kendall", "pooled"),))
    rows = data.rows({Policies("bon", 8.0): board}, "kendall", "pooled")
    assert rows.filter(measure="spearman")["verdict"].to_list() == [word]

    plans = [Plan("accuracy", 2, 8, plain), Plan("spearman", 4, 4, first)]
    advice = advise(plans)
    assert advice is not None
    if advice.best == 1:
        *_, greatest, against = test_sets_text.advice(plans, advice, Selection(), 16)
        assert against.endswith(f", {word}.")
        assert f"{int(word == 'better')} of the other 1 plan " in greatest


@pytest.mark.parametrize(
    ("p_value", "half", "verdict", "sentence"),
    [
        (0.3, 0.1, "holds", "the slopes are what accuracy predicts, to within 0.15"),
        (0.3, 0.2, CANNOT_BE_TOLD, "whether the slopes are what accuracy predicts cannot be told at this size"),
        (0.04, 0.1, "refuted", "accuracy alone does not explain the slopes"),
        (None, 0.1, "undefined", "too few pairs, prompts or replicates"),
    ],
)
def test_goodharts_curve_has_the_same_verdict_on_its_page_and_in_the_findings(
    p_value: float | None, half: float, verdict: str, sentence: str
) -> None:
    one = of_noise(np.linspace(0.3, 1.5, 4), P=30, Q=30)
    slopes = goodhart_slopes(one.cube, one.curves.values, one.spread_M, replicates=30)
    bins = tuple(replace(b, slope=b.curve, low=b.curve - half, high=b.curve + half) for b in slopes.bins)
    slopes = replace(slopes, test=slopes.test._replace(p_value=p_value, t2=3.0), bins=bins)
    assert follows_curve(slopes).verdict == verdict
    assert sentence in overoptimisation_text.goodhart(slopes)


@pytest.mark.parametrize(("low", "high"), [(-0.03, 0.04), (-0.2, 0.04)])
def test_a_figure_that_is_at_most_negligible_is_no_open_question(low: float, high: float) -> None:
    tau = Estimate(0.01, low, high, 401)
    assert above(tau) == "refuted"
    assert compared(tau) == "not better"
    assert below(tau) == ("refuted" if low > -0.05 else CANNOT_BE_TOLD)
