"""How many more prompts or responses would separate two reward models that the data cannot tell apart.

Reuses `study.power`: the variance of the difference over prompts, and how it falls with the responses to each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.policies.best_of_n import best_of_n_gap
from warehouse.stats.bootstrap import Floats
from warehouse.study.choice.worth import Worth
from warehouse.study.power import POWER, Draws, Resolution, Terms, resolution

MATTERS = {"sd": 0.05, "share": 0.02, "measure": 0.01}
"""By unit, the smallest difference that matters unless somebody says otherwise."""

_MOST_TIMES = 32


@dataclass(frozen=True)
class Separating:
    """What would tell two reward models apart, compared with each other alone, with 80 % power at a two-sided 5 %.

    `difference` is the one seen, `matters` the smallest that matters. `prompts` detect the one seen with as many
    responses as now, `prompts_for_matters` the other; None: more than can be had, or no number. `responses` to each of
    the prompts of now would do as well, None: unknown or no number. `responses_now` is None if they are not counted.
    """

    first: str
    second: str
    difference: float
    matters: float
    detectable: float | None
    prompts_now: int
    prompts: int | None
    prompts_for_matters: int | None
    responses_now: int | None
    responses: int | None


def separating(worth: Worth, first: str, second: str, draws: Draws | None = None, seed: int = 0) -> Separating:
    """For two candidates. `draws` is the same difference by the responses used (`best_of_n_draws`), if that is known.

    Raises InvalidChoice for fewer than two prompts.
    """
    a, b = worth.candidates.index(first), worth.candidates.index(second)
    difference_Q = worth.values_MQ[a] - worth.values_MQ[b]
    resolved = resolution(draws or _fixed(difference_Q), seed)
    difference, matters = float(difference_Q.mean()), MATTERS[worth.unit]
    return Separating(
        first=first,
        second=second,
        difference=difference,
        matters=matters,
        detectable=resolved.detectable(),
        prompts_now=resolved.prompts,
        prompts=resolved.prompts_for(difference) if difference else None,
        prompts_for_matters=resolved.prompts_for(matters),
        responses_now=resolved.responses if draws is not None else None,
        responses=_responses_for(resolved, difference) if draws is not None and difference else None,
    )


def best_of_n_draws(
    first_QN: NDArray[np.floating],
    second_QN: NDArray[np.floating],
    truths_KQN: NDArray[np.floating],
    n: int,
) -> Draws:
    """The difference of two best-of-n policies by the samples used; `truths_KQN` are K goldens on one scale.

    Several goldens count as their mean. All prompts have N samples.
    """
    truth_QN: Floats = np.asarray(truths_KQN, dtype=np.float64).mean(axis=0)
    Q, N = truth_QN.shape

    def terms(columns: NDArray[np.int64]) -> Terms:
        parts = (array[:, columns] for array in (truth_QN, first_QN, second_QN))
        truth_Qr, first_Qr, second_Qr = parts
        return Terms(best_of_n_gap(truth_Qr[None], first_Qr, second_Qr, n), np.ones((1, Q)))

    return Draws(goldens=("golden",), undefined_goldens=(), responses=N, fewest=n, order=n, terms=terms)


def _fixed(difference_Q: Floats) -> Draws:
    """A difference whose number of responses cannot vary."""
    terms = Terms(difference_Q[None], np.ones((1, len(difference_Q))))
    return Draws(("golden",), (), responses=1, fewest=1, order=1, terms=lambda _: terms)


def _responses_for(resolved: Resolution, difference: float) -> int | None:
    """The fewest responses a prompt, in doublings, with which the prompts of now show the difference."""
    times = 2
    while times <= _MOST_TIMES:
        needed = resolved.prompts_for(difference, POWER, resolved.responses * times)
        if needed is not None and needed <= resolved.prompts:
            return resolved.responses * times
        times *= 2
    return None
