"""From plain arrays to the two inputs of `evaluate`, for a notebook without a warehouse.

cube = score_cube(scores_MPR)
values = best_of_n_policies(samples_MQN, n=16)
evaluate(cube, values).correlations["kendall"]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.best_of_n import best_of_n_values
from warehouse.metrics.cube import PolicyValues, ScoreCube

_ONE_CATEGORY = "all"


def score_cube(
    scores_MPR: ArrayLike,
    *,
    reward_models: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    subsets: Sequence[str] | None = None,
) -> ScoreCube:
    """A cube of M reward models' scores of R responses to P prompts; names are made up where none are given.

    Raises InvalidChoice for scores that are not finite, too few of them, or names that do not fit.
    """
    scores = _finite(scores_MPR, "scores").astype(np.float32)
    M, P, R = scores.shape
    if M < 2 or P < 2 or R < 2:
        raise InvalidChoice(f"scores have shape {scores.shape}; they take 2 reward models, 2 prompts and 2 responses")
    return ScoreCube(
        scores,
        _names(reward_models, M, "reward_models", "rm-{}"),
        _names(prompts, P, "prompts", "prompt-{}"),
        _names(categories, P, "categories", _ONE_CATEGORY),
        _names(subsets, P, "subsets", _ONE_CATEGORY),
    )


def best_of_n_policies(
    samples_MQN: ArrayLike,
    n: int,
    *,
    reward_models: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    subsets: Sequence[str] | None = None,
) -> PolicyValues:
    """Values of best-of-n against each of M reward models, from their scores of N samples for each of Q prompts.

    Raises InvalidChoice as `score_cube` does, and for an n that is not from 1 to N.
    """
    samples = _finite(samples_MQN, "samples")
    M, Q, _ = samples.shape
    return PolicyValues(
        samples.mean(axis=2),
        best_of_n_values(samples, [n])[0],
        _names(reward_models, M, "reward_models", "rm-{}"),
        _names(prompts, Q, "prompts", "prompt-{}"),
        _names(categories, Q, "categories", _ONE_CATEGORY),
        _names(subsets, Q, "subsets", _ONE_CATEGORY),
    )


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3:
        raise InvalidChoice(f"{what} have {array.ndim} axes; they take reward models × prompts × responses")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(number) for number in wrong[0])
        raise InvalidChoice(f"{what} are {array[place]} at {place}, {len(wrong)} in all are not finite; leave them out")
    return array


def _names(given: Sequence[str] | None, count: int, what: str, pattern: str) -> tuple[str, ...]:
    if given is None:
        return tuple(pattern.format(number) for number in range(count))
    if len(given) != count:
        raise InvalidChoice(f"{len(given)} {what} for {count}; give one each")
    return tuple(given)
