"""What accuracy says about the gain from optimising a proxy, and what it misses.

METHOD, "Overoptimisation and Goodhart". The regressional model: proxy = golden + independent noise, both normal. With ρ
their correlation under the initial policy, accuracy is ½ + arcsin(ρ)/π, and in units standardised under π_0 a proxy
gain of 1 brings a golden gain of ρ = sin(π(accuracy − ½)), whatever the optimiser and its strength.

Departure: "standardised" means by the spread within prompts, not over all responses, because a policy chooses between
the responses to one prompt and not between prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare
from warehouse.metrics.test_set import TestSet, chosen_prompts, prompts_in
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Bools, Floats
from warehouse.study.curve_test import CurveTest, Pairs, curve_test, slope_of_accuracy
from warehouse.study.curves.value_curves import Drawn, draws, gains
from warehouse.study.folds import shared_prompts

_LEAST_SQUARES = 1e-24  # of standardised gains: below that they are rounding


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
    along the strengths. `bins` hold the bootstrap band, over reward models and prompts. `test` is of the hypothesis
    that no bin has a mean residual; `calibrated` says where its p-value comes from. Its null studies resample the
    prompts alone: if the curve holds, it holds for these reward models, and drawing them again would count the noise of
    the prompts twice. `shared_prompts` counts prompts on both sides, whose noise accuracy and slopes then share: the
    test takes them as independent.
    """

    accuracy_MM: Floats
    slope_MM: Floats
    curve_MM: Floats
    defined_MM: Bools
    bins: tuple[SlopeBin, ...]
    test: CurveTest
    replicates: int
    seed: int
    shared_prompts: int
    resampled: str = "reward models × prompts"
    calibrated: str = "null studies of the same size in which the curve is true, resampling prompts; Hotelling's F"


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
    """Compare the slope of every pair, along `strengths` of one optimiser, with the curve of its accuracy.

    `spread_M` is `spread_within_prompts` under the initial policy; it is taken as known. Pairs are cut into `bins` by
    accuracy. Raises UnknownName and InvalidChoice.
    """
    pair_MM = cube.roles.pairs_MM
    spread = np.asarray(spread_M, dtype=np.float64)
    _check(cube, strengths, spread, bins)
    test_set = test_set or TestSet()
    chosen = chosen_prompts(cube, test_set)
    rl_chosen = prompts_in(strengths[0], "RL-test", categories=rl_categories)
    prepared = prepare(cube, "accuracy", test_set)
    rm_BP = bootstrap.sample_and_counts(len(chosen), replicates, seed, bootstrap.RM_PROMPTS)
    drawn = draws(len(rl_chosen), cube.roles, replicates, seed)
    slope_BMM, gained_BMM = _slopes(strengths, spread, rl_chosen, drawn.prompts_BQ)

    def on_prompts(part: slice) -> _Slopes:
        """Accuracy on these of the chosen prompts beside the slopes."""
        accuracy_BC, defined_BC = prepared.overall(rm_BP[:, part], chosen[part])
        defined_BMM = defined_BC[:, prepared.column_MM] & gained_BMM & pair_MM
        return _Slopes(accuracy_BC[:, prepared.column_MM].astype(np.float64), slope_BMM, defined_BMM & defined_BMM[0])

    whole = on_prompts(slice(None))
    accuracy_MM, defined_MM = whole.accuracy_BMM[0], whole.defined_BMM[0]
    pairs = _always_defined(whole, on_prompts(slice(0, None, 2)), on_prompts(slice(1, None, 2)))
    return GoodhartSlopes(
        accuracy_MM=np.where(defined_MM, accuracy_MM, 0.0),
        slope_MM=np.where(defined_MM, slope_BMM[0], 0.0),
        curve_MM=np.where(defined_MM, slope_of_accuracy(accuracy_MM), 0.0),
        defined_MM=defined_MM,
        bins=tuple(_bin(member_MM, whole, drawn) for member_MM in _members(accuracy_MM, defined_MM, bins)),
        test=curve_test(pairs, bins=bins, rm_prompts=len(chosen), rl_prompts=len(rl_chosen)),
        replicates=replicates,
        seed=seed,
        shared_prompts=shared_prompts([cube.prompts[p] for p in chosen], [strengths[0].prompts[q] for q in rl_chosen]),
    )


