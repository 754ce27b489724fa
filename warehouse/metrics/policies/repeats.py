"""Policies that were optimised several times, with different seeds: what each repeat is worth beside their mean.

The value of an optimiser with a reward model is its expected value over seeds (and prompts), estimated by the mean over
the repeats that finished. How these differ says how much of the mean is training noise (`study.training_noise`).

Shapes: `T` repeats (trainings), `M` reward models, `Q` RL-test prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Repeats:
    """How the repeats differ from their mean, per prompt.

    `deviations_TMMQ[t, g, m, q]`: golden `g`'s value of repeat `t` of the policy optimised against reward model `m`,
    minus the mean over the repeats of that policy; 0 where `present_TM` says that there is no such repeat.
    """

    deviations_TMMQ: NDArray[np.float64]
    present_TM: NDArray[np.bool_]

    @property
    def count_M(self) -> NDArray[np.int64]:
        """How many repeats the policy of each reward model has, `[M]`."""
        counts_M: NDArray[np.int64] = self.present_TM.sum(axis=0)
        return counts_M

    def of_reward_models(self, rows: Sequence[int]) -> Repeats:
        """Those of some reward models, given by their numbers."""
        return Repeats(self.deviations_TMMQ[:, rows][:, :, rows], self.present_TM[:, rows])

    def among(self, optimised_M: NDArray[np.bool_]) -> Repeats:
        """The same with a place for every reward model, of which these have a policy `[M]`."""
        T, M, _, Q = self.deviations_TMMQ.shape
        deviations_TMMQ, present_TM = np.zeros((T, M, len(optimised_M), Q)), np.zeros((T, len(optimised_M)), dtype=bool)
        deviations_TMMQ[:, :, optimised_M], present_TM[:, optimised_M] = self.deviations_TMMQ, self.present_TM
        return Repeats(deviations_TMMQ, present_TM)

    def of_prompts(self, prompts: NDArray[np.int64]) -> Repeats:
        """Those on some prompts, given by their numbers `[prompts]`."""
        return Repeats(self.deviations_TMMQ[..., prompts], self.present_TM)


class Averaged(NamedTuple):
    """The mean over repeats `[M golden, K, Q]` and how they differ from it; None if there is one repeat at most."""

    mean_MMQ: NDArray[np.float64]
    repeats: Repeats | None


def averaged(values_TMMQ: NDArray[np.float64], present_TM: NDArray[np.bool_]) -> Averaged:
    """The mean of values `[T, M golden, K, Q]` over the repeats that are present `[T, K]`; 0 for a policy with none."""
    present = present_TM[:, None, :, None]
    count_M = present_TM.sum(axis=0)
    mean_MMQ = np.where(present, values_TMMQ, 0.0).sum(axis=0) / np.maximum(count_M, 1)[:, None]
    if len(present_TM) < 2:
        return Averaged(mean_MMQ, None)
    return Averaged(mean_MMQ, Repeats(np.where(present, values_TMMQ - mean_MMQ, 0.0), present_TM))
