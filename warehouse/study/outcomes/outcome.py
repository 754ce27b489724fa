"""An outcome: one number per reward model, measured elsewhere of a policy that was trained with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warehouse.errors import InvalidChoice
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Floats

FEWEST = 5
"""With fewer reward models than this, nothing can be said about others."""


@dataclass(frozen=True)
class Outcome:
    """An outcome of some reward models: `value_K`, larger is better, and its standard error `error_K`, 0 if unknown.

    Raises InvalidChoice for values that are not finite, negative errors, repeated names or arrays that do not fit.
    """

    name: str
    reward_models: tuple[str, ...]
    value_K: Floats
    error_K: Floats

    def __post_init__(self) -> None:
        K = len(self.reward_models)
        if self.value_K.shape != (K,) or self.error_K.shape != (K,) or len(set(self.reward_models)) != K:
            raise InvalidChoice(
                f"outcome {self.name!r}: {K} reward models, {self.value_K.shape} values and {self.error_K.shape} "
                "errors; give one value and one error for each reward model, each once"
            )
        if not np.isfinite(self.value_K).all() or not (np.isfinite(self.error_K) & (self.error_K >= 0.0)).all():
            raise InvalidChoice(f"outcome {self.name!r}: values have to be finite, and standard errors 0 or more")

    def of(self, names: Sequence[str]) -> Outcome:
        """The outcome of these reward models only, in their order."""
        places = [self.reward_models.index(name) for name in names]
        return Outcome(self.name, tuple(names), self.value_K[places], self.error_K[places])

    @property
    def known_errors(self) -> int:
        """How many reward models have a standard error."""
        return int((self.error_K > 0.0).sum())

    @property
    def reliability(self) -> float | None:
        """The share of its variance that is not its own error; None if errors are unknown or all values are equal."""
        variance = float(self.value_K.var(ddof=1)) if len(self.value_K) > 1 else 0.0
        if self.known_errors == 0 or variance == 0.0:
            return None
        return max(0.0, 1.0 - float((self.error_K**2).mean()) / variance)

    def deviations(self, draws: int, seed: int) -> Floats:
        """Normal numbers with its standard errors, `[draws, K]`: what measuring it again would change."""
        drawn: Floats = bootstrap.generator(seed, bootstrap.OUTCOMES).standard_normal((draws, len(self.value_K)))
        return drawn * self.error_K


def outcome(
    name: str, values: Sequence[float], reward_models: Sequence[str], errors: Sequence[float | None] | None = None
) -> Outcome:
    """An outcome from plain numbers; an error of None is unknown."""
    given = [None] * len(values) if errors is None else errors
    error_K = np.array([0.0 if error is None else error for error in given], dtype=np.float64)
    return Outcome(name, tuple(reward_models), np.asarray(values, dtype=np.float64), error_K)
