"""Similar accuracy, different regret: how far apart the policies of reward models end that measure much the same.

Two proxies of one golden are similar if their measures are within a window. Their difference in regret is in units of
the golden's own gain in the sample, so that it is a plain mean over RL-test prompts whose sampling variance the
bootstrap gives. Squared differences are freed of it: it is subtracted once from the sample's, and twice from a
replicate's, which contains it twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.claims.claim import Claim, Finding, Study, Table, pairs_of
from warehouse.claims.verdict import above
from warehouse.metrics.cube import PolicyValues
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import NOTHING, Bools, Estimate, Floats
from warehouse.study.evaluate import Evaluation, evaluate
from warehouse.study.value_curves import draws, gains

SIMILAR = 0.02
"""Accuracies that differ by no more are similar."""

MUCH = 0.1
"""NDR that differ by more differ much: a tenth of what there is to gain."""


def similar_but_different(study: Study) -> Claim:
    """Reward models of similar accuracy give policies of different regret."""
    findings, rows = [], []
    for policies in study.optimised.values():
        evaluation = evaluate(policies.cube, policies.values, replicates=study.replicates, seed=study.seed)
        similar = regret_of_similar(evaluation, policies.values, SIMILAR, replicates=study.replicates, seed=study.seed)
        why = "" if similar.pairs else f"no two defined proxies of one golden have accuracies within {SIMILAR:g}"
        size = similar.difference
        findings.append(Finding(policies.called, "typical difference in NDR", size, above(size, MUCH), why))
        clear = f"{similar.clear} of {similar.pairs}" if similar.pairs else "none"
        rows.append((policies.called, size, similar.expected, clear, *pairs_of(evaluation)))
    header = ("policies", "typical difference in NDR", "a straight line gives", "clearly apart", "pairs", "undefined")
    return Claim(
        "alike-but-different",
        "Similar accuracy, different regret",
        f"Two proxies of one golden are alike if their accuracies differ by no more than {SIMILAR:g}. Decided by the "
        "root mean square of their differences in NDR (in units of the golden’s gain in the sample), freed of what "
        f"the sampling of RL-test prompts adds: different if its interval is above {MUCH:g}, not if it is below.",
        tuple(findings),
        (Table("Proxies of like accuracy under the same golden", header, tuple(rows)),),
        notes=(
            "“A straight line gives”: the same figure if NDR followed accuracy in a straight line. “Clearly apart”: "
            "pairs of proxies whose difference has a 95 % interval without 0; chance alone gives one in twenty.",
        ),
    )


@dataclass(frozen=True)
class SimilarRegret:
    """Pairs of proxies whose measures are similar, over all goldens.

    `difference` is the root mean square of their differences in NDR, freed of the noise of the prompts; `expected` what
    it would be if NDR followed the measure in a straight line; `clear` how many have a difference whose own 95 %
    interval excludes 0, as one in twenty does by chance alone.
    """

    difference: Estimate
    expected: float | None
    clear: int
    pairs: int


def regret_of_similar(
    evaluation: Evaluation, values: PolicyValues, window: float, *, replicates: int = 1000, seed: int = 0
) -> SimilarRegret:
    """Compare the NDR of proxies whose measure under the same golden differs by no more than `window`."""
    value_MM, defined_MM = evaluation.value_MM, evaluation.ndr_defined_MM & evaluation.value_defined_MM
    golden, first, second = _similar(value_MM, defined_MM, window)
    if len(golden) == 0:
        return SimilarRegret(NOTHING, expected=None, clear=0, pairs=0)
    counts_BQ, models_BM = draws(len(values.prompts), len(defined_MM), replicates, seed)
    gain_BMM = gains(values, np.arange(len(values.prompts)), counts_BQ)
    own_M = gain_BMM[0].diagonal()
    difference_BT = (gain_BMM[:, golden, first] - gain_BMM[:, golden, second]) / own_M[golden]
    noise_T = difference_BT[1:].var(axis=0, ddof=1) if replicates > 1 else np.zeros(len(golden))
    low_T, high_T = bootstrap.interval(difference_BT[1:])
    weight_BT = models_BM[:, golden] * models_BM[:, first] * models_BM[:, second]
    excess_BT = difference_BT**2 - 2 * noise_T
    excess_BT[0] += noise_T
    total_B = weight_BT.sum(axis=1)
    square_B = np.divide((weight_BT * excess_BT).sum(axis=1), total_B, out=np.zeros_like(total_B), where=total_B > 0)
    size_B = np.sqrt(np.maximum(square_B, 0.0))
    return SimilarRegret(
        difference=bootstrap.first_with_interval(size_B, total_B > 0),
        expected=_expected(evaluation, defined_MM, value_MM[golden, first] - value_MM[golden, second]),
        clear=int(((low_T > 0) | (high_T < 0)).sum()),
        pairs=len(golden),
    )


def _similar(value_MM: Floats, defined_MM: Bools, window: float) -> tuple[NDArray[np.int64], ...]:
    """Golden and two proxies `[T]` each."""
    M = len(value_MM)
    both = defined_MM[:, :, None] & defined_MM[:, None, :] & np.triu(np.ones((M, M), dtype=bool), 1)
    near = np.abs(value_MM[:, :, None] - value_MM[:, None, :]) <= window
    return np.nonzero(both & near)


def _expected(evaluation: Evaluation, defined_MM: Bools, apart_T: Floats) -> float | None:
    """Root mean square of the differences that a least-squares line of NDR on the measure predicts."""
    value, ndr = evaluation.value_MM[defined_MM], evaluation.ndr_MM[defined_MM]
    spread = value.var()
    if spread == 0:
        return None
    slope = float(((value - value.mean()) * (ndr - ndr.mean())).mean() / spread)
    return float(np.sqrt(np.mean((slope * apart_T) ** 2)))
