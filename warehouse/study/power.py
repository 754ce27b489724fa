"""How many prompts tell two reward models apart, and how that number falls with the responses to each prompt.

A figure of two reward models on a golden is a ratio of means over prompts: of measures over the prompts on which they
are defined, of golden scores over the golden's own gain. Its linearisation gives every prompt one value, whose mean is
the figure and whose variance V divides by the number of prompts. V falls with the responses r of a prompt as
`between + first/r + second/(r(r − 1))`: exactly so for a mean over responses or over pairs of them (Hoeffding 1948),
nearly for best-of-n, whose part between prompts is the covariance of two halves of the samples. V is measured on
subsets of the responses, and the parts are fitted, none below 0. Of other figures V is known only up to R responses.

Intervals, power and numbers of prompts are those of Student's t at a two-sided 5 %. Power is asked for differences that
somebody names: the power at the observed difference only repeats its p-value (Hoenig and Heisey 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.stats.bootstrap import LEVEL, TEST_SET, Bools, Estimate, Floats, generator

POWER = 0.8
DIFFERENCES = (0.01, 0.02, 0.05)
"""Differences for which prompts are counted unless others are named: shares of pairs, or of the golden's own gain."""

FEWEST_PROMPTS = 20
MOST_PROMPTS = 10_000_000
_GRID = 6
_MOST_SUBSETS, _FEWEST_SUBSETS = 20, 4
_ENTRIES = 200_000_000


class Terms(NamedTuple):
    """What each of P prompts adds to the two means of which a figure is the ratio, for G goldens: both `[G, P]`."""

    numerator_GP: Floats
    denominator_GP: Floats


@dataclass(frozen=True)
class Draws:
    """The terms of a figure as a function of which responses are used, given by their numbers `[r]`.

    A prompt has `responses`, of which at least `fewest` are needed. `order` is 1 for a mean over responses, 2 for one
    over pairs of them, n for best-of-n, None for other figures. `goldens` names axis G; `undefined_goldens` are left
    out of it.
    """

    goldens: tuple[str, ...]
    undefined_goldens: tuple[str, ...]
    responses: int
    fewest: int
    order: int | None
    terms: Callable[[NDArray[np.int64]], Terms]


@dataclass(frozen=True)
class Spread:
    """Variance of a prompt's value by the number of responses: as `measured`, and between them and beyond as fitted.

    `parts` are `between, first, second` of the module's formula; None if they are not known, and neither is what more
    responses would do.
    """

    measured: Mapping[int, float]
    parts: tuple[float, float, float] | None

    def at(self, responses: int) -> float | None:
        """The variance at this number of responses; None if it cannot be known."""
        most = max(self.measured)
        if responses in self.measured:
            return self.measured[responses]
        if self.parts is None or responses < min(self.measured):
            return None
        between, within = self.parts[0], self.measured[most] - self.parts[0]
        fitted, fitted_most = (self._within(number) for number in (responses, most))
        return between + within * fitted / fitted_most if fitted_most > 0 and within > 0 else self.measured[most]

    def _within(self, responses: int) -> float:
        assert self.parts is not None
        return sum(part * term for part, term in zip(self.parts[1:], _terms_of(responses), strict=True))


class Needed(NamedTuple):
    """Prompts, each with this many responses, that show a difference; None as of `Resolution.prompts_for`."""

    responses: int
    difference: float
    prompts: int | None


