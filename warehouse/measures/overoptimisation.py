"""Overoptimisation curves: reward against distance from the initial policy, their fits, and how far two lie apart.

Gao et al. (arXiv 2210.10760): with d = √KL, the gain over the initial policy is `d(α − β d)` for best-of-n and
`d(α − β log d)` for RL. Both are linear in α and β and pass through the origin, so least squares solves them exactly.
The degree of overoptimisation of a pair is γ = ∫|f − g| / ∫f over KL from 0 to the largest (Kim et al., arXiv
2505.12763), with `f` the golden curve when the golden reward model is optimised, `g` when the proxy is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice

Floats = NDArray[np.float64]
Optimizer = Literal["best-of-n", "rl"]
_FEWEST_POINTS = 3


@dataclass(frozen=True)
class OveroptimisationFit:
    """A fitted curve. Rewards are in the golden's units, distances in √nats; errors are standard errors.

    The peak is None where the curve has none in sight: it does not bend down. `r_squared` is about a zero gain, None
    where all gains are zero.
    """

    optimizer: Optimizer
    alpha: float
    beta: float
    alpha_error: float
    beta_error: float
    covariance: float
    peak_distance: float | None
    peak_distance_error: float | None
    peak_reward: float | None
    r_squared: float | None
    points: int

    def at(self, distance: ArrayLike) -> Floats:
        """Reward gained at these distances √KL."""
        d = np.asarray(distance, dtype=np.float64)
        first, second = basis(d, self.optimizer)
        return self.alpha * first + self.beta * second


def fit_overoptimisation(
    kl: ArrayLike, gain: ArrayLike, optimizer: Optimizer, errors: ArrayLike | None = None
) -> OveroptimisationFit:
    """Fit the curve of an optimizer to golden gains `[n]` over the initial policy at divergences `kl` `[n]`, in nats.

    `errors` are the standard errors of the gains; without them all points weigh the same and the scatter about the
    curve says how large they are. Raises InvalidChoice for fewer than three points with KL above 0 or fewer than two
    distinct ones.
    """
    if optimizer not in ("best-of-n", "rl"):
        raise InvalidChoice(f"optimizer is {optimizer!r}; a curve is known for 'best-of-n' and 'rl'")
    divergence, y = np.asarray(kl, dtype=np.float64), np.asarray(gain, dtype=np.float64)
    sigma = np.ones_like(y) if errors is None else np.asarray(errors, dtype=np.float64)
    if not divergence.shape == y.shape == sigma.shape or y.ndim != 1:
        raise InvalidChoice(
            f"KL, gains and errors have shapes {divergence.shape}, {y.shape}, {sigma.shape}; give one number per point"
        )
    if not (np.isfinite(y) & (divergence >= 0) & (divergence < np.inf) & (sigma > 0)).all():
        raise InvalidChoice("KL has to be 0 or more, gains finite and errors above 0; leave other points out")
    there = divergence > 0  # at the start both sides are 0 whatever α and β are
    d, y, sigma = np.sqrt(divergence[there]), y[there], sigma[there]
    if len(d) < _FEWEST_POINTS or len(np.unique(d)) < 2:
        raise InvalidChoice(
            f"{len(d)} points at {len(np.unique(d))} distances above 0; a fit takes {_FEWEST_POINTS} or more at 2"
        )
    design = np.stack(basis(d, optimizer), axis=1)
    solution, *_ = np.linalg.lstsq(design / sigma[:, None], y / sigma, rcond=None)
    residual = (y - design @ solution) / sigma
    scatter = 1.0 if errors is not None else float(residual @ residual) / (len(d) - 2)
    covariance: Floats = (scatter * np.linalg.pinv((design / sigma[:, None]).T @ (design / sigma[:, None]))).astype(
        np.float64
    )
    alpha, beta = float(solution[0]), float(solution[1])
    size = float(((y / sigma) ** 2).sum())
    return OveroptimisationFit(
        optimizer,
        alpha,
        beta,
        float(np.sqrt(covariance[0, 0])),
        float(np.sqrt(covariance[1, 1])),
        float(covariance[0, 1]),
        *_peak(alpha, beta, covariance, optimizer),
        r_squared=1.0 - float(residual @ residual) / size if size > 0 else None,
        points=len(d),
    )


def overoptimisation_degree(golden: OveroptimisationFit, proxy: OveroptimisationFit, largest_kl: float) -> float | None:
    """γ of a pair: the area between the two golden curves over KL in [0, largest], as a share of that under the first.

    None where optimising the golden reward model itself gains nothing. Raises InvalidChoice for curves of different
    optimizers or a KL that is not above 0.
    """
    if golden.optimizer != proxy.optimizer:
        raise InvalidChoice(f"the curves are of {golden.optimizer} and {proxy.optimizer}; compare like with like")
    if not largest_kl > 0:
        raise InvalidChoice(f"the largest KL is {largest_kl}; it has to be above 0")
    D = float(np.sqrt(largest_kl))
    own = _area(golden.alpha, golden.beta, D, golden.optimizer)
    if own <= 0:
        return None
    alpha, beta = golden.alpha - proxy.alpha, golden.beta - proxy.beta
    between = _area(alpha, beta, D, golden.optimizer)
    crossing = _crossing(alpha, beta, golden.optimizer)
    if crossing is None or not 0 < crossing < D:
        return abs(between) / own
    before = _area(alpha, beta, crossing, golden.optimizer)
    return (abs(before) + abs(between - before)) / own


def basis(d: Floats, optimizer: Optimizer) -> tuple[Floats, Floats]:
    """What α and β are multiplied by."""
    if optimizer == "best-of-n":
        return d, -(d**2)
    return d, -d * np.log(d, out=np.zeros_like(d), where=d > 0)


def _peak(
    alpha: float, beta: float, covariance: Floats, optimizer: Optimizer
) -> tuple[float | None, float | None, float | None]:
    """Distance of the peak, its standard error by the delta method, and the reward there."""
    if beta <= 0 or (optimizer == "best-of-n" and alpha <= 0):
        return None, None, None
    if optimizer == "best-of-n":
        distance = alpha / (2 * beta)
        slope = np.array([1 / (2 * beta), -alpha / (2 * beta**2)])
        reward = alpha**2 / (4 * beta)
    else:
        if alpha / beta > 700:  # beyond every distance there is
            return None, None, None
        distance = float(np.exp(alpha / beta - 1))
        slope = distance * np.array([1 / beta, -alpha / beta**2])
        reward = beta * distance
    return distance, float(np.sqrt(slope @ covariance @ slope)), reward


def _area(alpha: float, beta: float, D: float, optimizer: Optimizer) -> float:
    """∫ over KL from 0 to D², that is ∫ curve(d)·2d over d from 0 to D."""
    if optimizer == "best-of-n":
        return 2 * (alpha * D**3 / 3 - beta * D**4 / 4)
    return 2 * D**3 * (alpha / 3 - beta * (np.log(D) / 3 - 1 / 9))


def _crossing(alpha: float, beta: float, optimizer: Optimizer) -> float | None:
    """Where the curve with these coefficients changes sign, past 0."""
    if beta == 0:
        return None
    if optimizer == "best-of-n":
        return alpha / beta
    return float(np.exp(min(alpha / beta, 700.0)))
