"""How well measures predict NDR over golden–proxy pairs, in every bootstrap replicate: pooled and within each golden.

METHOD, "Correlation with regret". A replicate draws reward models with replacement: the pair of one drawn a times with
another drawn b times counts a·b times, a pair of a reward model with itself not at all. Reward models that were not
drawn are removed first, so that a replicate costs no more than what it holds; replicates with equally many distinct
reward models are computed together, in chunks that fit the processor's cache.

A replicate with fewer than three distinct reward models has two pairs, which always correlate perfectly: it is
undefined.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.correlation import Against, Figure, ProductMoment, varies
from warehouse.stats.ranks import middle_ranks

CORRELATIONS = ("kendall", "spearman", "pearson", "mrr")
"""METHOD's figures of how well a measure predicts NDR; the last is a mean over goldens either way."""

LEVELS = ("pooled", "within")
"""Over all pairs at once, or within each golden and then averaged."""

Selected = tuple[tuple[str, str], ...]
"""Which correlations to compute, each with its level: a page that shows one of them need not wait for eight."""

EVERY: Selected = tuple(product(CORRELATIONS, LEVELS))

Ints = NDArray[np.int64]
Figures = dict[str, Figure]

_FEWEST_MODELS = 3
_CHUNK_ENTRIES = 60_000
_THREADED_ENTRIES = 5_000_000
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class PairValues:
    """A measure's values `[B, C]`, where they are defined, and which column is which pair."""

    values_BC: NDArray[np.floating]
    defined_BC: Bools
    column_MM: Ints

    @cached_property
    def everywhere(self) -> bool:
        """Whether all are defined."""
        return bool(self.defined_BC.all())


def correlate(
    measures: Sequence[PairValues],
    ndr_BMM: NDArray[np.floating],
    ndr_defined_BMM: Bools,
    counts_BM: NDArray[np.floating],
    selected: Selected = EVERY,
) -> list[tuple[Figures, Figures]]:
    """For each measure the selected figures by name, pooled and within goldens, in each of B replicates.

    `counts_BM` says how often each reward model was drawn; all measures share the replicates, which makes them
    comparable pair by pair.
    """
    B = len(counts_BM)
    names = {level: tuple(name for name in CORRELATIONS if (name, level) in selected) for level in LEVELS}
    results = [(_undefined(B, names["pooled"]), _undefined(B, names["within"])) for _ in measures]
    chunks = list(_chunks(counts_BM))

    def fill(chunk: tuple[Ints, Ints]) -> None:
        rows, models = chunk
        part = _chunk_figures(measures, ndr_BMM, ndr_defined_BMM, counts_BM, names=names, rows=rows, models=models)
        for of_measure, of_part in zip(results, part, strict=True):
            for level, level_part in zip(of_measure, of_part, strict=True):
                for name, (value, defined) in level_part.items():
                    level[name][0][rows] = value
                    level[name][1][rows] = defined

    if ndr_BMM.size * len(measures) < _THREADED_ENTRIES:
        for chunk in chunks:
            fill(chunk)
    else:  # NumPy releases the interpreter lock while it computes a chunk
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(fill, chunks))
    return results


def _undefined(B: int, names: Sequence[str]) -> Figures:
    return {name: (np.zeros(B), np.zeros(B, dtype=bool)) for name in names}


