"""What the claims are examined on: one run's scores and policies as arrays, and how they are resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.catalogue import optimizer_words
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.study.evaluate import Evaluation
from warehouse.study.value_curves import ValueCurves


@dataclass(frozen=True)
class Optimised:
    """The policies of one optimiser, and the scores of the reward models that they were optimised against.

    - `cube`: scores on the RM-test prompts; `paraphrased`: on all of them in other words, None where there are none.
    - `spread_M`: `spread_within_prompts` under the initial policy.
    - `tokens_SMQ`: mean lengths along the strengths, `initial_tokens_Q` the initial policy's; None if nobody counted.
    - `penalised`: values at the last strength by KL coefficient, which stands in the place of strengths, the default
      one first; of the reward models of the sweep. `at_kl`: the same where all have diverged by `matched_kl` nats.
    """

    curves: ValueCurves
    cube: ScoreCube
    paraphrased: ScoreCube | None
    spread_M: NDArray[np.float64]
    tokens_SMQ: NDArray[np.float64] | None = None
    initial_tokens_Q: NDArray[np.float64] | None = None
    penalised: ValueCurves | None = None
    at_kl: ValueCurves | None = None
    matched_kl: float | None = None

    @property
    def values(self) -> PolicyValues:
        """The values at the greatest strength, which claims are about."""
        return self.curves.values[-1]

    @property
    def called(self) -> str:
        """What these policies are called: `best-of-16`, `PPO at step 4`."""
        return optimizer_words(self.curves.optimizer).at.format(f"{self.curves.strengths[-1]:g}")

    @property
    def title(self) -> str:
        """The optimiser's name: `Best-of-n`, `PPO`."""
        return optimizer_words(self.curves.optimizer).title


@dataclass(frozen=True)
class Study:
    """A run's optimisers by name, the kinds of its reward models, and the bootstrap's replicates and seed."""

    optimised: Mapping[str, Optimised]
    kinds: Mapping[str, str]
    replicates: int = 1000
    seed: int = 0


def pairs_of(evaluation: Evaluation) -> tuple[int, int]:
    """How many golden–proxy pairs an evaluation is of, and how many of them are undefined."""
    M = len(evaluation.ndr_MM)
    return M * (M - 1), evaluation.undefined_pairs


def why_undefined(evaluation: Evaluation) -> str:
    """Why there is no correlation."""
    M = len(evaluation.ndr_MM)
    pairs, undefined = pairs_of(evaluation)
    if M < 3:
        return f"{M} reward models: a correlation over golden–proxy pairs takes three"
    if undefined == pairs:
        return f"all {pairs} pairs are undefined: no golden's own gain can be told from zero on these prompts"
    return f"the figures of the {pairs - undefined} defined pairs do not differ, or those are of two reward models"
