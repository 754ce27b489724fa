"""What accuracy says about the gain from optimising a proxy, and what it misses.

METHOD, "Goodhart". The regressional model: proxy = golden + independent noise, both normal. With ρ their correlation
under the initial policy, accuracy is ½ + arcsin(ρ)/π, and in units standardised under π_0 a proxy gain of 1 brings a
golden gain of ρ = sin(π(accuracy − ½)), whatever the optimiser and its strength.

Departure: selection happens within a prompt, so "standardised" is by the spread within prompts, not over all responses;
between prompts no policy can choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.metrics.test_set import TestSet, chosen_prompts, prompts_in
from warehouse.stats import bootstrap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_SQUARES = 1e-24  # of standardised gains: below that they are rounding


def accuracy_of_correlation(rho: ArrayLike) -> Floats:
    """Accuracy of a normal proxy whose correlation with the golden scores is ρ: ½ + arcsin(ρ)/π."""
    return 0.5 + np.arcsin(np.asarray(rho, dtype=np.float64)) / np.pi


def slope_of_accuracy(accuracy: ArrayLike) -> Floats:
    """Standardised golden gain per standardised proxy gain at this accuracy: sin(π(accuracy − ½))."""
    return np.sin(np.pi * (np.asarray(accuracy, dtype=np.float64) - 0.5))


def spread_within_prompts(scores_MPN: ArrayLike) -> Floats:
    """Standard deviation `[M]` of each reward model's scores within prompts, under the policy that was sampled.

    The unbiased variance per prompt, averaged over prompts. Raises InvalidChoice for fewer than two samples.
    """
    scores = np.asarray(scores_MPN, dtype=np.float64)
    if scores.ndim != 3 or scores.shape[2] < 2:
        raise InvalidChoice(f"scores have shape {scores.shape}; a spread takes reward models × prompts × 2 samples")
    return np.sqrt(scores.var(axis=2, ddof=1).mean(axis=1))


@dataclass(frozen=True)
class SlopeBin:
    """Pairs of like accuracy: mean accuracy, mean slope with its 95 % interval, and the curve's mean over the pairs."""

    accuracy: float
    slope: float
    low: float | None
    high: float | None
    curve: float
    pairs: int


@dataclass(frozen=True)
class GoodhartSlopes:
    """Slopes `[M golden, M proxy]` against what accuracy predicts; undefined entries are 0.

    `slope_MM` is the least-squares slope through the origin of standardised golden gain on standardised proxy gain
    along the strengths. `bins` hold the bootstrap band, over reward models and prompts. The goodness-of-fit test is
    Wald's, that no bin has a mean residual: `chi2` with `degrees` of freedom, None where the replicates do not suffice.
    Its covariance is of the prompts alone: if the curve holds, it holds for these reward models, and drawing them again
    would count the noise of the prompts twice.
    """

    accuracy_MM: Floats
    slope_MM: Floats
    curve_MM: Floats
    defined_MM: Bools
    bins: tuple[SlopeBin, ...]
    chi2: float | None
    degrees: int
    p_value: float | None
    replicates: int
    seed: int
    resampled: str = "reward models × prompts"