@dataclass(frozen=True)
class Resolution:
    """What a run tells about the difference of two reward models, first minus second, averaged over `goldens`.

    `undefined` counts the (golden, prompt) values that are ignored. The goldens and the trained reward models and
    policies are taken as they are: another training run is not part of the interval.
    """

    difference: Estimate
    standard_error: float
    prompts: int
    responses: int
    goldens: tuple[str, ...]
    undefined_goldens: tuple[str, ...]
    undefined: int
    spread: Spread

    def detectable(self, power: float = POWER) -> float | None:
        """The smallest difference that this many prompts and responses show with this power.

        None if the two are equal on all prompts. Raises InvalidChoice for a power that is not between 0.5 and 1.
        """
        return self.standard_error * _reach(self.prompts, power) if self.standard_error > 0 else None

    def prompts_for(self, difference: float, power: float = POWER, responses: int | None = None) -> int | None:
        """The number of prompts, each with this many responses (default: as now), that show a difference.

        None if the variance at this number of responses is unknown or 0, or beyond MOST_PROMPTS. Raises InvalidChoice
        for a difference of 0 and a power that is not between 0.5 and 1.
        """
        variance = self.spread.at(self.responses if responses is None else responses)
        return None if not variance else prompts_needed(variance, difference, power)

    def needed(self, differences: Sequence[float], power: float = POWER) -> list[Needed]:
        """`prompts_for` each difference at each of `numbers_of_responses`."""
        return [
            Needed(responses, difference, self.prompts_for(difference, power, responses))
            for responses in self.numbers_of_responses()
            for difference in differences
        ]

    def numbers_of_responses(self) -> tuple[int, ...]:
        """Numbers of responses to compare: the fewest, some more, as now, and if it is known 2 and 4 times as many."""
        measured, R = sorted(self.spread.measured), self.responses
        fewer = {measured[0], measured[len(measured) // 2], R}
        return tuple(sorted(fewer if self.spread.parts is None else fewer | {2 * R, 4 * R}))


def prompts_needed(variance: float, difference: float, power: float = POWER) -> int | None:
    """The smallest number of prompts whose mean shows a difference with this power; None beyond MOST_PROMPTS.

    `variance` is that of a prompt's value. Raises as `Resolution.prompts_for`.
    """
    if not 0 < abs(difference) < inf:
        raise InvalidChoice(f"difference is {difference:g}; prompts can be counted for any other than 0, such as 0.02")

    def enough(prompts: int) -> bool:
        return sqrt(variance / prompts) * _reach(prompts, power) <= abs(difference)

    if not enough(MOST_PROMPTS):
        return None
    low, high = FEWEST_PROMPTS - 1, MOST_PROMPTS  # the answer is above low, and at most high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@cache  # the same few hundred, whatever the variance
def _reach(prompts: int, power: float) -> float:
    """How many standard errors a difference has to be for this power."""
    if not 0.5 <= power < 1:
        raise InvalidChoice(f"power is {power:g}; it has to be from 0.5 to below 1, such as 0.8")
    return _t(prompts, 0.5 + LEVEL / 2) + _t(prompts, power)


def _t(prompts: int, share: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(prompts - 1, share))


def resolution(draws: Draws, seed: int = 0) -> Resolution:
    """The difference now, with its t interval, and how its variance depends on the responses.

    `seed` chooses subsets of the responses where there are too many. Raises InvalidChoice for fewer than two prompts,
    or if the figure is undefined on all of them.
    """
    terms = draws.terms(np.arange(draws.responses))
    G, P = terms.numerator_GP.shape
    if P < 2:
        raise InvalidChoice(f"comparing two reward models needs two prompts or more; there are {P}")
    if not terms.denominator_GP.any():
        raise InvalidChoice(f"no golden tells any responses apart on these {P} prompts, so nothing is to be compared")
    now_P = linearised(terms)
    variance = _variance(now_P)
    measured: dict[int, float] = {}
    for responses in _numbers(draws.fewest, draws.responses):
        subsets = _subsets(draws.responses, responses, _ENTRIES // (G * P * responses**2), seed)
        measured[responses] = float(np.mean([_variance(linearised(draws.terms(columns))) for columns in subsets]))
    measured[draws.responses] = variance
    return Resolution(
        difference=t_interval(now_P),
        standard_error=sqrt(variance / P),
        prompts=P,
        responses=draws.responses,
        goldens=draws.goldens,
        undefined_goldens=draws.undefined_goldens,
        undefined=int((terms.denominator_GP == 0).sum()),
        spread=Spread(measured, _parts(draws, measured, seed)),
    )


def linearised(terms: Terms) -> Floats:
    """One value per prompt `[P]`: their mean is the ratio of means, averaged over goldens (denominators above 0)."""
    clear = terms.denominator_GP.mean(axis=1) > 0
    numerator_GP, denominator_GP = terms.numerator_GP[clear], terms.denominator_GP[clear]
    means_G1 = denominator_GP.mean(axis=1, keepdims=True)
    ratio_G1 = numerator_GP.mean(axis=1, keepdims=True) / means_G1
    values_P: Floats = (ratio_G1 + (numerator_GP - ratio_G1 * denominator_GP) / means_G1).mean(axis=0)
    return values_P


def t_interval(values_P: Floats) -> Estimate:
    """The mean of the prompts' values `[P]` with its 95 % t interval."""
    mean, margin = (
        float(values_P.mean()),
        _t(len(values_P), 0.5 + LEVEL / 2) * sqrt(_variance(values_P) / len(values_P)),
    )
    return Estimate(mean, mean - margin, mean + margin, replicates=0)


def clearly_positive(values_GP: Floats) -> Bools:
    """Whether the mean of each row has a 95 % t interval above 0: `[G]`."""
    P = values_GP.shape[1]
    margin_G = _t(P, 0.5 + LEVEL / 2) * values_GP.std(axis=1, ddof=1) / sqrt(P)
    clear: Bools = values_GP.mean(axis=1) > margin_G
    return clear


def _variance(values_P: Floats) -> float:
    """The sample variance; what is only rounding counts as 0."""
    variance = float(values_P.var(ddof=1))
    return variance if variance > 1e-20 else 0.0


def _numbers(fewest: int, most: int) -> list[int]:
    """The numbers of responses on which the variance is measured, besides all of them."""
    if most - fewest < _GRID:
        return list(range(fewest, most))
    return sorted({round(fewest * (most / fewest) ** (step / _GRID)) for step in range(_GRID)})


def _subsets(most: int, responses: int, affordable: int, seed: int) -> list[NDArray[np.int64]]:
    count = min(_MOST_SUBSETS, max(_FEWEST_SUBSETS, affordable))
    if comb(most, responses) <= count:
        return [np.array(columns) for columns in combinations(range(most), responses)]
    rng = generator(seed, TEST_SET, f"{responses} responses")
    return [np.sort(rng.permutation(most)[:responses]) for _ in range(count)]


def _terms_of(responses: int) -> tuple[float, float]:
    return 1.0 / responses, 1.0 / (responses * (responses - 1)) if responses > 1 else 0.0


def _parts(draws: Draws, measured: Mapping[int, float], seed: int) -> tuple[float, float, float] | None:
    """`between, first, second` by least squares of relative errors; see the module."""
    from scipy.optimize import nnls

    points = {responses: variance for responses, variance in measured.items() if variance > 0}
    if len(points) < 2 or draws.order is None:
        return None
    rows = np.array([(1.0, *_terms_of(responses)) for responses in points])
    variances = np.array([*points.values()])
    design, target = rows / variances[:, None], np.ones(len(points))
    if draws.order <= 2:
        columns = 3 if draws.order == 2 and len(points) > 2 else 2
        between, first, *second = nnls(design[:, :columns], target)[0]
        return float(between), float(first), float(second[0]) if second else 0.0
    if draws.responses < 2 * draws.fewest:
        return None
    between = min(max(_between(draws, seed), 0.0), measured[draws.responses])
    first, second_part = nnls(design[:, 1:], np.maximum(target - between / variances, 0.0))[0]
    return between, float(first), float(second_part)


def _between(draws: Draws, seed: int) -> float:
    """Covariance over prompts of the values of two halves of the responses, averaged over splits."""
    rng, half = generator(seed, TEST_SET, "halves of the responses"), draws.responses // 2
    covariances = []
    for _ in range(_FEWEST_SUBSETS * 3):
        order = rng.permutation(draws.responses)
        first_P, second_P = (linearised(draws.terms(np.sort(part))) for part in (order[:half], order[half : 2 * half]))
        covariances.append(np.cov(np.stack([first_P, second_P]))[0, 1])
    return float(np.mean(covariances))
