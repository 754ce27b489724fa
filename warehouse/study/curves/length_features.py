"""Whether responses end and how long they are, of π_0 and of optimised policies: what `length_share` explains by.

METHOD, "Length and finishing". The features of a response, fixed before any run was looked at: whether it ends by
itself, log length and log² length. An answer that is cut off is another thing than a long one; a tenth more matters as
much at 10 tokens as at 60; and the square is for scores that are best at a middle length, of which a line sees nothing.

The policy of an optimiser by weighting has the expected features under its picks or weights, another one those of its
own responses, the mean over its repeats.

Shapes: `K` features, `S` strengths, `M` reward models, `Q` RL-test prompts, `R` responses of π_0 to a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.metrics.cube import ScoreCube, best_of_n_of_cube
from warehouse.metrics.policies.tilted import tilted_values
from warehouse.stats.bootstrap import Bools, Floats
from warehouse.study.curves.value_curves import ValueCurves

FEATURES = ("finished", "log length", "log² length")

APART, APART_SHARE = 2.0, 0.1
"""Two responses are of like length if they differ by at most so many tokens, or this share of the policy's."""


class Answers(NamedTuple):
    """Which responses end by themselves, and their lengths, both `[P, R]`; what is beyond a prompt's count is 0.

    `unit` is `tokens`, or `characters` where nobody counted tokens; then all are taken to end, as it is not known.
    """

    finished_PR: Bools
    lengths_PR: Floats
    unit: str


class Matched(NamedTuple):
    """A policy's responses against those of π_0 to the same prompt that end or not as they do, of like length.

    Means over all its responses to a prompt, those without a match counting 0: `difference_MMQ[g, m, q]`, how much
    better to golden `g` the responses of the policy optimised against `m` are than the mean of their matches, in the
    golden's units; `share_MQ`, which share of them has a match.
    """

    difference_MMQ: Floats
    share_MQ: Floats


@dataclass(frozen=True)
class PolicyFeatures:
    """Features of π_0's responses `[K, Q, R]` and of the policies of curves `[S, K, M, Q]`, on the curves' prompts.

    `samples` are the scores of π_0's responses to the same prompts; `matched` is at the last strength, None: unknown.
    """

    samples: ScoreCube
    initial_KQR: Floats
    policies_SKMQ: Floats
    unit: str
    matched: Matched | None = None

    @property
    def initial_KQ(self) -> Floats:
        """Mean features of π_0's responses to each prompt."""
        inside_QR = self.samples.is_response_PR
        means_KQ: Floats = np.where(inside_QR, self.initial_KQR, 0.0).sum(axis=2) / self.samples.counts_P
        return means_KQ


def features(finished: ArrayLike, lengths: ArrayLike) -> Floats:
    """The features `[K, …]` of responses, from whether they end and how long they are, of any one shape."""
    log = np.log(np.maximum(np.asarray(lengths, dtype=np.float64), 1.0))
    return np.stack([np.asarray(finished, dtype=np.float64), log, log**2])


def expected_along(
    curves: ValueCurves, samples: ScoreCube, quantities_KPR: ArrayLike, strengths: Sequence[float] = ()
) -> Floats:
    """Expectations `[S, K, M, Q]` of quantities of π_0's responses under the policies of an optimiser by weighting.

    `samples` are the scores of all RL-test responses, of the curves' reward models, and so are the quantities; without
    `strengths` those of the curves.
    """
    places, strengths = _places(samples, curves.values[0].prompts), strengths or curves.strengths
    if curves.optimizer == "bon":
        return best_of_n_of_cube(samples, [int(n) for n in strengths], places, quantities_KPR)
    return tilted_values(samples, strengths, places, quantities_KPR)


def weighted_features(curves: ValueCurves, samples: ScoreCube, answers: Answers) -> PolicyFeatures:
    """Features of the policies of best-of-n or tilting, from the scores of all RL-test responses and how these end."""
    features_KPR = features(answers.finished_PR, answers.lengths_PR)
    places = _places(samples, curves.values[0].prompts)
    return PolicyFeatures(
        samples=samples.of_prompts(places),
        initial_KQR=features_KPR[:, places],
        policies_SKMQ=expected_along(curves, samples, features_KPR),
        unit=answers.unit,
    )


