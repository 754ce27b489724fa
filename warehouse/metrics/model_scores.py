"""What the scores of reward models say on their own, without policies: their spread, their length bias, and agreement.

Reward variance is METHOD's measure of that name (arXiv 2503.15477). The correlation with response length is computed
within prompts, which is where an optimiser chooses, and then averaged over prompts. Agreement is the study's accuracy
of one reward model with another one as golden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.formulas import Terms, reward_variance, spearman
from warehouse.metrics.preparation import variances
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.responses import Bools, Floats, Responses
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate

_LARGEST_SHOWN = 3.0
_FEWEST_RESPONSES = 2


@dataclass(frozen=True)
class ModelEstimates:
    """One estimate for each reward model, and on how many of the prompts each was undefined."""

    estimates: tuple[Estimate, ...]
    undefined: tuple[int, ...]
    prompts: int


@dataclass(frozen=True)
class Agreement:
    """Accuracy `[M golden, M proxy]` with its 95 % interval over prompts; undefined entries are 0.

    Undefined are the diagonal and pairs whose golden orders no responses, in the sample or in every replicate.
    """

    share_MM: Floats
    low_MM: Floats
    high_MM: Floats
    defined_MM: Bools


def reward_variances(cube: ScoreCube, *, replicates: int = 1000, seed: int = 0) -> ModelEstimates:
    """Variance of each reward model's scores within a prompt, as a share of its variance over all responses.

    Undefined for a reward model that gives all responses the same score.
    """
    variance_M = variances(cube)

    def terms(scores_PMR: NDArray[np.floating], _: NDArray[np.int64]) -> Terms:
        responses = Responses(scores_PMR, variance_M)
        return reward_variance(Responses(scores_PMR[:, :1]), responses)

    return _model_estimates(cube, terms, replicates, seed)


def length_correlations(
    cube: ScoreCube, given_PR: NDArray[np.integer | np.floating], *, replicates: int = 1000, seed: int = 0
) -> ModelEstimates:
    """Spearman ρ of each reward model's scores with the lengths, in any unit, of the responses to one prompt.

    Undefined on prompts whose responses all have the same length or the same score. Raises InvalidChoice for lengths
    whose shape does not match the scores.
    """
    if given_PR.shape != cube.scores_MPR.shape[1:]:
        raise InvalidChoice(f"lengths are {given_PR.shape}, scores of {cube.scores_MPR.shape[1:]}; they have to agree")

    def terms(scores_PMR: NDArray[np.floating], prompts: NDArray[np.int64]) -> Terms:
        lengths_PR = given_PR[prompts, : scores_PMR.shape[2]].astype(np.float64)
        return spearman(Responses(lengths_PR[:, None, :]), Responses(scores_PMR))

    return _model_estimates(cube, terms, replicates, seed)


def _model_estimates(
    cube: ScoreCube,
    terms: Callable[[NDArray[np.floating], NDArray[np.int64]], Terms],
    replicates: int,
    seed: int,
) -> ModelEstimates:
    """Means over prompts of terms that are the same for every golden.

    `terms` is given the scores `[P, M, R]` of prompts with equally many responses, two or more, and their numbers.
    """
    M, P, _ = cube.scores_MPR.shape
    values_PM, defined_PM = np.zeros((P, M)), np.zeros((P, M), dtype=bool)
    for count, prompts in cube.by_count(least=_FEWEST_RESPONSES):
        values, defined = terms(cube.scores_MPR[:, prompts, :count].transpose(1, 0, 2), prompts)
        values_PM[prompts], defined_PM[prompts] = values[0, :, 0], defined[:, 0]
    estimates = bootstrap.prompt_means(values_PM, defined_PM, replicates=replicates, seed=seed)
    return ModelEstimates(estimates, tuple(int(count) for count in (~defined_PM).sum(axis=0)), len(values_PM))


def score_shares(cube: ScoreCube, bins: int = 24) -> tuple[Floats, Floats]:
    """Shares `[M, bins]` of each reward model's responses by standardised score, and the bins' edges `[bins + 1]`.

    Scores are centred on the reward model's mean and divided by its standard deviation over all responses; beyond ±3
    they count in the end bins. A reward model that gives all responses the same score has all of them at 0.
    """
    if bins < 1:
        raise InvalidChoice(f"bins is {bins}; it has to be 1 or more")
    scores = cube.scores_MPR[:, cube.is_response_PR].astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    centred = scores - scores.mean(axis=1, keepdims=True)
    standard = np.divide(centred, spread, out=np.zeros_like(scores), where=spread > 1e-12)
    edges = np.linspace(-_LARGEST_SHOWN, _LARGEST_SHOWN, bins + 1)
    shown = np.clip(standard, -_LARGEST_SHOWN, _LARGEST_SHOWN)
    return np.stack([np.histogram(row, edges)[0] / len(row) for row in shown]), edges


def agreement(
    values: PromptValues, prompts: NDArray[np.int64] | None = None, *, replicates: int = 1000, seed: int = 0
) -> Agreement:
    """Accuracy of every reward model on the pairs that every other one orders; the diagonal is undefined.

    `values` are those of `prepare(cube, "accuracy")`, `prompts` the numbers `[prompts]` of those to use (default: all).
    """
    M = len(values.column_MM)
    if M < 2:  # there are no pairs, and no columns of them
        nothing = np.zeros((M, M))
        return Agreement(nothing, nothing, nothing, np.zeros((M, M), dtype=bool))
    chosen = np.arange(values.values_TPC.shape[1]) if prompts is None else prompts
    share_C, defined_C = (array[0] for array in values.overall(np.ones((1, len(chosen))), chosen))
    counts_BP = bootstrap.counts(len(chosen), replicates, seed, bootstrap.RM_PROMPTS)
    share_BC, defined_BC = values.overall(counts_BP, chosen)
    defined_C &= defined_BC.any(axis=0)
    low_C, high_C = bootstrap.interval(share_BC)
    for c in np.flatnonzero(defined_C & ~defined_BC.all(axis=0)):  # a replicate without ordered pairs says nothing
        low_C[c], high_C[c] = bootstrap.interval(share_BC[defined_BC[:, c], c])
    defined_MM = defined_C[values.column_MM] & values.roles.pairs_MM
    share_MM, low_MM, high_MM = (
        np.where(defined_MM, array_C[values.column_MM], 0.0).astype(np.float64) for array_C in (share_C, low_C, high_C)
    )
    return Agreement(share_MM, low_MM, high_MM, defined_MM)
