"""Computes what each prompt says about every golden–proxy pair, for one measure or several.

Measures on one test set share the annotator's noise, bins, differences of pairs and ranks. Prompts with equally many
responses are processed together, in chunks that fit the processor's cache; only pairs of a golden and a proxy are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics import annotation
from warehouse.metrics.catalogue import measure_named
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.formulas import Measure, Terms
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.responses import Bools, Floats, Responses
from warehouse.metrics.roles import Roles
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
    variance_M = variances(cube)
    responses = choice.responses or cube.scores_MPR.shape[2]
    utilities_MPR: NDArray[np.floating] = cube.scores_MPR
    if choice.noise is not None:
        utilities_MPR = annotation.noisy_utilities(cube, choice.noise, choice.seed, responses)
    if prompts is not None:
        cube, utilities_MPR = cube.of_prompts(prompts), utilities_MPR[:, prompts]
    sides = _Sided(cube.roles, variance_M, choice)
    prepared: dict[str, PromptValues] = {}
    for seen in (_ONE_PAIR, responses):  # measures that look at few responses are not computed on all of them
        group = [m for m in to_prepare if m.name not in prepared and _looks_at(m, choice, responses) == seen]
        if group:
            prepared |= _of_all_counts(group, cube, utilities_MPR, seen, sides)
    return {measure.name: prepared[measure.name] for measure in to_prepare}


@dataclass(frozen=True)
class _Sided:
    """Which scorers are goldens and proxies, the variance of each `[M]`, and the choice of the test set."""

    roles: Roles
    variance_M: Floats
    choice: TestSet


def _of_all_counts(
    measures: Sequence[Measure], cube: ScoreCube, utilities_MPR: NDArray[np.floating], seen: int, sides: _Sided
) -> dict[str, PromptValues]:
    """The values on prompts with any number of responses, of which the first ones are `seen`."""
    parts = [
        (places, cube.scores_MPR[:, places, :count], utilities_MPR[:, places, :count])
        for count, places in _counts(cube, seen)
    ]
    plain = sides.choice.noise is None and sides.choice.rank_bins is None and all(sides.roles.goldens)
    symmetric = {
        measure.name: plain and sides.roles.same and all(_symmetric(measure, scores) for _, scores, _ in parts)
        for measure in measures
    }
    of_parts = [(places, _prepared(measures, scores, golden, symmetric, sides)) for places, scores, golden in parts]
    if len(parts) == 1 and isinstance(parts[0][0], slice):
        return of_parts[0][1]
    P = len(cube.prompts)
    return {
        measure.name: _together(P, [(places, part[measure.name]) for places, part in of_parts], sides.roles)
        for measure in measures
    }


def _counts(cube: ScoreCube, seen: int) -> list[tuple[int, slice | NDArray[np.int64]]]:
    """The prompts with equally many responses, of two or more: all of them at once where all have that many."""
    if cube.responses_P is None or (len(cube.prompts) and int(cube.responses_P.min()) >= seen):
        return [(seen, slice(None))]
    return list(cube.by_count(least=_ONE_PAIR, most=seen))


def _together(P: int, parts: Sequence[tuple[slice | NDArray[np.int64], PromptValues]], roles: Roles) -> PromptValues:
    """The values of parts of the prompts as those of all P; prompts that are in no part are undefined."""
    if not parts:
        raise InvalidChoice("no chosen prompt has two responses; a measure takes two or more")
    first = parts[0][1]
    T, _, C = first.values_TPC.shape
    values_TPC, undefined_PC = np.zeros((T, P, C)), np.ones((P, C), dtype=bool)
    for places, part in parts:
        values_TPC[:, places] = part.values_TPC
        undefined_PC[places] = False
        if len(part.undefined_rows):
            undefined_PC[np.arange(P)[places][part.undefined_rows]] = part.undefined_UC > 0
    rows = np.flatnonzero(undefined_PC.any(axis=1))
    cells = undefined_PC[rows].astype(np.float64)
    return PromptValues(first.measure, first.test_set, values_TPC, rows, cells, first.column_MM, roles=first.roles)


def _looks_at(measure: Measure, choice: TestSet, responses: int) -> int:
    return _ONE_PAIR if measure.looks_at == "one pair" and choice.rank_bins is None else responses


def _prepared(
    measures: Sequence[Measure],
    scores_MPR: NDArray[np.floating],
    golden_MPR: NDArray[np.floating],
    symmetric: Mapping[str, bool],
    sides: _Sided,
) -> dict[str, PromptValues]:
    """The values on prompts that all have R responses."""
    roles = sides.roles
    M, P, R = scores_MPR.shape
    collected = [_Collected(measure, roles, P, symmetric[measure.name]) for measure in measures]
    goldens, proxies = (_rows(which) for which in (roles.goldens, roles.proxies))
    step = max(1, _CHUNK_ENTRIES // (M * max(M, R * (R - 1) // 2)))
    for start in range(0, P, step):
        part = slice(start, min(P, start + step))
        proxy = Responses(scores_MPR[proxies, part].transpose(1, 0, 2), sides.variance_M[proxies])
        golden_PGR = golden_MPR[goldens, part].transpose(1, 0, 2)
        shared = sides.choice.noise is None and goldens == proxies == slice(None)
        of_part = _Sides(golden_PGR, proxy, sides.choice, proxy if shared else None)
        for values in collected:
            values.add(start, of_part.terms(values.measure))
    return {values.measure.name: values.prompt_values(sides.choice) for values in collected}


def _rows(which: tuple[bool, ...]) -> slice | list[int]:
    return slice(None) if all(which) else np.flatnonzero(which).tolist()


class _Collected:
    """The values of one measure on P prompts, collected chunk by chunk."""

    def __init__(self, measure: Measure, roles: Roles, P: int, symmetric: bool) -> None:
        self.measure = measure
        self._roles = roles
        self._columns, self._column_MM = _columns(roles, symmetric)
        self._values_TPC = np.empty((0, P, len(self._columns)))
        self._undefined_rows: list[NDArray[np.int64]] = []
        self._undefined_cells: list[Bools] = []

    def add(self, start: int, terms: Terms) -> None:
        """The next prompts, from this number on."""
        values, defined = terms
        T, p, G, M = values.shape
        if len(self._values_TPC) == 0:
            self._values_TPC = np.empty((T, *self._values_TPC.shape[1:]))
        self._values_TPC[:, start : start + p] = values.reshape(T, p, G * M)[:, :, self._columns]
        undefined = ~defined.reshape(p, G * M)[:, self._columns]
        rows = np.flatnonzero(undefined.any(axis=1))
        self._values_TPC[:, start + rows] *= ~undefined[rows]
        self._undefined_rows.append(start + rows)
        self._undefined_cells.append(undefined[rows])

    def prompt_values(self, choice: TestSet) -> PromptValues:
        rows, cells = np.concatenate(self._undefined_rows), np.concatenate(self._undefined_cells).astype(np.float64)
        return PromptValues(self.measure, choice, self._values_TPC, rows, cells, self._column_MM, roles=self._roles)


class _Sides:
    """The golden side of some prompts for each kind of measure; `golden_PGR` is what annotators see.

    `whole` is that side in the form that measures need, where it is the proxies' too.
    """

    def __init__(
        self, golden_PGR: NDArray[np.floating], proxy: Responses, choice: TestSet, whole: Responses | None
    ) -> None:
        self._golden = golden_PGR
        self._proxy = proxy
        self._choice = choice
        self._given = whole

    def terms(self, measure: Measure) -> Terms:
        """What the prompts contribute to a measure."""
        if self._choice.rank_bins is None or (measure.looks_at == "list" and self._choice.chosen_bin is None):
            return measure.terms(self._whole, self._proxy)
        if measure.looks_at == "list":
            return self._terms_of_two_bins(measure)
        return measure.terms(self._one_pair if measure.looks_at == "one pair" else self._pairs, self._proxy)

    @cached_property
    def _whole(self) -> Responses:
        return self._given or Responses(self._golden)

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
        golden_PGR, proxy, bins = self._golden, self._proxy, self._bins
        P, G, _ = golden_PGR.shape
        M = proxy.scores.shape[1]
        values, defined = np.zeros((1, P, G, M)), np.zeros((P, G, M), dtype=bool)
        for golden in range(G):
            better, worse = bins[:, golden] == self._choice.chosen_bin, bins[:, golden] == self._choice.rejected_bin
            inside = better | worse
            sizes = inside.sum(axis=1) * (better.any(axis=1) & worse.any(axis=1))
            for size in np.unique(sizes[sizes > 0]):  # prompts with equally many responses in the bins at once
                rows = np.flatnonzero(sizes == size)
                places = np.nonzero(inside[rows])[1].reshape(len(rows), 1, size)
                truth = Responses(np.take_along_axis(golden_PGR[rows, golden : golden + 1], places, axis=2))
                proxies = Responses(np.take_along_axis(proxy.scores[rows], places, axis=2), proxy.variance)
                row_values, row_defined = measure.terms(truth, proxies)
                values[:, rows, golden], defined[rows, golden] = row_values[:, :, 0], row_defined[:, 0]
        return values, defined


def _columns(roles: Roles, symmetric: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in a flat `[goldens × proxies]` of the pairs to keep, and the column of each pair (others have any)."""
    pairs_MM = roles.pairs_MM
    golden, proxy = np.nonzero(np.triu(pairs_MM) if symmetric else pairs_MM)
    column_MM = np.zeros(pairs_MM.shape, dtype=np.int64)
    column_MM[golden, proxy] = np.arange(len(golden))
    if symmetric:
        column_MM[proxy, golden] = np.arange(len(golden))
    place_G, place_M = (np.cumsum(which) - 1 for which in (roles.golden_M, roles.proxy_M))
    return place_G[golden] * int(roles.proxy_M.sum()) + place_M[proxy], column_MM


def _symmetric(measure: Measure, scores_MPR: NDArray[np.floating]) -> bool:
    if measure.symmetric != "untied":
        return measure.symmetric == "always"
    ordered = np.sort(scores_MPR, axis=2)
    return not bool((ordered[:, :, 1:] == ordered[:, :, :-1]).any())


def variances(cube: ScoreCube) -> Floats:
    """Variance `[M]` of each reward model over all responses; exactly 0 where all score the same."""
    scores_MK = cube.scores_MPR.reshape(len(cube.reward_models), -1)
    if cube.responses_P is not None:
        scores_MK = scores_MK[:, cube.is_response_PR.ravel()]
    constant = scores_MK.max(axis=1) == scores_MK.min(axis=1)
    return np.where(constant, 0.0, scores_MK.var(axis=1, dtype=np.float64))
