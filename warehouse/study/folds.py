"""Which prompts measure reward models and which value policies, where a run has the same prompts on both sides.

METHOD, "The same prompts on both sides". Then accuracy and NDR share the noise of each prompt's responses, and even
scorers of pure noise seem to predict. So the prompts are split at random into halves: reward models are measured on
one, policies valued on the other, both ways, several splits averaged (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.schema import SAME_PROMPT
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Counts

Ints = NDArray[np.int64]

SPLITS = 3
FEWEST = 4
"""Prompts that it takes to have two in each half."""


@dataclass(frozen=True)
class Fold:
    """Prompts by their places among those chosen on either side, and how often each is drawn in each prompt draw.

    `rm_counts_BP`, `rl_counts_BQ`: `[draws, prompts of this fold]`.
    """

    rm_prompts: Ints
    rl_prompts: Ints
    rm_counts_BP: Counts
    rl_counts_BQ: Counts


@dataclass(frozen=True)
class Folds:
    """The folds of a choice of prompts, and how many prompts are on both sides; no folds if those are too few."""

    folds: tuple[Fold, ...]
    shared: int


def shared_prompts(rm_names: Sequence[str], rl_names: Sequence[str]) -> int:
    """How many prompts are on both sides, under the same name or stored once for each (`schema.SAME_PROMPT`)."""
    rm, rl = _unmarked(rm_names, rl_names)
    return len(set(rm) & set(rl))


def _unmarked(rm_names: Sequence[str], rl_names: Sequence[str]) -> tuple[list[str], list[str]]:
    rm_mark, rl_mark = SAME_PROMPT["rm_test"], SAME_PROMPT["rl_test"]
    return [name.removesuffix(rm_mark) for name in rm_names], [name.removesuffix(rl_mark) for name in rl_names]


def cross_fitted(rm_names: Sequence[str], rl_names: Sequence[str], draws: int, seed: int) -> Folds:
    """The folds of prompts that are on both sides, drawn together in each prompt draw.

    A prompt that is on one side only is in a half too, and is used when that half has its side's turn.
    """
    rm_names, rl_names = _unmarked(rm_names, rl_names)
    names = sorted({*rm_names, *rl_names})
    number = {name: place for place, name in enumerate(names)}
    rm, rl = (np.array([number[name] for name in side], dtype=np.int64) for side in (rm_names, rl_names))
    shared = shared_prompts(rm_names, rl_names)
    counts_BU = bootstrap.counts(len(names), draws, seed, bootstrap.RM_PROMPTS)
    rng = bootstrap.generator(seed, bootstrap.HALVES)
    on_rm, on_rl = (np.isin(np.arange(len(names)), side) for side in (rm, rl))
    parts = on_rm & on_rl, on_rm & ~on_rl, on_rl & ~on_rm
    folds = []
    for _ in range(SPLITS):
        first = np.zeros(len(names), dtype=bool)
        for part in parts:  # each by itself, so that either half has its share of all kinds
            places = rng.permutation(np.flatnonzero(part))
            first[places[: len(places) // 2]] = True
        for measured in (first, ~first):
            rm_prompts, rl_prompts = np.flatnonzero(measured[rm]), np.flatnonzero(~measured[rl])
            if min(len(rm_prompts), len(rl_prompts)) * 2 < FEWEST:
                return Folds((), shared)
            folds.append(Fold(rm_prompts, rl_prompts, counts_BU[:, rm[rm_prompts]], counts_BU[:, rl[rl_prompts]]))
    return Folds(tuple(folds), shared)
