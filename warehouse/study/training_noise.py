"""Training noise: how much the value of a policy depends on the seed of its optimisation, from repeats of it.

METHOD, "Training noise". What is estimated is the expected value over seeds. Its estimate, the mean over S repeats, has
the variance σ²/S of training beside that of the prompts. With e_s the deviation of repeat s from their mean, averaged
over the prompts, a draw adds Σ_s z_s·e_s / √(S(S − 1)), z a random contrast of length √(S − 1), the same for all
goldens of a proxy: its variance is unbiased for that of the mean. With two repeats it is ±(v_1 − v_2)/2.

- e_s also contains what the few prompts and responses of a repeat add, and resampling the prompts has that already. How
  e_s varies over prompts says how much it is; it is taken off by shrinking e_s. A single pair's share would be of
  S − 1 degrees of freedom, so it is estimated over all proxies of a golden together.
- The noise of a proxy with one repeat is unknown: each draw gives it that of another one with more.
- For the same reason, an interval of a single pair's NDR from its own two repeats covers 80 % instead of 95 %; so
  there every proxy gets the noise of any (`any_BMM`), as if it were equally great for all.

Shapes: `B` draws, `T` repeats, `M` reward models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.formats import count
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.policies.repeats import Repeats
from warehouse.schema import BY_WEIGHTING
from warehouse.stats.bootstrap import TRAININGS, Bools, Floats, generator


def seeds(repeats: int, single: int, optimizer: str = "") -> str:
    """How many seeds the policies are of and what that means, in words; empty for an optimiser without training.

    They are means of `repeats` optimisations; those of `single` reward models of one only.
    """
    if optimizer in BY_WEIGHTING:
        return ""
    if repeats < 2:
        return "each policy was trained with one seed, so training noise counts as regret"
    if not single:
        return f"each policy is the mean of {repeats} seeds, and training noise is taken off"
    return (
        f"policies are means of up to {repeats} seeds, and training noise is taken off; of "
        f"{count(single, 'reward model')} with one seed, that of the others"
    )


class TrainingNoise(NamedTuple):
    """Deviations of mean values, `[B, M golden, M proxy]`: of the proxy's own repeats, and of any proxy's."""

    own_BMM: Floats
    any_BMM: Floats


def training_noise(values: PolicyValues, prompts: NDArray[np.int64], draws: int, seed: int) -> TrainingNoise | None:
    """Draws of the noise of training in mean values over these prompts `[P]`; None if no policy was optimised twice.

    Each reward model has a stream of random numbers of its own, which is the same at all strengths of an optimiser.
    """
    if values.repeats is None or values.repeats.count_M.max() < 2:
        return None
    repeats = values.repeats if len(prompts) == len(values.prompts) else values.repeats.of_prompts(prompts)
    single_TMM, count_M = of_single_repeats(repeats), repeats.count_M
    T, M = repeats.present_TM.shape
    repeated = np.flatnonzero(count_M > 1)
    own_BMM, any_BMM = np.zeros((draws, M, M)), np.zeros((draws, M, M))
    for m in np.flatnonzero(count_M):
        rng = generator(seed, TRAININGS, values.reward_models[m])
        drawn_BT = rng.standard_normal((draws, T))
        other_B = repeated[rng.integers(0, len(repeated), draws)]
        contrast_BT = _contrasts(drawn_BT, repeats.present_TM[:, other_B].T)
        any_BMM[:, :, m] = np.einsum("bt,tgb->bg", contrast_BT, single_TMM[:, :, other_B])
        any_BMM[:, :, m] /= np.sqrt(count_M[m])
        if count_M[m] > 1:
            contrast_BT = _contrasts(drawn_BT, np.broadcast_to(repeats.present_TM[:, m], (draws, T)))
            own_BMM[:, :, m] = contrast_BT @ single_TMM[:, :, m] / np.sqrt(count_M[m])
        else:
            own_BMM[:, :, m] = any_BMM[:, :, m]
    return TrainingNoise(own_BMM, any_BMM)


def _contrasts(drawn_BT: Floats, present_BT: Bools) -> Floats:
    """Contrasts `[B, T]` of the repeats that are present, in the direction of these numbers, of length √(S − 1)."""
    count_B1 = present_BT.sum(axis=1, keepdims=True)
    means_B1 = np.where(present_BT, drawn_BT, 0.0).sum(axis=1, keepdims=True) / count_B1
    contrast_BT = np.where(present_BT, drawn_BT - means_B1, 0.0)
    lengths: Floats = np.sqrt((count_B1 - 1) / (contrast_BT**2).sum(axis=1, keepdims=True))
    return contrast_BT * lengths


def of_single_repeats(repeats: Repeats) -> Floats:
    """`[T, M golden, M proxy]`: their squares sum over T to the variance of training of one repeat.

    Without the noise of prompts and responses; 0 for proxies that were optimised once.
    """
    spare_M = np.maximum(repeats.count_M - 1.0, 1.0)
    deviation_TMM = repeats.deviations_TMMQ.mean(axis=3)
    total_G = ((deviation_TMM**2).sum(axis=0) / spare_M).sum(axis=1)
    Q = repeats.deviations_TMMQ.shape[3]
    of_prompts_MM = repeats.deviations_TMMQ.var(axis=3).sum(axis=0) / max(Q - 1, 1)
    of_prompts_G = (of_prompts_MM / spare_M).sum(axis=1)
    share_G = np.divide(total_G - of_prompts_G, total_G, out=np.zeros_like(total_G), where=total_G > 0)
    single_TMM: Floats = deviation_TMM * np.sqrt(np.maximum(share_G, 0.0)[:, None] / spare_M)
    return single_TMM
