"""What a run can tell and what would decide the rest: the smallest effect it detects, and sizes that detect an effect.

METHOD, "Resolution". The sampling variance of a Kendall τ, or of a sum of several with weights, is split into what
comes of

- reward models: the delete-one jackknife, ∝ 1/M;
- RM-test prompts and RL-test prompts: the altered studies in which that side's prompts are drawn again, ∝ 1/P and 1/Q;
- the seeds of training, where policies have repeats: their share of the noise on the side of RL-test prompts, ∝ 1/S for
  S seeds, and ∝ 1/M as each policy has seeds of its own.

The jackknife contains the prompts' noise too, up to twice: a pair's noise moves the influence of both its members.
That part falls with the prompts. As in `comparison`, reward models and prompts add up for a τ, and the greater of them
counts for a difference. An effect is detected with 80 % power if it is t₀.₉₇₅ + t₀.₈ standard errors. Sizes are for an
effect that somebody names, or that matters: the power at the observed one only repeats its p-value (Hoenig and Heisey
2001).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import NamedTuple

import numpy as np

from warehouse.stats import intervals
from warehouse.stats.bootstrap import LEVEL, Estimate
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows
from warehouse.study.comparison import shared_rows
from warehouse.study.correlation import less_noise
from warehouse.study.evaluate import Replicated
from warehouse.study.power import POWER

MOST_MODELS = 10_000
MOST_PROMPTS = 10_000_000
MOST_SEEDS = 1_000
"""Sizes beyond which none suffices."""

_FEWEST = 3


class Sizes(NamedTuple):
    """Reward models, RM-test prompts and RL-test prompts."""

    reward_models: int
    rm_prompts: int
    rl_prompts: int


@dataclass(frozen=True)
class Variances:
    """Parts of a figure's sampling variance.

    `models` is that of reward models alone; `models_noise` what prompts add to the jackknife, of which `rm_share` is
    due to RM-test prompts; `least` the smallest that the variance over reward models may be. `both`: reward models and
    prompts add up, else the greater counts. `corrected` is the number of reward models for which the jackknife is
    corrected (`intervals.small_sample`), 0 if it is not. `training` is the part of the seeds, `seeds` of each policy.
    """

    models: float
    models_noise: float
    rm_prompts: float
    rl_prompts: float
    least: float
    degrees: float
    both: bool
    corrected: int = 0
    training: float = 0.0
    seeds: int = 1

    def of_wider(self, times: float) -> Variances:
        """Those of a standard error `times` as great, as an interval for several figures at once has."""
        parts = ("models", "models_noise", "rm_prompts", "rl_prompts", "training", "least")
        return replace(self, **{name: times**2 * getattr(self, name) for name in parts})

    def standard_error(
        self, models: float = 1.0, rm_prompts: float = 1.0, rl_prompts: float = 1.0, seeds: float = 1.0
    ) -> float:
        """At these multiples of the sizes of the run."""
        now = self.rm_prompts + self.rl_prompts + self.training
        then = self.rm_prompts / rm_prompts + self.rl_prompts / rl_prompts + self.training / seeds
        noise = self.models_noise * (then / now if now > 0 else 0.5 / rm_prompts + 0.5 / rl_prompts)
        of_models = max(self.models + noise, self.least) / models
        of_models *= intervals.small_sample(models * self.corrected) if self.corrected else 1.0
        of_noise = self.rm_prompts / rm_prompts + self.rl_prompts / rl_prompts + self.training / (seeds * models)
        return float(np.sqrt(of_models + of_noise if self.both else max(of_models, of_noise)))


@dataclass(frozen=True)
class Resolution:
    """What would decide a figure that cannot be told, by `effect`.

    `detectable` is the smallest effect that the run detects with 80 % power. Each of `reward_models`, `rm_prompts` and
    `rl_prompts` is how many would detect `effect` with the other sizes as they are, None if no number suffices; `all`
    grows the three together. `seeds` is the same for the seeds of each policy, of which there are `seeds_now`, 0 if the
    noise of training is not known. `sizes` are those of the run. If not `split`, what each side adds is unknown, and
    `all` is all there is.
    """

    effect: float
    detectable: float
    sizes: Sizes
    reward_models: int | None
    rm_prompts: int | None
    rl_prompts: int | None
    all: Sizes | None
    split: bool = True
    seeds: int | None = None
    seeds_now: int = 0


def of_correlation(part: Replicated) -> Variances | None:
    """The variance of a Kendall τ on this test set."""
    figure = part.pooled["kendall"]
    if not figure[1][0]:
        return None
    factor = less_noise(part.rows, "kendall", figure, part.rm_noise).factor
    least = factor**2 * intervals.least_variance(part.rows, figure)
    parts = variances(part.rows, (factor * figure[0], figure[1]), both=True, least=least)
    parts = parts and _with_seeds(parts, [part])
    return parts and replace(parts, corrected=len(intervals.without_each(part.rows, figure)))


def of_contrast(parts: Sequence[tuple[float, Replicated]]) -> Variances | None:
    """The variance of a weighted sum of Kendall τ, such as a difference."""
    if not parts:
        return None
    value_B = np.sum([weight * part.pooled["kendall"][0] for weight, part in parts], axis=0)
    defined_B = np.all([part.pooled["kendall"][1] for _, part in parts], axis=0)
    of_sum = variances(shared_rows([part for _, part in parts]), (value_B, defined_B), both=False)
    return of_sum and _with_seeds(of_sum, [part for _, part in parts])


def of_difference_without_noise(first: Replicated, second: Replicated) -> Variances | None:
    """The variance of a difference of which the noise of the policies' values is taken off (`without_noise`)."""
    sides = []
    for part in (first, second):
        value_B, defined_B = part.pooled["kendall"]
        if not defined_B[0]:
            return None
        sides.append(
            (less_noise(part.rows, "kendall", (value_B, defined_B), part.rm_noise).factor * value_B, defined_B)
        )
    (left_B, left_defined_B), (right_B, right_defined_B) = sides
    figure = left_B - right_B, left_defined_B & right_defined_B
    parts = variances(shared_rows([first, second]), figure, both=True)
    return parts and _with_seeds(parts, [first, second])