def _chunks(counts_BM: NDArray[np.floating]) -> Iterator[tuple[Ints, Ints]]:
    """Replicates of equally many distinct reward models, and which these are: `[b]` and `[b, d]`."""
    is_drawn = counts_BM > 0
    distinct = is_drawn.sum(axis=1)
    for d in np.unique(distinct[distinct >= _FEWEST_MODELS]):
        rows = np.flatnonzero(distinct == d)
        models = np.nonzero(is_drawn[rows])[1].reshape(len(rows), d)
        step = max(1, _CHUNK_ENTRIES // int(d * d))
        for start in range(0, len(rows), step):
            yield rows[start : start + step], models[start : start + step]


def _chunk_figures(
    measures: Sequence[PairValues],
    ndr_BMM: NDArray[np.floating],
    ndr_defined_BMM: Bools,
    counts_BM: NDArray[np.floating],
    *,
    names: Mapping[str, Sequence[str]],
    rows: Ints,
    models: Ints,
) -> list[tuple[Figures, Figures]]:
    d = models.shape[1]
    M = counts_BM.shape[1]
    golden, proxy = np.nonzero(~np.eye(d, dtype=bool))
    pair = models[:, golden] * M + models[:, proxy]  # [b, d(d − 1)], by golden, then proxy
    place = pair + rows[:, None] * (M * M)
    drawn = np.take_along_axis(counts_BM[rows], models, axis=1).astype(np.float64)
    weight = drawn[:, golden] * drawn[:, proxy]
    weight *= ndr_defined_BMM.ravel().take(place)
    ndr = ndr_BMM.ravel().take(place)

    results: dict[int, tuple[Figures, Figures]] = {}
    together: list[int] = []
    pair_values = np.empty((len(measures), *pair.shape))
    columns: dict[bytes, Ints] = {}
    for k, measure in enumerate(measures):
        key = measure.column_MM.tobytes()  # a map says how many columns there are
        if key not in columns:
            columns[key] = measure.column_MM.ravel().take(pair) + rows[:, None] * measure.values_BC.shape[1]
        values = measure.values_BC.ravel()
        if values.dtype == pair_values.dtype:
            values.take(columns[key], out=pair_values[k], mode="clip")  # nothing is beyond, but "raise" works on a copy
        else:
            pair_values[k] = values.take(columns[key])
        defined = measure.everywhere or measure.defined_BC.ravel().take(columns[key])
        if np.all(defined):
            together.append(k)
        else:
            (results[k],) = _Sides(ndr, weight * defined, drawn).figures(pair_values[k, None], names)
    if together:
        several = pair_values if len(together) == len(measures) else pair_values[together]
        figures = _Sides(ndr, weight, drawn).figures(several, names)
        results.update(zip(together, figures, strict=True))
    return [results[k] for k in range(len(measures))]


class _Sides:
    """One chunk's NDR, pooled and by golden, which all measures share unless they are undefined somewhere."""

    def __init__(self, ndr: NDArray[np.floating], weight: Floats, drawn: Floats) -> None:
        b, d = drawn.shape
        # within a golden its own multiplicity does not matter: a proxy counts as often as it was drawn
        proxy_weight = (weight.reshape(b, d, d - 1) / drawn[:, :, None]).reshape(b * d, d - 1)
        self._pooled = _Side(ndr, weight)
        self._by_golden = _Side(ndr.reshape(b * d, d - 1), proxy_weight)
        self._drawn = drawn

    def figures(self, values: Floats, names: Mapping[str, Sequence[str]]) -> list[tuple[Figures, Figures]]:
        """Of each of K measures, whose values are `[K, b, d(d − 1)]`."""
        by_golden = values.reshape(len(values), *self._by_golden.ndr.shape)
        pooled = self._pooled.figures(names["pooled"], values)
        each = self._by_golden.figures(names["within"], by_golden)
        within = [{name: self._mean_over_goldens(figure) for name, figure in figures.items()} for figures in each]
        if "mrr" in names["pooled"] or "mrr" in names["within"]:
            for k, of_proxies in enumerate(by_golden):
                favoured = self._mean_over_goldens(self._favourites(of_proxies))
                for level, into in (("pooled", pooled[k]), ("within", within[k])):
                    if "mrr" in names[level]:
                        into["mrr"] = favoured
        return list(zip(pooled, within, strict=True))

    def _favourites(self, values: NDArray[np.floating]) -> Figure:
        """Per golden, 1 over the NDR rank of the proxy that the measure likes best; its favourites share it if tied.

        A rank is one more than how many drawn proxies have a greater NDR. Undefined with fewer than two proxies.
        """
        proxies = self._by_golden
        is_drawn = proxies.weight > 0
        liked = np.where(is_drawn, values, -np.inf)
        favoured = np.where(is_drawn & (liked == liked.max(axis=1, keepdims=True)), proxies.weight, 0.0)
        ranks = proxies.against.ranks
        ndr_rank = 1.0 + ranks.total[:, None] - ranks.below - ranks.tied
        total = favoured.sum(axis=1)
        value = np.divide((favoured / ndr_rank).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
        return value, is_drawn.sum(axis=1) >= 2

    def _mean_over_goldens(self, figure: Figure) -> Figure:
        value, defined = (array.reshape(self._drawn.shape) for array in figure)
        golden_weight = np.where(defined, self._drawn, 0.0)
        total = golden_weight.sum(axis=1)
        mean = np.divide((value * golden_weight).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
        return mean, total > 0


@dataclass(frozen=True)
class _Side:
    """NDR `[rows, n]`, pooled or by golden, with what is made of it once for all measures."""

    ndr: NDArray[np.floating]
    weight: Floats

    @cached_property
    def against(self) -> Against:
        return Against(self.ndr, self.weight)

    @cached_property
    def _values(self) -> ProductMoment:
        return ProductMoment(self.ndr, varies(self.ndr, self.weight), self.weight)

    @cached_property
    def _middle(self) -> ProductMoment:
        return ProductMoment(*middle_ranks(self.ndr, self.weight), self.weight)

    def figures(self, names: Sequence[str], values: Floats) -> list[Figures]:
        """The named figures but MRR, of each of `[K, rows, n]`."""
        figures: list[Figures] = [{} for _ in values]
        if "kendall" in names:
            for into, value, defined in zip(figures, *self.against.tau(values), strict=True):
                into["kendall"] = value, defined
        for into, measured in zip(figures, values, strict=True):
            if "spearman" in names:
                into["spearman"] = self._middle.of(*middle_ranks(measured, self.weight))
            if "pearson" in names:
                into["pearson"] = self._values.of(measured, varies(measured, self.weight))
        return figures
