"""Computes what each prompt says about every golden–proxy pair, for one measure or several.

Measures on one test set share the annotator's noise, bins, differences of pairs and ranks. Prompts are processed in
chunks that fit the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics import annotation
from warehouse.metrics.catalogue import measure_named
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.formulas import Measure, Terms
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.responses import Bools, Floats, Responses
from warehouse.metrics.test_set import TestSet, check

_CHUNK_ENTRIES = 400_000
_ONE_PAIR = 2


def prepare(cube: ScoreCube, measure: str = "accuracy", test_set: TestSet | None = None) -> PromptValues:
    """The values of all prompts of the cube, which serve every choice of categories, subsets and prompts.

    `test_set` decides responses, rank bins and noise. Raises UnknownName and InvalidChoice.
    """
    return prepare_all(cube, [measure], test_set or TestSet())[measure]


def prepare_all(
    cube: ScoreCube, measures: Sequence[str], test_set: TestSet, prompts: NDArray[np.int64] | None = None
) -> dict[str, PromptValues]:
    """`prepare` for several measures: `{measure: values}`, of these prompts only if their numbers `[prompts]` are
    given.

    The annotator's noise and the variances of reward models are those of the whole cube either way.
    """
    to_prepare = [measure_named(name) for name in measures]
    choice = check(cube, test_set).seen()
    responses = choice.responses or cube.scores_MPR.shape[2]
    chosen = slice(None) if prompts is None else prompts
    scores_MPR = cube.scores_MPR[:, chosen, :responses]
    golden_MPR: NDArray[np.floating] = scores_MPR
    if choice.noise is not None:
        golden_MPR = annotation.noisy_utilities(cube, choice.noise, choice.seed, responses)[:, chosen]
    variance_M = _variance(cube.scores_MPR)
    prepared: dict[str, PromptValues] = {}
    for seen in (_ONE_PAIR, responses):  # measures that look at few responses are not computed on all of them
        group = [m for m in to_prepare if m.name not in prepared and _looks_at(m, choice, responses) == seen]
        prepared |= _prepared(group, choice, scores_MPR[:, :, :seen], golden_MPR[:, :, :seen], variance_M)
    return {measure.name: prepared[measure.name] for measure in to_prepare}


def _looks_at(measure: Measure, choice: TestSet, responses: int) -> int:
    return _ONE_PAIR if measure.looks_at == "one pair" and choice.rank_bins is None else responses


def _prepared(
    measures: Sequence[Measure],
    choice: TestSet,
    scores_MPR: NDArray[np.floating],
    golden_MPR: NDArray[np.floating],
    variance_M: Floats,
) -> dict[str, PromptValues]:
    M, P, R = scores_MPR.shape
    plain = choice.noise is None and choice.rank_bins is None
    collected = [_Collected(measure, M, P, plain and _symmetric(measure, scores_MPR)) for measure in measures]
    step = max(1, _CHUNK_ENTRIES // (M * max(M, R * (R - 1) // 2)))
    for start in range(0, P if measures else 0, step):
        part = slice(start, min(P, start + step))
        proxy = Responses(scores_MPR[:, part].transpose(1, 0, 2), variance_M)
        sides = _Sides(golden_MPR[:, part].transpose(1, 0, 2), proxy, choice)
        for values in collected:
            values.add(start, sides.terms(values.measure))
    return {values.measure.name: values.prompt_values(choice) for values in collected}


class _Collected:
    """The values of one measure on P prompts, collected chunk by chunk."""

    def __init__(self, measure: Measure, M: int, P: int, symmetric: bool) -> None:
        self.measure = measure
        self._columns, self._column_MM = _columns(M, symmetric)
        self._values_TPC = np.empty((0, P, len(self._columns)))
        self._undefined_rows: list[NDArray[np.int64]] = []
        self._undefined_cells: list[Bools] = []

    def add(self, start: int, terms: Terms) -> None:
        """The next prompts, from this number on."""
        values, defined = terms
        T, p, M, _ = values.shape
        if len(self._values_TPC) == 0:
            self._values_TPC = np.empty((T, *self._values_TPC.shape[1:]))
        self._values_TPC[:, start : start + p] = values.reshape(T, p, M * M)[:, :, self._columns]
        undefined = ~defined.reshape(p, M * M)[:, self._columns]
        rows = np.flatnonzero(undefined.any(axis=1))
        self._values_TPC[:, start + rows] *= ~undefined[rows]
        self._undefined_rows.append(start + rows)
        self._undefined_cells.append(undefined[rows])

    def prompt_values(self, choice: TestSet) -> PromptValues:
        rows, cells = np.concatenate(self._undefined_rows), np.concatenate(self._undefined_cells).astype(np.float64)
        return PromptValues(self.measure, choice, self._values_TPC, rows, cells, self._column_MM)


class _Sides:
    """The golden side of some prompts for each kind of measure; `golden_PMR` is what annotators see."""

    def __init__(self, golden_PMR: NDArray[np.floating], proxy: Responses, choice: TestSet) -> None:
        self._golden = golden_PMR
        self._proxy = proxy
        self._choice = choice

    def terms(self, measure: Measure) -> Terms:
        """What the prompts contribute to a measure."""
        if self._choice.rank_bins is None or (measure.looks_at == "list" and self._choice.chosen_bin is None):
            return measure.terms(self._whole, self._proxy)
        if measure.looks_at == "list":
            return self._terms_of_two_bins(measure)
        return measure.terms(self._one_pair if measure.looks_at == "one pair" else self._pairs, self._proxy)

    @cached_property
    def _whole(self) -> Responses:
        return self._proxy if self._choice.noise is None else Responses(self._golden)

    @cached_property
    def _bins(self) -> NDArray[np.int64]:
        return annotation.rank_bins(self._golden.astype(np.float64), self._choice.rank_bins or 1)

    @cached_property
    def _across(self) -> Bools:
        return annotation.pairs_across_bins(self._bins, self._choice.chosen_bin, self._choice.rejected_bin)

    @cached_property
    def _pairs(self) -> Responses:
        return Responses(self._golden, counted_PMK=self._across)

    @cached_property
    def _one_pair(self) -> Responses:
        return Responses(self._golden, counted_PMK=annotation.first_pair(self._across))

    def _terms_of_two_bins(self, measure: Measure) -> Terms:
        """A measure of lists uses the responses of the two bins, which differ from golden to golden."""
        golden_PMR, proxy, bins = self._golden, self._proxy, self._bins
        P, M, _ = golden_PMR.shape
        values, defined = np.zeros((1, P, M, M)), np.zeros((P, M, M), dtype=bool)
        for golden in range(M):
            better, worse = bins[:, golden] == self._choice.chosen_bin, bins[:, golden] == self._choice.rejected_bin
            inside = better | worse
            sizes = inside.sum(axis=1) * (better.any(axis=1) & worse.any(axis=1))
            for size in np.unique(sizes[sizes > 0]):  # prompts with equally many responses in the bins at once
                rows = np.flatnonzero(sizes == size)
                places = np.nonzero(inside[rows])[1].reshape(len(rows), 1, size)
                truth = Responses(np.take_along_axis(golden_PMR[rows, golden : golden + 1], places, axis=2))
                proxies = Responses(np.take_along_axis(proxy.scores[rows], places, axis=2), proxy.variance)
                row_values, row_defined = measure.terms(truth, proxies)
                values[:, rows, golden], defined[rows, golden] = row_values[:, :, 0], row_defined[:, 0]
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
