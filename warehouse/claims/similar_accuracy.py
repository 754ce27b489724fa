"""Similar accuracy, different regret: how far apart the policies of reward models end that measure much the same.

Estimated is the mean squared difference in NDR of two proxies of one golden whose true accuracies are within a window.
Both sides are measured with noise, and both noises are taken off.

- NDR: a difference is in units of the golden's own gain in the sample, so that it is a plain mean over RL-test prompts
  whose sampling variance the bootstrap gives. It is subtracted once from the sample's squares, and twice from a
  replicate's, which contain it twice.
- Accuracy: proxies that are alike as measured are, in part, unlike ones that the noise of the RM-test prompts brought
  together. Drawing the prompts again adds that noise once more. So a pair of proxies weighs twice whether it is within
  the window, less how often it is with the noise doubled: what is linear in the noise's variance cancels. That is exact
  where proxies are spread evenly over a few windows; a replicate, whose noise is double, is held against four times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.claims.claim import SHARED, Claim, Finding, Study, Table, pairs_of, resolved_by_interval
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict, above
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.preparation import prepare
from warehouse.metrics.prompt_values import PromptValues
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Bools, Estimate, Floats
from warehouse.study.curves.value_curves import draws, gains
from warehouse.study.evaluate import Evaluation, evaluate

Ints = NDArray[np.int64]

SIMILAR = 0.02
"""Accuracies that differ by no more are similar."""

MUCH = 0.1
"""NDR that differ by more differ much: a tenth of what there is to gain."""


def similar_but_different(study: Study) -> Claim:
    """Reward models of similar accuracy give policies of different regret."""
    findings, rows, shared = [], [], list[str]()
    for policies in study.optimised.values():
        accuracy = prepare(policies.cube)
        evaluation = evaluate(
            policies.cube, policies.values, replicates=study.replicates, seed=study.seed, prepared=accuracy
        )
        similar = regret_of_similar(
            evaluation, accuracy, policies.values, SIMILAR, replicates=study.replicates, seed=study.seed
        )
        size, why = similar.difference, ""
        if size.value is None:
            why = f"no two defined proxies of one golden can be told to have accuracies within {SIMILAR:g}"
        finding = Finding(policies.called, "typical difference in NDR", size, above(size, MUCH), why)
        if evaluation.shared_prompts:
            verdict: Verdict = "undefined" if finding.verdict == "undefined" else CANNOT_BE_TOLD
            findings.append(replace(finding, verdict=verdict))
            shared = [SHARED]
        else:
            findings.append(resolved_by_interval(finding, policies.sizes, MUCH))
        clear = f"{similar.clear} of {similar.pairs}" if similar.pairs else "none"
        rows.append((policies.called, size, similar.expected, clear, round(similar.alike), *pairs_of(evaluation)))
    header = ("policies", "typical difference in NDR", "a straight line gives", "clearly apart", "truly alike")
    return Claim(
        "alike-but-different",
        "Similar accuracy, different regret",
        f"Two proxies of one golden are alike if their true accuracies differ by no more than {SIMILAR:g}. Decided by "
        "the root mean square of their differences in NDR (in units of the golden’s gain in the sample), without what "
        f"the sampling of RL-test and RM-test prompts adds: different if its interval is above {MUCH:g}, not if it is "
        "below.",
        tuple(findings),
        (Table("Proxies of like accuracy under the same golden", (*header, "pairs", "undefined"), tuple(rows)),),
        notes=(
            "With few RM-test prompts, some proxies are alike as measured by chance alone. So the same figure is "
            "computed with the prompts drawn again, which adds their noise once more, and what that changes is taken "
            "off. “A straight line gives”: the figure if NDR followed true accuracy in a straight line. “Clearly "
            "apart”: of the pairs of proxies that are alike as measured, those whose difference has a 95 % interval "
            "without 0; chance alone gives one in twenty. “Truly alike”: the estimated number of pairs that are.",
            *shared,
        ),
    )


@dataclass(frozen=True)
class SimilarRegret:
    """Pairs of proxies whose true measures are similar, over all goldens.

    `difference` is the root mean square of their differences in NDR, freed of the noise of both sides' prompts and, as
    far as it is known, of training;
    `expected` what it would be if NDR followed the true measure in a straight line; `alike` the estimated number of
    these pairs. `pairs` are similar as measured, and `clear` of them have a difference whose own 95 % interval excludes
    0, as one in twenty does by chance alone.
    """

    difference: Estimate
    expected: float | None
    alike: float
    clear: int
    pairs: int


class _Measured(NamedTuple):
    """A measure's values `[B, M golden, M proxy]` and where they are defined."""

    value_BMM: Floats
    defined_BMM: Bools

    def apart(self, golden: int, first: Ints, second: Ints) -> Floats:
        """How far apart two proxies of a golden measure `[B, T]`; infinitely far where one is undefined."""
        apart_BT = np.abs(self.value_BMM[:, golden, first] - self.value_BMM[:, golden, second])
        defined_BT = self.defined_BMM[:, golden, first] & self.defined_BMM[:, golden, second]
        return np.where(defined_BT, apart_BT, np.inf)


