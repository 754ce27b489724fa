"""How far reward models agree with one another: the share of response pairs that two of them order alike.

It is the study's accuracy of the one with the other as golden, over all golden–proxy pairs at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.prompt_values import PromptValues
from warehouse.stats import bootstrap

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Accuracy `[M golden, M proxy]` with its 95 % interval over prompts; entries that are not defined are 0.

    Undefined are the diagonal and pairs whose golden orders no responses, in the sample or in every replicate.
    """

    share_MM: Floats
    low_MM: Floats
    high_MM: Floats
    defined_MM: NDArray[np.bool_]


def agreement(
    values: PromptValues, prompts: NDArray[np.int64] | None = None, *, replicates: int = 1000, seed: int = 0
) -> Agreement:
    """Accuracy of every reward model on the pairs that every other one orders; the diagonal is not defined.

    `values` are those of `prepare(cube, "accuracy")`, `prompts` the numbers of those to use (all, if not given).
    """
    M = len(values.column_MM)
    if M < 2:  # there are no pairs, and no columns of them
        nothing = np.zeros((M, M))
        return Agreement(nothing, nothing, nothing, np.zeros((M, M), dtype=bool))
    chosen = np.arange(values.values_TPC.shape[1]) if prompts is None else prompts
    share_C, defined_C = (array[0] for array in values.overall(np.ones((1, len(chosen))), chosen))
    drawn_BC, there_BC = values.overall(bootstrap.counts(len(chosen), replicates, seed, bootstrap.RM_PROMPTS), chosen)
    defined_C &= there_BC.any(axis=0)
    low_C, high_C = bootstrap.interval(drawn_BC)
    for c in np.flatnonzero(defined_C & ~there_BC.all(axis=0)):  # a replicate without ordered pairs says nothing
        low_C[c], high_C[c] = bootstrap.interval(drawn_BC[there_BC[:, c], c])
    defined_MM = defined_C[values.column_MM] & ~np.eye(M, dtype=bool)
    share_MM, low_MM, high_MM = (
        np.where(defined_MM, array_C[values.column_MM], 0.0).astype(np.float64) for array_C in (share_C, low_C, high_C)
    )
    return Agreement(share_MM, low_MM, high_MM, defined_MM)
