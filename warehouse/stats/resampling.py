"""What is resampled for the interval of a correlation over golden–proxy pairs: each row is one altered study.

METHOD, "Intervals". All rows are evaluated at once, so that measures and test sets share them and differences are
paired. The rows are

- the sample itself;
- the sample with each reward model left out in turn (jackknife): how much other reward models would change it; goldens
  that are no sample of reward models, such as labels, stay;
- the sample with the prompts of both sides drawn again: how much other prompts would change it;
- the same on one side only, with that side's noise added once, twice and three times: extrapolated back, this says what
  the noise that is already there has taken away (`noise`);
- the sample with the reward models of one side renamed by a random permutation: what comes out if nothing predicts.

A prompt draw is kept as its deviation from the sample; adding it √λ times adds λ times the noise's variance. Draws come
in pairs with opposite signs, which halves the Monte Carlo error or better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Bools, Floats

Ints = NDArray[np.int64]

NOISE_LEVELS = (1, 2, 3)
"""How many times the noise of a side is added."""

_MOST_ENTRIES = 2_500_000
_FEWEST = 160
_PERMUTED_SHARE = 5
_FEWEST_PERMUTED = 39  # with 19, no p-value is below 0.05, whatever the data say


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one study of M reward models; all arrays have one entry for each of `rows` rows.

    `rl_scale` and `rm_scale` are what the deviation of prompt draw `draw` is multiplied by on either side. `goldens`
    and `proxies` `[rows, M]` are 0 for what is not golden, no proxy, or left out; they are the same array where the
    same reward models are both. `order` `[rows, M]` renames reward models on the side of NDR. `left_out` are M rows,
    one for each reward model; those of the proxies, `inside` `[M]`, matter. Equal only to itself, so that it can be the
    key of a cache.
    """

    rl_scale: Floats
    rm_scale: Floats
    draw: Ints
    goldens: Floats
    proxies: Floats
    order: Ints
    inside: Bools
    left_out: slice
    prompts: slice
    rl_noise: tuple[slice, ...]
    rm_noise: tuple[slice, ...]
    permuted: slice

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.draw)

    @cached_property
    def draws(self) -> int:
        """How many prompt draws the rows use."""
        return int(self.draw.max()) + 1


def rows_for(goldens: tuple[bool, ...], proxies: tuple[bool, ...], replicates: int, seed: int) -> Rows:
    """The rows for M reward models, `replicates` of them with other prompts, fewer for very many reward models.

    `goldens` and `proxies` say which of them are which. Where the same are both, a reward model is left out as both;
    otherwise goldens are never left out. How many rows there are depends on M alone. The same arguments give the same
    object, whose arrays must not be written to. Raises InvalidChoice as `bootstrap.counts`.
    """
    M = len(goldens)
    bootstrap.check_replicates(replicates)
    drawn = max(min(replicates, _FEWEST), min(replicates, _MOST_ENTRIES // M**2))
    return _rows_for(goldens, proxies, drawn, seed)


@lru_cache(maxsize=32)
def _rows_for(goldens: tuple[bool, ...], proxies: tuple[bool, ...], replicates: int, seed: int) -> Rows:
    M = len(goldens)
    pairs = max(1, replicates // 8)  # a quarter of the rows draw both sides, in pairs of opposite sign
    each = max(min(pairs, 6), replicates // 64)
    permutations = max(_FEWEST_PERMUTED, replicates // _PERMUTED_SHARE - 1)
    sizes = [1, M, 2 * pairs, *[2 * each] * (2 * len(NOISE_LEVELS)), permutations]
    ends = np.cumsum(sizes).tolist()
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    left_out, prompts, permuted = parts[1], parts[2], parts[-1]
    rl_noise, rm_noise = tuple(parts[3 : 3 + len(NOISE_LEVELS)]), tuple(parts[3 + len(NOISE_LEVELS) : -1])

    rl_scale, rm_scale, draw = np.zeros(ends[-1]), np.zeros(ends[-1]), np.zeros(ends[-1], dtype=np.int64)
    signs = np.repeat([1.0, -1.0], pairs)
    draw[prompts] = np.tile(np.arange(pairs), 2)
    rl_scale[prompts] = rm_scale[prompts] = signs
    for side, scale in ((rl_noise, rl_scale), (rm_noise, rm_scale)):
        for level, part in zip(NOISE_LEVELS, side, strict=True):
            draw[part] = np.tile(np.arange(each), 2)
            scale[part] = np.repeat([1.0, -1.0], each) * np.sqrt(level)

    golden_M, proxy_M = np.array(goldens, dtype=bool), np.array(proxies, dtype=bool)
    of_proxies = np.repeat(proxy_M[None].astype(np.float64), ends[-1], axis=0)
    of_proxies[left_out][np.arange(M), np.arange(M)] = 0.0
    of_goldens = of_proxies
    if goldens != proxies:
        of_goldens = np.repeat(golden_M[None].astype(np.float64), ends[-1], axis=0)
    order = np.repeat(np.arange(M)[None], ends[-1], axis=0)
    rng = bootstrap.generator(seed, bootstrap.PERMUTATIONS)
    for group in (proxy_M & golden_M, proxy_M & ~golden_M):  # each by itself, or a golden would be its own proxy
        members = np.flatnonzero(group)
        order[permuted.start :, members] = rng.permuted(np.repeat(members[None], permutations, axis=0), axis=1)
    for array in (rl_scale, rm_scale, draw, of_goldens, of_proxies, order):
        array.setflags(write=False)
    slices = (left_out, prompts, rl_noise, rm_noise, permuted)
    return Rows(rl_scale, rm_scale, draw, of_goldens, of_proxies, order, proxy_M, *slices)