class _Noises(NamedTuple):
    """A measure on all prompts, on as many drawn from them, and on each third of those: noise of 1, 2 and 4 times."""

    sample: _Measured
    drawn: _Measured
    thirds: tuple[_Measured, ...]


def regret_of_similar(
    evaluation: Evaluation,
    prepared: PromptValues,
    values: PolicyValues,
    window: float,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> SimilarRegret:
    """Compare the NDR of proxies whose true measures under the same golden differ by no more than `window`.

    `evaluation` and `prepared` are of one measure on the same prompts.
    """
    defined_MM = evaluation.ndr_defined_MM & evaluation.value_defined_MM
    sample, drawn, thirds = _measured(prepared, replicates, seed)
    counts_BQ, goldens_BM, models_BM, _ = draws(len(values.prompts), prepared.roles, replicates, seed)
    gain_BMM = gains(values, np.arange(len(values.prompts)), counts_BQ, training=seed)
    weighted_B, total_B = np.zeros((2, 1 + replicates))  # squared differences in NDR, and weights of pairs
    squares, pairs, clear = 0.0, 0, 0
    for golden in np.flatnonzero(defined_MM.any(axis=1)).tolist():
        proxies = np.flatnonzero(defined_MM[golden])
        first, second = (proxies[side] for side in np.triu_indices(len(proxies), 1))
        unit = gain_BMM[0, golden, golden]
        if evaluation.quantity == "gain" and values.spread_M is not None:
            unit = values.spread_M[golden]
        difference_BT = (gain_BMM[:, golden, first] - gain_BMM[:, golden, second]) / unit
        noise_T = difference_BT[1:].var(axis=0, ddof=1) if replicates > 1 else np.zeros(len(first))
        excess_BT = difference_BT**2 - 2 * noise_T
        excess_BT[0] += noise_T

        apart_1T, apart_BT = (side.apart(golden, first, second) for side in (sample, drawn))
        near_1T, near_BT = apart_1T <= window, apart_BT <= window
        near_often_BT = np.mean([third.apart(golden, first, second) <= window for third in thirds], axis=0)
        weight_BT = np.concatenate([2.0 * near_1T - near_BT.mean(axis=0), 2.0 * near_BT - near_often_BT])
        weight_BT *= goldens_BM[:, [golden]] * models_BM[:, first] * models_BM[:, second]
        weighted_B += (weight_BT * excess_BT).sum(axis=1)
        total_B += weight_BT.sum(axis=1)

        squares += 2 * (apart_1T[near_1T] ** 2).sum() - (apart_BT[near_BT] ** 2).sum() / replicates
        low_T, high_T = bootstrap.interval(difference_BT[1:, near_1T[0]])
        clear += int(((low_T > 0) | (high_T < 0)).sum())
        pairs += int(near_1T.sum())
    square_B = np.divide(weighted_B, total_B, out=np.zeros_like(total_B), where=total_B > 0)
    slope = _slope(evaluation, drawn, defined_MM)
    return SimilarRegret(
        difference=bootstrap.first_with_interval(np.sqrt(np.maximum(square_B, 0.0)), total_B > 0),
        expected=abs(slope) * float(np.sqrt(max(squares / total_B[0], 0.0))) if slope and total_B[0] > 0 else None,
        alike=float(max(total_B[0], 0.0)),
        clear=clear,
        pairs=pairs,
    )


def _measured(prepared: PromptValues, replicates: int, seed: int) -> _Noises:
    """The measure on all P prompts, and on P drawn from them in each replicate."""
    P = prepared.values_TPC.shape[1]
    rng = bootstrap.generator(seed, bootstrap.RM_PROMPTS, "thirds")
    third_KBP = rng.multinomial(max(1, round(P / 3)), np.full(P, 1 / P), size=(3, replicates)).astype(np.float64)

    def measured(counts_BP: Floats) -> _Measured:
        value_BC, defined_BC = prepared.overall(counts_BP)
        return _Measured(value_BC[:, prepared.column_MM].astype(np.float64), defined_BC[:, prepared.column_MM])

    drawn = measured(third_KBP.sum(axis=0))
    return _Noises(measured(np.ones((1, P))), drawn, tuple(measured(third) for third in third_KBP))


def _slope(evaluation: Evaluation, drawn: _Measured, defined_MM: Bools) -> float | None:
    """Slope of NDR on the true measure over all pairs: least squares without the variance of the measure's noise.

    None if the measured values differ by no more than their noise.
    """
    value, ndr = evaluation.value_MM[defined_MM], evaluation.ndr_MM[defined_MM]
    if not len(value):
        return None
    noise = drawn.value_BMM[:, defined_MM].var(axis=1).mean() - value.var()
    spread = value.var() - max(0.0, noise)
    return float(((value - value.mean()) * (ndr - ndr.mean())).mean() / spread) if spread > 0 else None