def _with_seeds(parts: Variances, of: Sequence[Replicated]) -> Variances:
    """With the part of the seeds apart from that of RL-test prompts: by its share in the noisiest of these."""
    noisiest = max(
        of, key=lambda part: float(intervals.defined_in(part.rows.rl_noise[0], part.pooled["kendall"]).var())
    )
    training = noisiest.training_share * parts.rl_prompts
    seeds = noisiest.evaluation.repeats
    return replace(parts, rl_prompts=parts.rl_prompts - training, training=training, seeds=seeds)


def of_interval(estimate: Estimate, sizes: Sizes, effect: float) -> Resolution | None:
    """What detects `effect` by a figure's bootstrap interval alone, whose variance falls as all sizes grow together."""
    if estimate.low is None or estimate.high is None:
        return None
    standard_error = (estimate.high - estimate.low) / (2.0 * intervals.t_quantile(inf))
    smallest = (intervals.t_quantile(inf) + intervals.t_quantile(inf, 2.0 * POWER - 1.0)) * standard_error
    grow = max(1.0, (smallest / effect) ** 2)
    grown = Sizes(*(ceil(grow * size) for size in sizes))
    together = grown if grown.reward_models <= MOST_MODELS else None
    return Resolution(
        effect, smallest, sizes, reward_models=None, rm_prompts=None, rl_prompts=None, all=together, split=False
    )


def variances(rows: Rows, figure: Figure, *, both: bool, least: float = 0.0) -> Variances | None:
    """The parts of the variance of a figure `[rows]`; None if it, or too many of the altered studies, are undefined."""
    value_B, defined_B = figure
    left_out = intervals.without_each(rows, figure)
    drawn = [value_B[part][defined_B[part]] for part in (rows.rm_noise[0], rows.rl_noise[0])]
    if not defined_B[0] or len(left_out) < _FEWEST or min(map(len, drawn)) < 2:
        return None
    jackknife = intervals.jackknife(left_out)
    rm_prompts, rl_prompts = (float(values.var()) for values in drawn)
    models = max(0.0, jackknife.variance - 2.0 * (rm_prompts + rl_prompts))
    return Variances(
        models=models,
        models_noise=jackknife.variance - models,
        rm_prompts=rm_prompts,
        rl_prompts=rl_prompts,
        least=least,
        degrees=jackknife.degrees if both else len(left_out) - 1.0,
        both=both,
    )


def resolution(parts: Variances, sizes: Sizes, effect: float) -> Resolution:
    """What detects `effect`, which is above 0, in a run of these sizes."""

    def detects(models: float = 1.0, rm_prompts: float = 1.0, rl_prompts: float = 1.0, seeds: float = 1.0) -> bool:
        return detectable(parts, models, rm_prompts, rl_prompts, seeds) <= effect

    (M, P, Q), S = sizes, parts.seeds
    together = _least(lambda size: detects(size / M, size / M, size / M), M, MOST_MODELS)
    return Resolution(
        effect=effect,
        detectable=detectable(parts),
        sizes=sizes,
        reward_models=_least(lambda size: detects(models=size / M), M, MOST_MODELS),
        rm_prompts=_least(lambda size: detects(rm_prompts=size / P), P, MOST_PROMPTS),
        rl_prompts=_least(lambda size: detects(rl_prompts=size / Q), Q, MOST_PROMPTS),
        all=None if together is None else Sizes(together, ceil(together * P / M), ceil(together * Q / M)),
        seeds=_least(lambda size: detects(seeds=size / S), S, MOST_SEEDS) if parts.training > 0 else None,
        seeds_now=S if parts.training > 0 else 0,
    )


def detectable(
    parts: Variances, models: float = 1.0, rm_prompts: float = 1.0, rl_prompts: float = 1.0, seeds: float = 1.0
) -> float:
    """The smallest effect that is detected with 80 % power at these multiples of the sizes of the run."""
    degrees = parts.degrees * models
    quantiles = intervals.t_quantile(degrees) + intervals.t_quantile(degrees, 2.0 * POWER - 1.0)
    return quantiles * parts.standard_error(models, rm_prompts, rl_prompts, seeds)


def width(
    parts: Variances, models: float = 1.0, rm_prompts: float = 1.0, rl_prompts: float = 1.0, seeds: float = 1.0
) -> float:
    """How wide the 95 % interval is at these multiples of the sizes of the run."""
    standard_error = parts.standard_error(models, rm_prompts, rl_prompts, seeds)
    return 2.0 * intervals.t_quantile(parts.degrees * models, LEVEL) * standard_error


def _least(enough: Callable[[int], bool], at_least: int, at_most: int) -> int | None:
    """The smallest size from `at_least` that is enough, as all greater ones are; None if not even the greatest is."""
    if not enough(at_most):
        return None
    low, high = at_least - 1, at_most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