def weighted_matches(curves: ValueCurves, samples: ScoreCube, answers: Answers) -> Matched:
    """The matched responses of the policies of best-of-n or tilting at the last strength, `[M, M, Q]` and `[M, Q]`.

    A response is matched with the others to its prompt; the differences are (N − 1)/N of those, as each of N samples is
    picked over some of the others, which are the worse for it: where all N are alike it is the plain gain.
    """
    M, P, R = samples.scores_MPR.shape
    quantities = np.zeros((M + 1, P, R))
    for p, count in enumerate(samples.counts_P):
        finished_R, lengths_R = answers.finished_PR[p, :count], answers.lengths_PR[p, :count]
        alike_RR = _alike(finished_R, lengths_R, finished_R, lengths_R) & ~np.eye(count, dtype=bool)
        scores_MR = samples.scores_MPR[:, p, :count]
        quantities[:M, p, :count] = _above_matches(scores_MR, scores_MR, alike_RR) * (count - 1) / count
        quantities[M, p, :count] = alike_RR.any(axis=1)
    expected_KMQ = expected_along(curves, samples, quantities, curves.strengths[-1:])[0]
    return Matched(expected_KMQ[:M], expected_KMQ[M])


class Answered(NamedTuple):
    """Scores of a policy's responses and how they end and how long they are."""

    scores: ScoreCube
    answers: Answers


def matched_responses(own: Answered, initial: Answered, prompts: Sequence[str]) -> Matched:
    """The responses of a policy of one reward model against π_0's to these prompts: `[M, 1, Q]` and `[1, Q]`.

    Both have scores of the same M reward models. A prompt that the policy did not answer has no match.
    """
    M, Q = len(own.scores.reward_models), len(prompts)
    difference_MMQ, share_MQ = np.zeros((M, 1, Q)), np.zeros((1, Q))
    own_places, initial_places = (
        {name: place for place, name in enumerate(of.scores.prompts)} for of in (own, initial)
    )
    for q, name in enumerate(prompts):
        if name not in own_places:
            continue
        (scores_ML, finished_L, lengths_L), (scores_MR, finished_R, lengths_R) = (
            _to_prompt(of, places[name]) for of, places in ((own, own_places), (initial, initial_places))
        )
        alike_LR = _alike(finished_L, lengths_L, finished_R, lengths_R)
        difference_MMQ[:, 0, q] = _above_matches(scores_ML, scores_MR, alike_LR).mean(axis=1)
        share_MQ[0, q] = alike_LR.any(axis=1).mean()
    return Matched(difference_MMQ, share_MQ)


class _ToPrompt(NamedTuple):
    """Scores `[M, R]` of the responses to one prompt, and how they end `[R]`."""

    scores_MR: NDArray[np.float32]
    finished_R: Bools
    lengths_R: Floats


def _to_prompt(of: Answered, place: int) -> _ToPrompt:
    count = int(of.scores.counts_P[place])
    scores_MR = of.scores.scores_MPR[:, place, :count]
    return _ToPrompt(scores_MR, of.answers.finished_PR[place, :count], of.answers.lengths_PR[place, :count])


def _alike(finished_L: Bools, lengths_L: Floats, finished_R: Bools, lengths_R: Floats) -> Bools:
    """Which of L responses match which of R others: `[L, R]`."""
    most_L = np.maximum(APART, APART_SHARE * lengths_L)
    near_LR = np.abs(lengths_L[:, None] - lengths_R) <= most_L[:, None]
    return near_LR & (finished_L[:, None] == finished_R)


def _above_matches(scores_ML: NDArray[np.float32], scores_MR: NDArray[np.float32], alike_LR: Bools) -> Floats:
    """How far the scores of L responses are above the mean of their matches `[M, L]`; 0 without any."""
    matches_L = alike_LR.sum(axis=1)
    means_ML = scores_MR.astype(np.float64) @ alike_LR.T / np.maximum(matches_L, 1)
    above_ML: Floats = np.where(matches_L > 0, scores_ML - means_ML, 0.0)
    return above_ML


def _places(samples: ScoreCube, prompts: Sequence[str]) -> NDArray[np.int64]:
    number = {name: place for place, name in enumerate(samples.prompts)}
    return np.array([number[name] for name in prompts])