class _Slopes(NamedTuple):
    """Accuracy and slope of all pairs, and where both are defined: `[1 + B, M, M]`, the sample first."""

    accuracy_BMM: Floats
    slope_BMM: Floats
    defined_BMM: Bools


def _always_defined(whole: _Slopes, first: _Slopes, second: _Slopes) -> Pairs:
    """The pairs that the test of the curve is over: those that are defined in every replicate, on both halves."""
    pair_MM = (whole.defined_BMM & first.defined_BMM & second.defined_BMM).all(axis=0)
    halves = (first.accuracy_BMM[:, pair_MM], second.accuracy_BMM[:, pair_MM])
    return Pairs(whole.accuracy_BMM[0][pair_MM], halves, whole.slope_BMM[:, pair_MM])


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
    strengths: Sequence[PolicyValues], spread_M: Floats, prompts: NDArray[np.int64], counts_BQ: Floats
) -> tuple[Floats, Bools]:
    """Slope `[1 + B, M, M]` of golden on proxy gain, and whether the proxy gains enough to speak of a slope."""
    B, M = len(counts_BQ), len(spread_M)
    products, squares = np.zeros((B, M, M)), np.zeros((B, 1, M))
    for values in strengths:
        gain_BMM = gains(values, prompts, counts_BQ) / spread_M[:, None]
        own = np.diagonal(gain_BMM, axis1=1, axis2=2)[:, None, :]  # of the proxy itself
        products += gain_BMM * own
        squares += own**2
    defined = np.broadcast_to(squares > _LEAST_SQUARES, products.shape)
    return np.divide(products, squares, out=np.zeros_like(products), where=defined), defined


def _members(accuracy_MM: Floats, defined_MM: Bools, bins: int) -> list[Bools]:
    """The pairs `[M, M]` of each bin: equally many by accuracy, but pairs of one accuracy stay together."""
    if not defined_MM.any():
        return []
    edges = np.unique(np.quantile(accuracy_MM[defined_MM], np.linspace(0, 1, bins + 1)[1:-1]))
    number_MM = np.searchsorted(edges, accuracy_MM, side="right")
    members = [defined_MM & (number_MM == number) for number in range(len(edges) + 1)]
    return [member for member in members if member.any()]


def _bin(member_MM: Bools, slopes: _Slopes, drawn: Drawn) -> SlopeBin:
    drawn_BMM = drawn.goldens_BM[:, :, None] * drawn.proxies_BM[:, None, :] * slopes.defined_BMM
    slope_B = _means(member_MM, drawn_BMM, slopes.slope_BMM)
    estimate = bootstrap.first_with_interval(slope_B, ~np.isnan(slope_B), drawn.models)
    accuracy_T = slopes.accuracy_BMM[0][member_MM]
    return SlopeBin(
        accuracy=float(accuracy_T.mean()),
        slope=float(slope_B[0]),
        low=estimate.low,
        high=estimate.high,
        curve=float(slope_of_accuracy(accuracy_T).mean()),
        pairs=int(member_MM.sum()),
    )


def _means(member_MM: Bools, weight_BMM: NDArray[Any], values_BMM: Floats) -> Floats:
    """Weighted means `[1 + B]` over a bin's pairs; NaN, in this module only, in replicates without any of them."""
    weight = weight_BMM[:, member_MM].astype(np.float64)
    total = weight.sum(axis=1)
    mean = (weight * values_BMM[:, member_MM]).sum(axis=1)
    return np.divide(mean, total, out=np.full_like(total, np.nan), where=total > 0)
