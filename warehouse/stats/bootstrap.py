"""Bootstrap: how often each unit stands in each replicate, and the percentile interval of what comes of it.

METHOD, "Correlation with regret": reward models and prompts are drawn with replacement, together. A replicate
is a row of counts, never a copy of the data, so a figure on it is a re-weighting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice

Counts = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 0.95
REWARD_MODELS, RM_PROMPTS, RL_PROMPTS, ANNOTATOR, TEST_SET, PARAPHRASES = range(6)
"""What is drawn at random in this package, each from its own stream (`generator`): the reward models, RM-test prompts
and RL-test prompts of a bootstrap replicate, an annotator's noise, the prompts of a test set, and which prompts are
paraphrased. A new purpose gets the next number: the other numbers decide published figures."""

_REMEMBERED_ENTRIES = 10_000_000
_STEP_ENTRIES = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where undefined. `replicates` counts those in which it was defined."""

    value: float | None
    low: float | None
    high: float | None
    replicates: int


def counts(size: int, replicates: int, seed: int, stream: int) -> Counts:
    """How often each of `size` units stands in each replicate: `[B, size]`, whole numbers that sum to `size` per row.

    The same arguments give the same array, which must not be written to. Raises InvalidChoice for no replicates or a
    negative seed.
    """
    if replicates < 1:
        raise InvalidChoice(f"replicates is {replicates}; the bootstrap takes 1 or more")
    draw = _remembered if size * replicates <= _REMEMBERED_ENTRIES else _draw
    return draw(size, replicates, seed, stream)


def generator(seed: int, stream: int, name: str = "") -> np.random.Generator:
    """A random generator for one purpose of a seed, independent of those for other purposes and names.

    All random choices of this package come from here. `name` separates choices of the same purpose, such as the
    annotators of two reward models. Raises InvalidChoice for a negative seed.
    """
    if seed < 0:
        raise InvalidChoice(f"seed is {seed}; it has to be 0 or more")
    return np.random.default_rng((seed, stream, *name.encode()))


def _draw(size: int, replicates: int, seed: int, stream: int) -> Counts:
    rng = generator(seed, stream)
    drawn = np.empty((replicates, size), dtype=np.float32)
    step = max(1, _STEP_ENTRIES // size)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        units = rng.integers(0, size, (rows, size), dtype=np.int32).astype(np.int64)
        units += np.arange(rows)[:, None] * size
        drawn[start : start + rows] = np.bincount(units.ravel(), minlength=rows * size).reshape(rows, size)
    drawn.setflags(write=False)
    return drawn


_remembered = lru_cache(maxsize=6)(_draw)


def estimate(value: float, defined: bool, value_B: Floats, defined_B: Bools) -> Estimate:
    """The sample's figure with the percentile interval over the replicates in which it is defined."""
    drawn = value_B[defined_B]
    if not defined or len(drawn) == 0:
        return Estimate(None, None, None, len(drawn))
    low, high = interval(drawn)
    return Estimate(float(value), float(low), float(high), len(drawn))


def interval(drawn_B: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Lower and upper end of the 95 % percentile interval over the first axis, as `np.percentile` has it.

    Sorting each column in one piece takes a fraction of the time.
    """
    tail = 0.5 * (1.0 - LEVEL)
    ordered = np.sort(np.ascontiguousarray(np.moveaxis(drawn_B, 0, -1)), axis=-1)
    return _quantile(ordered, tail), _quantile(ordered, 1.0 - tail)


def _quantile(ordered: NDArray[np.floating], share: float) -> Floats:
    """Between the two neighbours of the last axis that the share falls between, in proportion."""
    place = share * (ordered.shape[-1] - 1)
    below = int(place)
    here, following = (ordered[..., min(at, ordered.shape[-1] - 1)].astype(np.float64) for at in (below, below + 1))
    found: Floats = here + (place - below) * (following - here)
    return found
