"""A measure on a test set against an optimizer: error, NDR and their correlations over all golden–proxy pairs.

METHOD, "Correlation of error with regret". Every figure carries a 95 % percentile bootstrap interval in which reward
models, RM-test prompts and RL-test prompts are drawn with replacement together; a pair of a reward model with itself
is no pair, also when it was drawn twice. A replicate with fewer than three distinct reward models has two pairs, which
correlate perfectly whatever they say: it is left out, and `Estimate.replicates` is the less. Per-prompt terms are made
once (`prepare`); a replicate only re-weights them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures import correlation, regret
from warehouse.measures.cube import PolicyValues, ScoreCube
from warehouse.measures.rm_error import MEASURES, Measure, Responses
from warehouse.measures.test_set import TestSet, chosen_prompts, chosen_scores, prompts_in

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CORRELATIONS = ("kendall", "spearman", "pearson", "mrr")
_DECIMALS = 12  # a symmetric measure ties (g, m) with (m, g); the last bits of a matrix product must not break the tie
_FEWEST_MODELS = 3
_BY_WEIGHT: Mapping[str, Callable[[Floats, Floats, Floats], correlation.Figure]] = {
    "kendall": correlation.kendall,
    "spearman": correlation.spearman,
    "pearson": correlation.pearson,
}


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where undefined. `replicates` counts those in which it was defined."""

    value: float | None
    low: float | None
    high: float | None
    replicates: int


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` finds. Matrices are `[golden, proxy]`; entries that are not defined are 0, never NaN.

    `correlations` are over all defined pairs, `within` are taken within each golden and then averaged.
    `undefined_pairs` counts off-diagonal pairs without NDR or error, `undefined_prompts` the (pair, prompt) cells on
    which the measure says nothing.
    """

    measure: str
    error_MM: Floats
    error_defined_MM: Bools
    ndr_MM: Floats
    ndr_defined_MM: Bools
    correlations: Mapping[str, Estimate]
    within: Mapping[str, Estimate]
    undefined_pairs: int
    undefined_prompts: int
    prompts_used: int
    rl_prompts_used: int
    replicates: int
    seed: int
    resampled: str


@dataclass(frozen=True)
class PromptTerms:
    """A measure's contribution of each chosen prompt, `[T, P, M, M]`: what every re-weighting starts from."""

    measure: Measure
    terms_TPMM: Floats

    def errors(self, weights_BP: Floats) -> tuple[Floats, Bools]:
        """Errors `[B, M, M]` and where they are defined, for each row of prompt weights."""
        T, P, M, _ = self.terms_TPMM.shape
        totals = weights_BP @ self.terms_TPMM.reshape(T, P, M * M)
        value, defined = self.measure.combine(totals.reshape(T, len(weights_BP), M, M))
        return np.round(value, _DECIMALS), defined


def prepare(cube: ScoreCube, measure: str, responses: int | None = None) -> PromptTerms:
    """The terms of all prompts of the cube. Raises UnknownName, and InvalidChoice for a number of responses."""
    if measure not in MEASURES:
        raise UnknownName(f"no measure {measure!r}; there are {', '.join(MEASURES)}")
    scores = chosen_scores(cube, TestSet(responses=responses))
    return PromptTerms(MEASURES[measure], MEASURES[measure].terms(Responses(scores)))


def evaluate(
    cube: ScoreCube,
    values: PolicyValues,
    *,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: PromptTerms | None = None,
) -> Evaluation:
    """Measure every proxy on the test set, value every policy on the RL-test prompts, and correlate the two.

    `prepared` are the terms of `prepare(cube, measure, test_set.responses)`, made here if they are not given.
    Raises UnknownName and InvalidChoice for choices that the arrays cannot satisfy.
    """
    test_set = test_set or TestSet()
    if cube.reward_models != values.reward_models:
        raise InvalidChoice(f"scores are of {cube.reward_models}, values of {values.reward_models}; they have to agree")
    if replicates < 1:
        raise InvalidChoice(f"replicates is {replicates}; it has to be 1 or more")
    terms = prepared or prepare(cube, measure, test_set.responses)
    chosen = chosen_prompts(cube, test_set)
    rl_chosen = prompts_in(values.categories, values.subsets, rl_categories, None, "RL-test")
    draws = _Draws.make(
        len(cube.reward_models), len(cube.prompts), chosen, len(values.prompts), rl_chosen, replicates, seed
    )

    error_BMM, error_defined_BMM = terms.errors(draws.rm_prompts_BP)
    gains_BMM = regret.gains(values, draws.rl_prompts_BQ)
    ndr_BMM, ndr_defined_BMM = regret.ndr(gains_BMM, regret.goldens_that_gain(gains_BMM[1:]))
    there_BMM = error_defined_BMM & ndr_defined_BMM
    pooled, within = _correlate(error_BMM, ndr_BMM, there_BMM, draws.models_BM)

    M = len(cube.reward_models)
    off_diagonal = ~np.eye(M, dtype=bool)
    said_PMM = np.any(terms.terms_TPMM[:, chosen] != 0, axis=0)
    return Evaluation(
        measure=terms.measure.name,
        error_MM=error_BMM[0],
        error_defined_MM=error_defined_BMM[0] & off_diagonal,
        ndr_MM=ndr_BMM[0],
        ndr_defined_MM=ndr_defined_BMM[0],
        correlations={name: _estimate(*pooled[name]) for name in CORRELATIONS},
        within={name: _estimate(*within[name]) for name in _BY_WEIGHT},
        undefined_pairs=int((off_diagonal & ~there_BMM[0]).sum()),
        undefined_prompts=int((~said_PMM & off_diagonal).sum()),
        prompts_used=len(chosen),
        rl_prompts_used=len(rl_chosen),
        replicates=replicates,
        seed=seed,
        resampled="reward models × prompts",
    )


@dataclass(frozen=True)
class _Draws:
    """How often each reward model and prompt stands in each replicate; row 0 is the sample itself."""

    models_BM: Floats
    rm_prompts_BP: Floats
    rl_prompts_BQ: Floats

    @staticmethod
    def make(
        M: int, P: int, chosen: NDArray[np.int64], Q: int, rl_chosen: NDArray[np.int64], replicates: int, seed: int
    ) -> _Draws:
        rng = np.random.default_rng(seed)
        return _Draws(
            _resample(rng, M, np.arange(M), replicates),
            _resample(rng, P, chosen, replicates),
            _resample(rng, Q, rl_chosen, replicates),
        )


def _resample(rng: np.random.Generator, size: int, chosen: NDArray[np.int64], replicates: int) -> Floats:
    counts = np.zeros((replicates + 1, size))
    counts[0, chosen] = 1.0
    counts[1:, chosen] = rng.multinomial(len(chosen), np.full(len(chosen), 1.0 / len(chosen)), size=replicates)
    return counts


def _correlate(
    error_BMM: Floats, ndr_BMM: Floats, there_BMM: Bools, models_BM: Floats
) -> tuple[dict[str, correlation.Figure], dict[str, correlation.Figure]]:
    """The correlations of every replicate, pooled over all pairs and averaged over goldens."""
    B, M, _ = error_BMM.shape
    off_diagonal = ~np.eye(M, dtype=bool).ravel()
    weight_BMM = there_BMM * models_BM[:, :, None] * models_BM[:, None, :]
    x, y, w = (array.reshape(B, M * M)[:, off_diagonal] for array in (error_BMM, ndr_BMM, weight_BMM))
    pooled = {name: figure(x, y, w) for name, figure in _BY_WEIGHT.items()}
    pooled["mrr"] = correlation.mrr(error_BMM, ndr_BMM, there_BMM, models_BM)
    told_B = (models_BM > 0).sum(axis=1) >= _FEWEST_MODELS
    rows = [array.reshape(B * M, M - 1) for array in (x, y, w)]
    within = {}
    for name, figure in _BY_WEIGHT.items():
        value, defined = figure(*rows)
        golden_weight = np.where(defined.reshape(B, M), models_BM, 0.0)
        total = golden_weight.sum(axis=1)
        mean = (value.reshape(B, M) * golden_weight).sum(axis=1)
        within[name] = np.divide(mean, total, out=np.zeros_like(mean), where=total > 0), total > 0
    for figures in (pooled, within):
        figures |= {name: (value, defined & told_B) for name, (value, defined) in figures.items()}
    return pooled, within


def _estimate(value_B: Floats, defined_B: Bools) -> Estimate:
    drawn = value_B[1:][defined_B[1:]]
    if not defined_B[0] or len(drawn) == 0:
        return Estimate(None, None, None, len(drawn))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(value_B[0]), float(low), float(high), len(drawn))
