"""What a benchmark gives each reward model: a score for each of its parts and their average."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class BenchmarkScores(NamedTuple):
    """Scores `[M, S]` of M reward models on the S parts of a benchmark, the last of them its average, from 0 to 1.

    `prompts_S` is how many prompts each part has; `lacks` says in a line each what the run does not have of the
    benchmark, so that its average is of the rest.
    """

    benchmark: str
    reward_models: tuple[str, ...]
    parts: tuple[str, ...]
    prompts_S: NDArray[np.int64]
    scores_MS: NDArray[np.float64]
    lacks: tuple[str, ...] = ()
