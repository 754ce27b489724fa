"""What each prompt says about every golden–proxy pair: made once, then only re-weighted.

METHOD: "all per prompt first, then averaged over prompts with weights"; a prompt on which a measure is undefined has
weight 0 and is counted. Only pairs are kept, as columns: C = M(M − 1), or half of that where a measure is symmetric.
Then a sample of prompts is a row of counts, and its errors are a matrix product `[B, P] × [P, C]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.measures import annotation, bootstrap
from warehouse.measures.catalogue import measure_named
from warehouse.measures.cube import ScoreCube
from warehouse.measures.responses import Bools, Floats, Responses
from warehouse.measures.rm_error import Measure, Terms
from warehouse.measures.test_set import TestSet, check

_CHUNK_ENTRIES = 400_000
_SINGLE_FROM = 200_000_000
_DRAWN_ENTRIES = 400_000
_DECIMALS = {np.dtype(np.float64): 12, np.dtype(np.float32): 6}


def precision(B: int, entries: int) -> type[np.float32] | type[np.float64]:
    """The precision of `weighted_sums` over B rows of counts and so many values."""
    return np.float32 if B > 1 and B * entries > _SINGLE_FROM else np.float64


def weighted_sums(counts_BP: NDArray[np.floating], values_PC: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sums over prompts for each row of counts, `[B, C]`.

    In double precision up to 2·10⁸ products, beyond that in single (7 digits; counts are exact in both): that is for
    the replicates of large studies, whose intervals hang on the third digit. One row is always in double.
    """
    kind = precision(len(counts_BP), values_PC.size)
    sums: NDArray[np.floating] = counts_BP.astype(kind, copy=False) @ values_PC.astype(kind, copy=False)
    return sums