def goodhart_slopes(
    cube: ScoreCube,
    strengths: Sequence[PolicyValues],
    spread_M: ArrayLike,
    *,
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    bins: int = 4,
    replicates: int = 1000,
    seed: int = 0,
) -> GoodhartSlopes:
    """Hold the slope of every pair, along `strengths` of one optimiser, against the curve of its accuracy.

    `spread_M` is `spread_within_prompts` under the initial policy; it is taken as known. Pairs are cut into `bins` by
    accuracy. Raises UnknownName and InvalidChoice.
    """
    M = len(cube.reward_models)
    spread = np.asarray(spread_M, dtype=np.float64)
    _check(cube, strengths, spread, bins)
    test_set = test_set or TestSet()
    chosen = chosen_prompts(cube, test_set)
    rl_chosen = prompts_in(strengths[0].categories, strengths[0].subsets, rl_categories, None, "RL-test")
    prepared = prepare(cube, "accuracy", test_set)
    models_BM = bootstrap.counts(M, replicates, seed, bootstrap.REWARD_MODELS)

    rm_BP = bootstrap.counts(len(chosen), replicates, seed, bootstrap.RM_PROMPTS)
    slope_BMM, gained_BMM = _slopes(strengths, spread, rl_chosen, np.ones((1, len(rl_chosen))))
    drawn_slope_BMM, drawn_gained_BMM = _slopes(
        strengths, spread, rl_chosen, bootstrap.counts(len(rl_chosen), replicates, seed, bootstrap.RL_PROMPTS)
    )

    def both(part: slice) -> _Sides:
        """Accuracy on these of the chosen prompts beside the slopes: in the sample, then in the replicates."""
        accuracies, theres = [], []
        for counts_BP, gained in ((np.ones((1, len(chosen))), gained_BMM), (rm_BP, drawn_gained_BMM)):
            accuracy_BC, there_BC = prepared.overall(counts_BP[:, part], chosen[part])
            accuracies.append(accuracy_BC[:, prepared.column_MM].astype(np.float64))
            theres.append(there_BC[:, prepared.column_MM] & gained & ~np.eye(M, dtype=bool))
        defined = theres[0][0]
        return _Sides(accuracies[0][0], slope_BMM[0], defined, accuracies[1], drawn_slope_BMM, theres[1] & defined)

    whole = both(slice(None))
    accuracy, slope, defined = whole.accuracy_MM, whole.slope_MM, whole.defined_MM
    found = tuple(
        _bin(member, accuracy, slope, whole.slope_BMM, whole.defined_BMM, models_BM)
        for member in _members(accuracy, defined, bins)
    )
    chi2, degrees, p_value = _wald(*_missed(both(slice(0, None, 2)), both(slice(1, None, 2)), bins))
    return GoodhartSlopes(
        accuracy_MM=np.where(defined, accuracy, 0.0),
        slope_MM=np.where(defined, slope, 0.0),
        curve_MM=np.where(defined, slope_of_accuracy(accuracy), 0.0),
        defined_MM=defined,
        bins=found,
        chi2=chi2,
        degrees=degrees,
        p_value=p_value,
        replicates=replicates,
        seed=seed,
    )


@dataclass(frozen=True)
class _Sides:
    """Accuracy and slope of all pairs: of the sample, and in the replicates."""

    accuracy_MM: Floats
    slope_MM: Floats
    defined_MM: Bools
    accuracy_BMM: Floats
    slope_BMM: Floats
    defined_BMM: Bools


def _missed(one: _Sides, other: _Sides, bins: int) -> tuple[Floats, Floats]:
    """Mean residuals `[K]` of bins, and `[K, B]` in the replicates, where the residual does not hang on the bin.

    A pair is in the lowest bin partly because its accuracy came out low by chance: on the same prompts the curve would
    miss there even if it held. So bins are by accuracy on one half of the prompts, residuals are on the other half, and
    the two ways of doing so are averaged.
    """
    missed_FK, missed_FKB = [], []
    for binning, told in ((one, other), (other, one)):
        members = _members(binning.accuracy_MM, binning.defined_MM & told.defined_MM, bins)
        residual_MM = told.slope_MM - slope_of_accuracy(told.accuracy_MM)
        residual_BMM = told.slope_BMM - slope_of_accuracy(told.accuracy_BMM)
        missed_FK.append([residual_MM[member].mean() for member in members])
        missed_FKB.append([_means(member, told.defined_BMM.astype(np.float64), residual_BMM) for member in members])
    K = min(len(missed_K) for missed_K in missed_FK)
    if K == 0:
        return np.zeros(0), np.zeros((0, 0))
    return tuple(np.mean([fold[:K] for fold in folds], axis=0) for folds in (missed_FK, missed_FKB))


def _check(cube: ScoreCube, strengths: Sequence[PolicyValues], spread_M: Floats, bins: int) -> None:
    if not strengths:
        raise InvalidChoice("no strengths to take a slope along; name one or more")
    for values in strengths:
        if values.reward_models != cube.reward_models or values.prompts != strengths[0].prompts:
            raise InvalidChoice("the strengths are of other reward models or prompts; take them from one run")
    if spread_M.shape != (len(cube.reward_models),) or not (spread_M > 0).all():
        raise InvalidChoice(f"spread is {spread_M}; it takes one number above 0 per reward model")
    if bins < 1:
        raise InvalidChoice(f"bins is {bins}; it has to be 1 or more")


