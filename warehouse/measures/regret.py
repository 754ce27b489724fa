"""What optimising a proxy loses on the golden reward model: the normalised drop ratio, and where it is undefined.

METHOD: NDR(g, m) = (J_g(π_m) − J_g(π_0)) / (J_g(π_g) − J_g(π_0)); regret is 1 − NDR. A golden whose own gain has a
bootstrap interval (over prompts) that reaches down to 0 leaves all its pairs undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.measures.cube import PolicyValues

Floats = NDArray[np.float64]


def gains(values: PolicyValues, weights_BQ: Floats) -> Floats:
    """Golden gains `[B, M golden, M proxy]` over the initial policy, for each row of prompt weights."""
    difference_MMQ = values.optimised_MMQ - values.initial_MQ[:, None, :]
    M, _, Q = difference_MMQ.shape
    share_BQ = weights_BQ / weights_BQ.sum(axis=1, keepdims=True)
    return (share_BQ @ difference_MMQ.reshape(M * M, Q).T).reshape(-1, M, M)


def ndr(gains_BMM: Floats, defined_M: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """NDR `[B, M, M]` and where it is defined: off the diagonal, for defined goldens that gain in this replicate."""
    own = np.diagonal(gains_BMM, axis1=1, axis2=2)
    defined = np.broadcast_to(((own > 0) & defined_M)[:, :, None], gains_BMM.shape) & ~np.eye(own.shape[1], dtype=bool)
    return np.divide(gains_BMM, own[:, :, None], out=np.zeros_like(gains_BMM), where=defined), defined


def goldens_that_gain(gains_BMM: Floats) -> NDArray[np.bool_]:
    """Goldens `[M]` for which the 95 % interval of their own gain, over the replicates, lies above 0."""
    own = np.diagonal(gains_BMM, axis1=1, axis2=2)
    return np.percentile(own, 2.5, axis=0) > 0
