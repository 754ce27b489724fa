"""The two arrays that every figure of the study is computed from.

Shapes: `M` reward models, `P` RM-test prompts, `R` responses per prompt, `Q` RL-test prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import UnknownName


@dataclass(frozen=True)
class ScoreCube:
    """Scores of all reward models for the initial policy's responses to the RM-test prompts.

    `scores_MPR` is finite float32. `reward_models` names axis M; `prompts`, `categories` and `subsets` describe axis P.
    """

    scores_MPR: NDArray[np.float32]
    reward_models: tuple[str, ...]
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]

    def of_prompts(self, prompts: NDArray[np.int64]) -> ScoreCube:
        """The cube of some prompts only, named by their numbers."""
        return ScoreCube(
            self.scores_MPR[:, prompts],
            self.reward_models,
            *(tuple(names[number] for number in prompts) for names in (self.prompts, self.categories, self.subsets)),
        )

    def of_reward_models(self, names: Sequence[str]) -> ScoreCube:
        """The cube of some reward models only, in the order of these names. Raises UnknownName."""
        rows = _rows(self.reward_models, names)
        return ScoreCube(self.scores_MPR[rows], tuple(names), self.prompts, self.categories, self.subsets)


@dataclass(frozen=True)
class PolicyValues:
    """Per-prompt values of the initial and of the optimised policies for one optimiser at one strength.

    `initial_MQ[g, q]` is golden `g`'s mean score of the initial policy on RL-test prompt `q`;
    `optimised_MMQ[g, m, q]` that of the policy optimised against reward model `m`. Both float64, finite.
    `optimised_M` says against which reward models there is such a policy, None: all; without one the values are the
    initial policy's, and every pair that needs it is undefined. `drawn` keeps the last replicates (`regret`).
    """

    initial_MQ: NDArray[np.float64]
    optimised_MMQ: NDArray[np.float64]
    reward_models: tuple[str, ...]
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]
    optimised_M: NDArray[np.bool_] | None = None
    drawn: dict[tuple[int, int, bytes], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of_reward_models(self, names: Sequence[str]) -> PolicyValues:
        """The values of some reward models only, in the order of these names. Raises UnknownName."""
        rows = _rows(self.reward_models, names)
        return replace(
            self,
            initial_MQ=self.initial_MQ[rows],
            optimised_MMQ=self.optimised_MMQ[np.ix_(rows, rows)],
            reward_models=tuple(names),
            optimised_M=None if self.optimised_M is None else self.optimised_M[rows],
        )


def _rows(there: Sequence[str], names: Sequence[str]) -> list[int]:
    unknown = [name for name in names if name not in there]
    if unknown:
        raise UnknownName(f"no reward model {unknown[0]!r}; there are {', '.join(there)}")
    return [there.index(name) for name in names]
