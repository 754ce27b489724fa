"""What can be said of a reward model alone, with no golden beside it: how its scores spread, and what they follow.

Reward variance is METHOD's measure of that name (arXiv 2503.15477); the correlation with response length is taken
within prompts, where an optimiser chooses, and then averaged over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.formulas import reward_variance, spearman
from warehouse.metrics.responses import Responses
from warehouse.stats.bootstrap import Estimate
from warehouse.stats.prompt_means import prompt_means

Floats = NDArray[np.float64]

_REACH = 3.0


@dataclass(frozen=True)
class OfEach:
    """One estimate per reward model, and how many prompts of each were undefined."""

    estimates: tuple[Estimate, ...]
    undefined: tuple[int, ...]
    prompts: int


def reward_variances(cube: ScoreCube, *, replicates: int = 1000, seed: int = 0) -> OfEach:
    """Variance of each reward model's scores within a prompt, as a share of its variance over all of the responses.

    Undefined for a reward model that scores all responses alike.
    """
    responses = Responses(cube.scores_MPR.transpose(1, 0, 2))
    values, defined = reward_variance(responses, responses)
    return _of_each(values[0, :, 0, :], defined[:, 0, :], replicates, seed)


def length_correlations(
    cube: ScoreCube, tokens_PR: NDArray[np.integer], *, replicates: int = 1000, seed: int = 0
) -> OfEach:
    """Spearman ρ of each reward model's scores with the length in tokens of the responses to one prompt.

    Undefined on prompts whose responses are all of one length, or all scored alike. Raises InvalidChoice for lengths
    of other responses.
    """
    if tokens_PR.shape != cube.scores_MPR.shape[1:]:
        raise InvalidChoice(f"lengths are {tokens_PR.shape}, scores of {cube.scores_MPR.shape[1:]}; they have to agree")
    lengths = Responses(tokens_PR[:, None, :].astype(np.float64))
    values, defined = spearman(lengths, Responses(cube.scores_MPR.transpose(1, 0, 2)))
    return _of_each(values[0, :, 0, :], defined[:, 0, :], replicates, seed)


def score_shares(cube: ScoreCube, bins: int = 24) -> tuple[Floats, Floats]:
    """Shares `[M, bins]` of each reward model's responses by standardised score, and the bins' edges `[bins + 1]`.

    Standardised: about the reward model's mean and by its standard deviation over all responses. What lies beyond 3
    is counted in the end bins. A reward model that scores all alike has all of them at 0.
    """
    if bins < 1:
        raise InvalidChoice(f"bins is {bins}; it has to be 1 or more")
    scores = cube.scores_MPR.reshape(len(cube.reward_models), -1).astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    centred = scores - scores.mean(axis=1, keepdims=True)
    standard = np.divide(centred, spread, out=np.zeros_like(scores), where=spread > 1e-12)
    edges = np.linspace(-_REACH, _REACH, bins + 1)
    inside = np.clip(standard, -_REACH, _REACH)
    return np.stack([np.histogram(row, edges)[0] / len(row) for row in inside]), edges


def _of_each(values_PM: Floats, defined_PM: NDArray[np.bool_], replicates: int, seed: int) -> OfEach:
    estimates = prompt_means(values_PM, defined_PM, replicates=replicates, seed=seed)
    return OfEach(estimates, tuple(int(count) for count in (~defined_PM).sum(axis=0)), len(values_PM))