def settled(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Values without their last digits, in place: rounding in a matrix product must not break a tie of two pairs."""
    return np.round(values, _DECIMALS[values.dtype], out=values)


@dataclass(frozen=True)
class PromptValues:
    """A measure's value on each of P prompts for each of C columns; `column_MM` says which column is which pair.

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
    _drawn: dict[tuple[int, int, bytes], tuple[NDArray[np.floating], Bools]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def drawn_errors(
        self, prompts: NDArray[np.int64], replicates: int, seed: int
    ) -> tuple[NDArray[np.floating], Bools]:
        """`errors` in bootstrap replicates of these prompts; the last are kept, not to be written to, if few.

        They do not hang on policies, so that another optimizer, strength or correlation has them at hand.
        """
        key = (replicates, seed, prompts.tobytes())
        found = self._drawn.get(key)
        if found is None:
            found = self.errors(bootstrap.counts(len(prompts), replicates, seed, bootstrap.RM_PROMPTS), prompts)
            self._drawn[key] = found
            kept = 0
            for one, (errors, _) in reversed(list(self._drawn.items())):  # a copy: sessions share these values
                kept += errors.size
                if kept > _DRAWN_ENTRIES:
                    self._drawn.pop(one, None)
        return found

    def errors(
        self, counts_BP: NDArray[np.floating], prompts: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.floating], Bools]:
        """Errors `[B, C]` and where they are defined, for each row of counts of `prompts` (all, if not given)."""
        P = self.values_TPC.shape[1]
        some = prompts is not None and len(prompts) < P
        sums = [weighted_sums(counts_BP, values[prompts] if some else values) for values in self.values_TPC]
        weight = np.repeat(counts_BP.sum(axis=1, dtype=np.float64)[:, None], self.values_TPC.shape[2], axis=1)
        place = np.full(P, -1)
        place[prompts if some else slice(None)] = np.arange(counts_BP.shape[1])
        there = place[self.undefined_rows] >= 0
        if there.any():
            weight -= weighted_sums(counts_BP[:, place[self.undefined_rows[there]]], self.undefined_UC[there])
        defined = weight > 0
        total = sums[0] if len(sums) == 1 else -np.sum([np.abs(part) for part in sums], axis=0)
        errors = np.divide(total, weight, out=np.zeros_like(total), where=defined, casting="same_kind")
        return settled(errors), defined

    def undefined_cells(self, prompts: NDArray[np.int64]) -> int:
        """How many (prompt, pair) cells of these prompts have weight 0."""
        used = self.undefined_UC[np.isin(self.undefined_rows, prompts)].sum(axis=0)
        return int(used[self.column_MM[self._pairs]].sum())

    def dense(self) -> tuple[Floats, Bools]:
        """Values `[T, P, M, M]` and where they are defined, `[P, M, M]`; the diagonal is not."""
        T, P, C = self.values_TPC.shape
        M = len(self.column_MM)
        values, defined = np.zeros((T, P, M, M)), np.zeros((P, M, M), dtype=bool)
        there = np.ones((P, C), dtype=bool)
        there[self.undefined_rows] = self.undefined_UC == 0
        columns = self.column_MM[self._pairs]
        values[:, :, self._pairs] = self.values_TPC[:, :, columns]
        defined[:, self._pairs] = there[:, columns]
        return values, defined

    @cached_property
    def _pairs(self) -> Bools:
        return ~np.eye(len(self.column_MM), dtype=bool)


def prepare(cube: ScoreCube, measure: str = "accuracy", test_set: TestSet | int | None = None) -> PromptValues:
    """The values of all prompts of the cube, for every choice of categories, subsets and prompts alike.

    `test_set` decides responses, rank bins and noise; a number is that many responses. Raises UnknownName and
    InvalidChoice.
    """
    wanted = TestSet(responses=test_set) if isinstance(test_set, int) else test_set or TestSet()
    return prepare_as(cube, measure_named(measure), check(cube, wanted).seen())


def prepare_as(cube: ScoreCube, measure: Measure, choice: TestSet) -> PromptValues:
    """`prepare` for a measure of one's own and a choice that `check` has filled in."""
    M, P, R = cube.scores_MPR.shape
    responses = choice.responses or R
    if measure.looks_at == "one pair" and choice.rank_bins is None:
        responses = 2
    scores_MPR = cube.scores_MPR[:, :, :responses]
    golden_MPR: NDArray[np.floating] = scores_MPR
    if choice.noise is not None:
        golden_MPR = annotation.noisy_utilities(cube.scores_MPR, choice.noise, choice.seed, choice.responses or R)
        golden_MPR = golden_MPR[:, :, :responses]
    symmetric = choice.noise is None and choice.rank_bins is None and _symmetric(measure, scores_MPR)
    columns, column_MM = _columns(M, symmetric)
    variance_M = _variance(cube.scores_MPR)

    values_TPC, undefined_rows, undefined_cells = np.empty((0, P, len(columns))), [], []
    step = max(1, _CHUNK_ENTRIES // (M * max(M, responses * (responses - 1) // 2)))
    for start in range(0, P, step):
        part = slice(start, min(P, start + step))
        proxy = Responses(scores_MPR[:, part].transpose(1, 0, 2), variance_M)
        values, defined = _terms(measure, golden_MPR[:, part].transpose(1, 0, 2), proxy, choice)
        if len(values_TPC) == 0:
            values_TPC = np.empty((len(values), P, len(columns)))
        values_TPC[:, part] = values.reshape(*values.shape[:2], M * M)[:, :, columns]
        undefined = ~defined.reshape(len(defined), M * M)[:, columns]
        rows = np.flatnonzero(undefined.any(axis=1))
        values_TPC[:, start + rows] *= ~undefined[rows]
        undefined_rows.append(start + rows)
        undefined_cells.append(undefined[rows])
    return PromptValues(
        measure,
        choice,
        values_TPC,
        np.concatenate(undefined_rows),
        np.concatenate(undefined_cells).astype(np.float64),
        column_MM,
    )


def _terms(measure: Measure, golden_PMR: NDArray[np.floating], proxy: Responses, choice: TestSet) -> Terms:
    if choice.rank_bins is None:
        golden = proxy if choice.noise is None else Responses(golden_PMR)  # what both sides need is made once
        return measure.terms(golden, proxy)
    bins = annotation.rank_bins(golden_PMR.astype(np.float64), choice.rank_bins)
    if measure.looks_at == "list":
        return _terms_of_two_bins(measure, golden_PMR, proxy, bins, choice)
    asked = annotation.asked_pairs(bins, choice.chosen_bin, choice.rejected_bin)
    if measure.looks_at == "one pair":
        asked = annotation.first_pair(asked)
    return measure.terms(Responses(golden_PMR, asked_PMK=asked), proxy)


def _terms_of_two_bins(
    measure: Measure, golden_PMR: NDArray[np.floating], proxy: Responses, bins: NDArray[np.int64], choice: TestSet
) -> Terms:
    """A measure of lists sees the responses of the two bins, which are others for every golden."""
    if choice.chosen_bin is None:
        return measure.terms(Responses(golden_PMR), proxy)
    P, M, _ = golden_PMR.shape
    values, defined = np.zeros((1, P, M, M)), np.zeros((P, M, M), dtype=bool)
    for golden in range(M):
        there = (bins[:, golden] == choice.chosen_bin) | (bins[:, golden] == choice.rejected_bin)
        both = (bins[:, golden] == choice.chosen_bin).any(axis=1) & (bins[:, golden] == choice.rejected_bin).any(axis=1)
        sizes = there.sum(axis=1) * both
        for size in np.unique(sizes[sizes > 0]):
            rows = np.flatnonzero(sizes == size)
            kept = np.nonzero(there[rows])[1].reshape(len(rows), 1, size)
            one = Responses(np.take_along_axis(golden_PMR[rows, golden : golden + 1], kept, axis=2))
            others = Responses(np.take_along_axis(proxy.scores[rows], kept, axis=2), proxy.variance)
            value, there_too = measure.terms(one, others)
            values[:, rows, golden], defined[rows, golden] = value[:, :, 0], there_too[:, 0]
    return values, defined


def _columns(M: int, symmetric: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in a flat `[M × M]` of the pairs to keep, and the column of each pair (the diagonal has any)."""
    golden, proxy = np.nonzero(np.triu(np.ones((M, M), dtype=bool), 1) if symmetric else ~np.eye(M, dtype=bool))
    column_MM = np.zeros((M, M), dtype=np.int64)
    column_MM[golden, proxy] = np.arange(len(golden))
    if symmetric:
        column_MM[proxy, golden] = np.arange(len(golden))
    return golden * M + proxy, column_MM


def _symmetric(measure: Measure, scores_MPR: NDArray[np.floating]) -> bool:
    if measure.symmetric != "untied":
        return measure.symmetric == "always"
    ordered = np.sort(scores_MPR, axis=2)
    return not bool((ordered[:, :, 1:] == ordered[:, :, :-1]).any())


def _variance(scores_MPR: NDArray[np.floating]) -> Floats:
    """Variance of each reward model over all responses; exactly 0 where all score the same."""
    constant = scores_MPR.max(axis=(1, 2)) == scores_MPR.min(axis=(1, 2))
    return np.where(constant, 0.0, scores_MPR.var(axis=(1, 2), dtype=np.float64))
