"""What each prompt says about every golden–proxy pair: computed once (`preparation`), then only re-weighted.

METHOD, "Measures of a reward model": per prompt first, then averaged over prompts; a prompt on which a measure is
undefined has weight 0 and is counted. Only pairs are stored, as columns: C = M(M − 1), or half of that where a measure
is symmetric. Then a sample of prompts is a row of counts, and its values are a matrix product `[B, P] × [P, C]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.formulas import Measure
from warehouse.metrics.responses import Bools, Floats
from warehouse.metrics.roles import Roles
from warehouse.metrics.test_set import TestSet
from warehouse.stats import bootstrap

BLOCK_ENTRIES = 4_000_000
"""The most values that are copied at once."""

_SINGLE_FROM = 200_000_000
_DRAWN_ENTRIES = 400_000
_DECIMALS = {np.dtype(np.float64): 12, np.dtype(np.float32): 6}


def precision(B: int, entries: int) -> type[np.float32] | type[np.float64]:
    """The precision of `weighted_sums` over B rows of counts and this many values."""
    return np.float32 if B > 1 and B * entries > _SINGLE_FROM else np.float64


def weighted_sums(
    counts_BP: NDArray[np.floating],
    values_PC: NDArray[np.floating],
    prompts: NDArray[np.int64] | None = None,
    kind: type[np.float32] | type[np.float64] | None = None,
) -> NDArray[np.floating]:
    """Sums over prompts for each row of counts, `[B, C]`; `prompts` are the rows of the values that are counted.

    In double precision up to 2·10⁸ products, beyond that in single (7 digits; counts are exact in both): that is for
    the replicates of large studies, whose intervals matter to the third digit. One row is always in double. `kind`
    overrides that. Columns are summed block by block, so that no second copy of all values is made.
    """
    P, C = len(values_PC) if prompts is None else len(prompts), values_PC.shape[1]
    kind = kind or precision(len(counts_BP), P * C)
    counts = counts_BP.astype(kind, copy=False)
    sums: NDArray[np.floating] = np.empty((len(counts), C), dtype=kind)
    step = max(1, BLOCK_ENTRIES // max(1, P))
    for start in range(0, C, step):
        block_PC = values_PC[:, start : start + step]
        block_PC = block_PC if prompts is None else block_PC[prompts]
        sums[:, start : start + step] = counts @ block_PC.astype(kind, copy=False)
    return sums


def settled(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Values of any shape without their last digits, in place.

    Rounding in a matrix product must not break a tie of two pairs.
    """
    return np.round(values, _DECIMALS[values.dtype], out=values)


@dataclass(frozen=True)
class PromptValues:
    """A measure's value on each of P prompts for each of C columns; `column_MM` says which column is which pair.

    Those are pairs of the `roles`; the column of another pair means nothing.
    `values_TPC` is 0 where undefined. `undefined_rows` are the prompts with undefined cells, `undefined_UC` (0 or 1)
    these cells. T is 1 but for the calibration error, whose T bins become one figure after weighting. `test_set` is
    what the values depend on.
    """

    measure: Measure
    test_set: TestSet
    values_TPC: Floats
    undefined_rows: NDArray[np.int64]
    undefined_UC: Floats
    column_MM: NDArray[np.int64]
    roles: Roles
    _drawn: dict[tuple[int, int, bytes], tuple[NDArray[np.floating], Bools]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def drawn_overall(
        self, prompts: NDArray[np.int64], replicates: int, seed: int
    ) -> tuple[NDArray[np.floating], Bools]:
        """`overall` in bootstrap replicates of these prompts `[P]`, cached if small; the arrays must not be written to.

        They do not depend on policies, so another optimiser, strength or correlation finds them in the cache.
        """
        key = (replicates, seed, prompts.tobytes())
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = self.overall(bootstrap.counts(len(prompts), replicates, seed, bootstrap.RM_PROMPTS), prompts)
            self._drawn[key] = drawn
            entries = 0
            for cached, (values_BC, _) in reversed(list(self._drawn.items())):  # a copy: sessions share these values
                entries += values_BC.size
                if entries > _DRAWN_ENTRIES:
                    self._drawn.pop(cached, None)
        return drawn

    def overall(
        self, counts_BP: NDArray[np.floating], prompts: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.floating], Bools]:
        """The measure over these prompts (all, if not given) in one figure, and where it is defined: both `[B, C]`.

        `counts_BP` says how often each of the prompts occurs in each of B samples.
        """
        P = self.values_TPC.shape[1]
        if prompts is not None and len(prompts) == P:
            prompts = None
        sums = [weighted_sums(counts_BP, values, prompts) for values in self.values_TPC]
        weight = np.repeat(counts_BP.sum(axis=1, dtype=np.float64)[:, None], self.values_TPC.shape[2], axis=1)
        place = np.full(P, -1)
        place[slice(None) if prompts is None else prompts] = np.arange(counts_BP.shape[1])
        counted = place[self.undefined_rows] >= 0
        if counted.any():
            weight -= weighted_sums(counts_BP[:, place[self.undefined_rows[counted]]], self.undefined_UC[counted])
        defined = weight > 0
        total = sums[0] if len(sums) == 1 else -np.sum([np.abs(part) for part in sums], axis=0)
        overall = np.divide(total, weight, out=np.zeros_like(total), where=defined, casting="same_kind")
        return settled(overall), defined

    def undefined_cells(self, prompts: NDArray[np.int64], pair_MM: Bools) -> int:
        """How many cells of these prompts `[P]` and pairs have weight 0."""
        used = self.undefined_UC[np.isin(self.undefined_rows, prompts)].sum(axis=0)
        return int(used[self.column_MM[pair_MM]].sum())

    def serves(self, roles: Roles) -> bool:
        """Whether there are values of all pairs of these roles."""
        return roles == self.roles or not bool((roles.pairs_MM & ~self.roles.pairs_MM).any())
