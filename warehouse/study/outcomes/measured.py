"""A measure's mean over goldens for each reward model, on the sample and in every altered study of `Rows`.

Where goldens are the reward models themselves, each in turn, leaving one out takes it away as a golden too; goldens
that are fixed truths, such as a benchmark's labels, stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.prompt_values import PromptValues, settled
from warehouse.metrics.roles import Roles
from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.resampling import Rows


@dataclass(frozen=True)
class Measured:
    """Values of K reward models in B altered studies, `[B, K]`, where they are defined, and prompts' draws `[D, K]`."""

    values_BK: Floats
    defined_BK: Bools
    drawn_DK: Floats


def mean_over_goldens(
    prepared: PromptValues,
    prompts: NDArray[np.int64],
    *,
    roles: Roles,
    judged_K: NDArray[np.int64],
    rows: Rows,
    seed: int,
) -> Measured:
    """The mean over goldens of the measure on these prompts `[P]`, for the proxies numbered `[K]`.

    `rows` are altered studies of these K reward models. A reward model is never its own golden.
    """
    weight_MK = roles.pairs_MM[:, judged_K].astype(np.float64)
    columns_MK = prepared.column_MM[:, judged_K]
    sample_BC, sample_defined_BC = prepared.overall(np.ones((1, len(prompts))), prompts)
    drawn_BC, drawn_defined_BC = prepared.drawn_overall(prompts, rows.draws, seed)
    sample_MK = sample_BC[0][columns_MK].astype(np.float64)
    weight_MK = weight_MK * sample_defined_BC[0][columns_MK]
    sample_K, defined_K = _mean(sample_MK, weight_MK)
    drawn_DMK = drawn_BC[:, columns_MK].astype(np.float64)
    drawn_DK, drawn_defined_DK = _mean(drawn_DMK, weight_MK * drawn_defined_BC[:, columns_MK])

    values_BK = np.repeat(sample_K[None], rows.count, axis=0)
    defined_BK = np.repeat(defined_K[None], rows.count, axis=0)
    noisy = np.flatnonzero(rows.rm_scale)
    draw = rows.draw[noisy]
    values_BK[noisy] += rows.rm_scale[noisy, None] * (drawn_DK[draw] - sample_K)
    defined_BK[noisy] &= drawn_defined_DK[draw]
    if roles.same:
        for k, golden in enumerate(judged_K):
            without_MK = weight_MK.copy()
            without_MK[golden] = 0.0
            row = rows.left_out.start + k
            values_BK[row], defined_BK[row] = _mean(sample_MK, without_MK)
    values_BK = settled(values_BK).astype(np.float64)
    return Measured(values_BK, defined_BK, np.where(drawn_defined_DK, drawn_DK, sample_K))


def _mean(values: Floats, weight: Floats) -> tuple[Floats, Bools]:
    """The weighted mean over the last axis but one, and where there is weight."""
    total = weight.sum(axis=-2)
    mean = np.divide((values * weight).sum(axis=-2), total, out=np.zeros_like(total), where=total > 0)
    return mean, total > 0
