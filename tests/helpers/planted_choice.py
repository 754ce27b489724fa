"""Simulated choices whose truth is computed: what each reward model's best-of-n is worth to a golden, exactly.

The golden scores a sample z ~ N(0, 1). Reward model m scores ρ·z + √(1 − ρ²)·e, with ρ = ρ_m·u on a prompt of which it
sees the share u; u is 0.3 or 1.1, as often, the same for all. The noise e is shared in part, as that of reward models
trained on the same data. So best-of-n by m is worth ρ_m · 0.7 · E[greatest of n normal] in sd of the golden. Labels
are right where z is above `RIGHT`; their share is integrated numerically.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.helpers.planted import best_of_n_values_of_normal
from warehouse.metrics.cube import ScoreCube, score_cube
from warehouse.study.choice.ranking import Ranking, ranked
from warehouse.study.choice.worth import Sides, best_of_n, of_policies

Floats = NDArray[np.float64]

SEEN = (0.3, 1.1)
RIGHT = 0.5
SHARED = 0.6
"""Share of the noise that all reward models have in common."""

KINDS = ("all equal", "one better", "a ladder", "two best", "drawn")
"""`drawn`: a reward model's correlation is drawn uniformly from 0.35 to 0.65, for each study again."""


@dataclass(frozen=True)
class Choice:
    """M reward models on Q prompts with N samples, chosen at n; `labels`: the golden says right or wrong alone."""

    kind: str
    M: int = 8
    Q: int = 120
    N: int = 8
    n: int = 4
    labels: bool = False

    def rho_M(self, seed: int) -> Floats:
        """The correlation of each reward model with the golden, before the prompt's share; the first is a best one."""
        rho_M = np.full(self.M, 0.5)
        if self.kind == "one better":
            rho_M[0] = 0.65
        elif self.kind == "a ladder":
            rho_M = np.linspace(0.75, 0.25, self.M)
        elif self.kind == "two best":
            rho_M[:2] = 0.7
        elif self.kind == "drawn":
            rho_M = -np.sort(-np.random.default_rng((23, seed)).uniform(0.35, 0.65, self.M))
        return rho_M

    def truth_M(self, seed: int) -> Floats:
        """What each is worth: gain in sd, or the share of right picks."""
        if not self.labels:
            return self.rho_M(seed) * np.mean(SEEN) * best_of_n_values_of_normal(self.n)
        return np.array([np.mean([_right(float(rho * seen), self.n) for seen in SEEN]) for rho in self.rho_M(seed)])

    def study(self, seed: int) -> ScoreCube:
        """Scores of the golden, first, and of the reward models."""
        rng = np.random.default_rng((19, seed))
        z_QN = rng.standard_normal((self.Q, self.N))
        seen_Q = rng.choice(SEEN, self.Q)[:, None]
        shared_QN = rng.standard_normal((self.Q, self.N))
        scores = [np.where(z_QN > RIGHT, 1.0, 0.0) if self.labels else z_QN]
        for rho in self.rho_M(seed):
            own_QN = np.sqrt(SHARED) * shared_QN + np.sqrt(1 - SHARED) * rng.standard_normal((self.Q, self.N))
            scores.append(rho * seen_Q * z_QN + np.sqrt(1 - (rho * seen_Q) ** 2) * own_QN)
        return score_cube(np.stack(scores), reward_models=["golden", *(f"rm-{m}" for m in range(self.M))])

    def ranking(self, seed: int) -> Ranking:
        """The reward models of a study in their order; the golden's spread is taken as known, as the truth is."""
        cube, sides = self.study(seed), Sides([0], list(range(1, self.M + 1)))
        worth = of_policies(best_of_n(cube, self.n), sides, np.ones(self.M + 1), share=self.labels)
        return ranked(worth, seed)


@dataclass(frozen=True)
class Kept:
    """In what share of studies each promise was kept, the size of the first group, and how sure it was how rightly."""

    together: float
    alone: float
    best_in_first: float
    no_false_pair: float
    first_group: float
    sure: float
    right: float


@lru_cache
def calibrated(choice: Choice, studies: int) -> Kept:
    """How often intervals hold for all at once and alone, the best is in the first group, and no pair is told wrongly.

    `first_group` is its mean size. `sure` is the mean of P(A beats B) over the pairs that it puts between 0.6 and 0.9,
    `right` the share of these in which A is truly better: equal where truths are drawn, as a flat prior supposes.
    """
    counted = np.array([_study(choice, seed) for seed in range(studies)])
    _, sure, right = counted[:, 5:].sum(axis=0) / max(1.0, counted[:, 5].sum())
    return Kept(*counted[:, :5].mean(axis=0).tolist(), sure=float(sure), right=float(right))


def _study(choice: Choice, seed: int) -> tuple[Any, ...]:
    ranking = choice.ranking(seed)
    truth_M = choice.truth_M(seed)[[int(name[3:]) for name in ranking.names]]
    inside = {
        which: np.array([e.low <= t <= e.high for e, t in zip(getattr(ranking, which), truth_M, strict=True)])
        for which in ("together", "estimates")
    }
    best = {name for name, t in zip(ranking.names, truth_M, strict=True) if t == truth_M.max()}
    false = (ranking.p_MM < 0.05) & np.triu(truth_M[:, None] <= truth_M, 1)
    sure_MM = (ranking.beats_MM > 0.6) & (ranking.beats_MM < 0.9) & (truth_M[:, None] != truth_M)
    return (
        inside["together"].all(),
        inside["estimates"].mean(),
        bool(best & set(ranking.may_be_best)),
        not false.any(),
        len(ranking.may_be_best),
        int(sure_MM.sum()),
        float(ranking.beats_MM[sure_MM].sum()),
        int((sure_MM & (truth_M[:, None] > truth_M)).sum()),
    )


@lru_cache
def _right(rho: float, n: int) -> float:
    """Share of picks with z > RIGHT when the best of n is picked by a score that correlates ρ with z."""
    from scipy import integrate, stats

    def density(s: float) -> float:
        right = stats.norm.sf((RIGHT - rho * s) / np.sqrt(1 - rho**2))
        return float(n * stats.norm.pdf(s) * stats.norm.cdf(s) ** (n - 1) * right)

    return float(integrate.quad(density, -8, 8)[0])
