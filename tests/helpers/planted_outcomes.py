"""Simulated reward models with outcomes whose true relation to a measure is known.

A golden scorer `label` gives each response a standard normal number. Reward model m scores it with correlation ρ_m to
the golden, so that its true accuracy is ½ + arcsin(ρ_m)/π; part of its error is common to all reward models, as what is
hard for one is hard for others. The true outcome is the standardised true accuracy mixed with luck of its own by
`strength`; it is observed with normal errors of known size, which leave `reliability` of its variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from warehouse.metrics.cube import ScoreCube, score_cube
from warehouse.study.outcomes import Outcome

Floats = NDArray[np.float64]
GOLDEN = "label"
LEAST, MOST = 0.1, 0.8
COMMON = 0.3
_TRUE_MODELS = 3000


@dataclass(frozen=True)
class PlantedOutcomes:
    """M reward models, P prompts, R responses to each; `strength` from 0 (no relation) to 1, `reliability` above 0."""

    M: int = 10
    P: int = 100
    R: int = 4
    strength: float = 0.8
    reliability: float = 0.8

    def study(self, seed: int) -> tuple[ScoreCube, Outcome]:
        """Scores of the golden, which is chosen, and of M reward models, and the observed outcome of the latter."""
        rng = np.random.default_rng((13, seed))
        golden, scores, true_M = self._drawn(rng, self.M)
        names = tuple(f"rm-{m:02}" for m in range(self.M))
        error_M = np.sqrt((1.0 - self.reliability) / self.reliability) * np.exp(rng.normal(0.0, 0.3, self.M))
        error_M /= np.exp(0.3**2)  # so that the mean square is that of the reliability
        observed = true_M + error_M * rng.normal(size=self.M)
        cube = score_cube(np.concatenate([golden[None], scores]), reward_models=(GOLDEN, *names))
        return cube.with_goldens([GOLDEN]), Outcome("elo", names, observed, error_M)

    def truth(self, seed: int = 0, sets: int = 4) -> dict[str, float]:
        """The correlations of accuracy on a test set of this size with the true outcome, over very many models."""
        figures: dict[str, list[float]] = {"kendall": [], "spearman": [], "pearson": []}
        for number in range(sets):
            golden, scores, true_M = self._drawn(np.random.default_rng((17, seed, number)), _TRUE_MODELS)
            first, second = np.triu_indices(self.R, 1)
            order = np.sign(golden[:, first] - golden[:, second])
            accuracy_M = np.array([(order * np.sign(own[:, first] - own[:, second]) > 0).mean() for own in scores])
            figures["kendall"].append(stats.kendalltau(accuracy_M, true_M).statistic)
            figures["spearman"].append(stats.spearmanr(accuracy_M, true_M).statistic)
            figures["pearson"].append(stats.pearsonr(accuracy_M, true_M).statistic)
        return {name: float(np.mean(values)) for name, values in figures.items()}

    def _drawn(self, rng: np.random.Generator, M: int) -> tuple[Floats, Floats, Floats]:
        golden = rng.normal(size=(self.P, self.R))
        rho_M = rng.uniform(LEAST, MOST, M)
        common = np.sqrt(COMMON) * rng.normal(size=(self.P, self.R))
        scores = np.empty((M, self.P, self.R))
        for m, rho in enumerate(rho_M):
            own = common + np.sqrt(1.0 - COMMON) * rng.normal(size=(self.P, self.R))
            scores[m] = rho * golden + np.sqrt(1.0 - rho**2) * own
        accuracy_M = 0.5 + np.arcsin(rho_M) / np.pi
        many = 0.5 + np.arcsin(np.linspace(LEAST, MOST, 10_001)) / np.pi
        standard_M = (accuracy_M - many.mean()) / many.std()
        luck_M = rng.normal(size=M)
        return golden, scores, self.strength * standard_M + np.sqrt(1.0 - self.strength**2) * luck_M
