"""How well measures predict NDR over golden–proxy pairs, in every bootstrap replicate: pooled and within each golden.

METHOD, "Correlation with regret". A replicate weighs goldens and proxies: the pair of a golden that counts a times with
a proxy that counts b times counts a·b times, a pair of a reward model with itself not at all. Those that do not count
are removed first, so that a replicate costs no more than what it holds; replicates with equally many of both are
computed together, in chunks that fit the processor's cache.

A replicate with fewer than three proxies is undefined: two always correlate perfectly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

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
    goldens_BM: NDArray[np.floating],
    proxies_BM: NDArray[np.floating],
    *,
    selected: Selected = EVERY,
) -> list[tuple[Figures, Figures]]:
    """For each measure the selected figures by name, pooled and within goldens, in each of B replicates.

    `goldens_BM` and `proxies_BM` say how often each reward model counts as either, the same array where all are both;
    all measures share the replicates, which makes them comparable pair by pair.
    """
    B = len(goldens_BM)
    names = {level: tuple(name for name in CORRELATIONS if (name, level) in selected) for level in LEVELS}
    results = [(_undefined(B, names["pooled"]), _undefined(B, names["within"])) for _ in measures]
    chunks = list(_chunks(goldens_BM, proxies_BM))
    weights = goldens_BM, proxies_BM

    def fill(chunk: _Chunk) -> None:
        rows = chunk.rows
        part = _chunk_figures(measures, ndr_BMM, ndr_defined_BMM, weights, names=names, chunk=chunk)
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


class _Chunk(NamedTuple):
    """Replicates `[b]` with equally many goldens `[b, g]` and proxies `[b, d]`: which these are, and whether the same.

    `golden` and `proxy` are the places of each pair's sides among them, by golden, then proxy.
    """

    rows: Ints
    goldens: Ints
    proxies: Ints
    golden: Ints
    proxy: Ints


def _chunks(goldens_BM: NDArray[np.floating], proxies_BM: NDArray[np.floating]) -> Iterator[_Chunk]:
    is_proxy = proxies_BM > 0
    distinct = is_proxy.sum(axis=1)
    if goldens_BM is proxies_BM:
        for d in np.unique(distinct[distinct >= _FEWEST_MODELS]):
            rows = np.flatnonzero(distinct == d)
            models = np.nonzero(is_proxy[rows])[1].reshape(len(rows), d)
            yield from _cut(rows, models, models, *np.nonzero(~np.eye(d, dtype=bool)))
        return
    is_golden = goldens_BM > 0
    sizes, number = np.unique(np.stack([is_golden.sum(axis=1), distinct], axis=1), axis=0, return_inverse=True)
    for place, (g, d) in enumerate(sizes.tolist()):
        if g and d >= _FEWEST_MODELS:
            rows = np.flatnonzero(number.ravel() == place)
            goldens = np.nonzero(is_golden[rows])[1].reshape(len(rows), g)
            proxies = np.nonzero(is_proxy[rows])[1].reshape(len(rows), d)
            yield from _cut(rows, goldens, proxies, *np.nonzero(np.ones((g, d), dtype=bool)))


def _cut(rows: Ints, goldens: Ints, proxies: Ints, golden: Ints, proxy: Ints) -> Iterator[_Chunk]:
    step = max(1, _CHUNK_ENTRIES // (goldens.shape[1] * proxies.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        yield _Chunk(rows[part], goldens[part], proxies[part], golden, proxy)


def _chunk_figures(
    measures: Sequence[PairValues],
    ndr_BMM: NDArray[np.floating],
    ndr_defined_BMM: Bools,
    weights: tuple[NDArray[np.floating], NDArray[np.floating]],
    *,
    names: Mapping[str, Sequence[str]],
    chunk: _Chunk,
) -> list[tuple[Figures, Figures]]:
    rows, golden, proxy = chunk.rows, chunk.golden, chunk.proxy
    goldens_BM, proxies_BM = weights
    M = goldens_BM.shape[1]
    goldens, proxies = chunk.goldens[:, golden], chunk.proxies[:, proxy]
    pair = goldens * M + proxies  # [b, pairs], by golden, then proxy
    place = pair + rows[:, None] * (M * M)
    drawn = np.take_along_axis(goldens_BM[rows], chunk.goldens, axis=1).astype(np.float64)
    of_proxies = drawn
    if goldens_BM is not proxies_BM:
        of_proxies = np.take_along_axis(proxies_BM[rows], chunk.proxies, axis=1).astype(np.float64)
    weight = drawn[:, golden] * of_proxies[:, proxy]
    weight *= ndr_defined_BMM.ravel().take(place)
    if goldens_BM is not proxies_BM:
        weight *= goldens != proxies
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
    """One chunk's NDR, pooled and by golden, which all measures share unless they are undefined somewhere.

    `ndr` and `weight` are `[b, pairs]`, by golden, then proxy; `drawn` `[b, g]` how often each golden counts.
    """

    def __init__(self, ndr: NDArray[np.floating], weight: Floats, drawn: Floats) -> None:
        b, g = drawn.shape
        n = weight.shape[1] // g
        # within a golden its own multiplicity does not matter: a proxy counts as often as it was drawn
        proxy_weight = (weight.reshape(b, g, n) / drawn[:, :, None]).reshape(b * g, n)
        self._pooled = _Side(ndr, weight)
        self._by_golden = _Side(ndr.reshape(b * g, n), proxy_weight)
        self._drawn = drawn

    def figures(self, values: Floats, names: Mapping[str, Sequence[str]]) -> list[tuple[Figures, Figures]]:
        """Of each of K measures, whose values are `[K, b, pairs]`."""
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
