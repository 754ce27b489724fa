"""Responses made of numbers, of which it is known how much of a gain their length and finishing explain."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.warehouse.study.simulate import cube_of
from warehouse.metrics.cube import PolicyValues, ScoreCube, spread_within_prompts
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.study.curves.length_features import (
    Answered,
    Answers,
    Matched,
    PolicyFeatures,
    features,
    matched_responses,
    weighted_features,
    weighted_matches,
)
from warehouse.study.curves.length_share import LengthShare, length_share
from warehouse.study.curves.value_curves import ValueCurves

Floats = NDArray[np.float64]
MOST_TOKENS = 64.0
N_OF = 8
M = 8


class Planted(NamedTuple):
    """Curves of one strength with their features, and the reward models' spread."""

    curves: ValueCurves
    features: PolicyFeatures
    spread_M: Floats

    def measured(self, replicates: int = 200, seed: int = 0) -> LengthShare:
        return length_share(self.curves, self.features, self.spread_M, replicates=replicates, seed=seed)


def responses(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Answers, Floats]:
    """Lengths cut off at a most, whether that happened, and what it adds to a score, best at a middle length."""
    tokens = np.round(np.exp(rng.normal(3.2, 0.6, shape))).clip(1.0, MOST_TOKENS)
    finished = tokens < MOST_TOKENS
    worth = 1.2 * finished - (np.log(tokens) - 3.4) ** 2
    return Answers(finished, tokens, "tokens"), (worth - 0.7) / 0.75


class _ScoredBy:
    """Reward models that like length and quality, each in its own measure, and have noise of their own.

    Length has this share of what they have in common. Quality has the same distribution as what length adds, so that
    half of the gain is length's at a share of ½.
    """

    def __init__(self, rng: np.random.Generator, share: float) -> None:
        self._rng = rng
        parts_2 = np.sqrt([share, 1 - share])
        self._weight_2M = parts_2[:, None] * np.exp(0.4 * rng.standard_normal((2, M)))
        self._noise_M = rng.uniform(0.4, 1.6, M)

    def __call__(self, prompts: Floats, shape: tuple[int, ...]) -> tuple[Answers, Floats]:
        """Responses and their scores `[M, …]`; `prompts` are what a prompt adds to all scores."""
        answers, worth = responses(self._rng, shape)
        _, quality = responses(self._rng, shape)
        common = np.tensordot(self._weight_2M.T, np.stack([worth, quality]), axes=1) + prompts
        noise_M = self._noise_M.reshape(-1, *(1 for _ in shape))
        return answers, common + noise_M * self._rng.standard_normal((M, *shape))


def planted(share: float, seed: int, *, optimizer: str = "bon", Q: int = 60, N: int = 16) -> Planted:
    """Policies of best-of-n, or (of any other name) with four responses of their own, each the best of eight."""
    rng = np.random.default_rng((3, seed))
    scored = _ScoredBy(rng, share)
    of_prompt_Q = rng.standard_normal(Q)
    answers, scores_MQN = scored(of_prompt_Q[:, None], (Q, N))
    cube = cube_of(scores_MQN)
    if optimizer == "bon":
        values_MMQ = best_of_n_values(cube.scores_MPR, [N_OF])[0]
        curves = curves_of(cube, values_MMQ, optimizer, N_OF)
        whole = weighted_features(curves, cube, answers)
        matched = weighted_matches(curves, cube, answers)
        return Planted(curves, replace(whole, matched=matched), spread_within_prompts(cube))
    own, candidates_MQJN = scored(of_prompt_Q[:, None, None], (Q, 4, N_OF))
    values_MMQ, policies_KMQ = np.empty((M, M, Q)), np.empty((3, M, Q))
    difference_MMQ, share_MQ = np.empty((M, M, Q)), np.empty((M, Q))
    for m in range(M):
        best_QJ1 = candidates_MQJN[m].argmax(axis=2)[..., None]
        finished_QJ, tokens_QJ = (np.take_along_axis(part, best_QJ1, axis=2)[..., 0] for part in own[:2])
        picked_MQJ = np.take_along_axis(candidates_MQJN, best_QJ1[None], axis=3)[..., 0]
        values_MMQ[:, m] = picked_MQJ.mean(axis=2)
        policies_KMQ[:, m] = features(finished_QJ, tokens_QJ).mean(axis=2)
        of_policy = Answered(cube_of(picked_MQJ), Answers(finished_QJ, tokens_QJ, "tokens"))
        matched = matched_responses(of_policy, Answered(cube, answers), cube.prompts)
        difference_MMQ[:, m], share_MQ[m] = matched.difference_MMQ[:, 0], matched.share_MQ[0]
    initial_KQN = features(answers.finished_PR, answers.lengths_PR)
    found = PolicyFeatures(cube, initial_KQN, policies_KMQ[None], "tokens", Matched(difference_MMQ, share_MQ))
    return Planted(curves_of(cube, values_MMQ, optimizer, 8), found, spread_within_prompts(cube))


def curves_of(cube: ScoreCube, values_MMQ: Floats, optimizer: str, strength: float) -> ValueCurves:
    """Curves of one strength on the prompts of a cube whose prompts have equally many responses."""
    values = PolicyValues(
        initial_MQ=cube.scores_MPR.mean(axis=2, dtype=np.float64),
        optimised_MMQ=values_MMQ,
        reward_models=cube.reward_models,
        prompts=cube.prompts,
        categories=cube.categories,
        subsets=cube.subsets,
    )
    return ValueCurves(optimizer, (float(strength),), np.ones((1, len(cube.reward_models))), "bound", (values,))