def _slopes(
    strengths: Sequence[PolicyValues],
    spread_M: Floats,
    prompts: NDArray[np.int64],
    counts_BQ: NDArray[np.floating],
) -> tuple[Floats, Bools]:
    """Slope `[B, M, M]` of golden on proxy gain, and whether there is a proxy gain to speak of."""
    B, M = len(counts_BQ), len(spread_M)
    products, squares = np.zeros((B, M, M)), np.zeros((B, 1, M))
    for values in strengths:
        gains_MMQ = (values.optimised_MMQ - values.initial_MQ[:, None, :])[:, :, prompts]
        total = weighted_sums(counts_BQ, gains_MMQ.reshape(M * M, len(prompts)).T).reshape(B, M, M)
        gain = total / (len(prompts) * spread_M[:, None])
        own = np.diagonal(gain, axis1=1, axis2=2)[:, None, :]  # of the proxy itself
        products += gain * own
        squares += own**2
    defined = np.broadcast_to(squares > _LEAST_SQUARES, products.shape)
    return np.divide(products, squares, out=np.zeros_like(products), where=defined), defined


def _members(accuracy_MM: Floats, defined_MM: Bools, bins: int) -> list[Bools]:
    """Pairs `[M, M]` of each bin, equally many by accuracy; pairs of one accuracy stay together."""
    there = accuracy_MM[defined_MM]
    if len(there) == 0:
        return []
    edges = np.unique(np.quantile(there, np.linspace(0, 1, bins + 1)[1:-1]))
    number = np.searchsorted(edges, accuracy_MM, side="right")
    members = [defined_MM & (number == bin_number) for bin_number in range(len(edges) + 1)]
    return [member for member in members if member.any()]


def _bin(
    member_MM: Bools,
    accuracy_MM: Floats,
    slope_MM: Floats,
    slope_BMM: Floats,
    defined_BMM: Bools,
    models_BM: NDArray[np.floating],
) -> SlopeBin:
    drawn_BMM = models_BM[:, :, None].astype(np.float64) * models_BM[:, None, :]
    band = _means(member_MM, np.asarray(drawn_BMM * defined_BMM, dtype=np.float64), slope_BMM)
    band = band[~np.isnan(band)]
    low, high = bootstrap.interval(band) if len(band) else (None, None)
    return SlopeBin(
        accuracy=float(accuracy_MM[member_MM].mean()),
        slope=float(slope_MM[member_MM].mean()),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        curve=float(slope_of_accuracy(accuracy_MM[member_MM]).mean()),
        pairs=int(member_MM.sum()),
    )


def _means(member_MM: Bools, weight_BMM: Floats, values_BMM: Floats) -> Floats:
    """Weighted means `[B]` over a bin's pairs; NaN, for this module only, in replicates in which it has none."""
    weight = weight_BMM[:, member_MM]
    total = weight.sum(axis=1)
    mean = (weight * values_BMM[:, member_MM]).sum(axis=1)
    return np.divide(mean, total, out=np.full_like(total, np.nan), where=total > 0)


def _wald(missed_K: Floats, missed_KB: Floats) -> tuple[float | None, int, float | None]:
    """χ² of the bins' mean residuals under the bootstrap's covariance, its degrees of freedom and p-value."""
    if len(missed_K) == 0:
        return None, 0, None
    complete = ~np.isnan(missed_KB).any(axis=0)
    if complete.sum() <= 2 * len(missed_K):
        return None, len(missed_K), None
    covariance = np.atleast_2d(np.cov(missed_KB[:, complete]))
    degrees = int(np.linalg.matrix_rank(covariance))
    if degrees == 0:
        return None, 0, None
    chi2 = float(missed_K @ np.linalg.pinv(covariance) @ missed_K)
    return chi2, degrees, float(special.chdtrc(degrees, chi2))
