"""Calibration where policies are optimised several times and where they end depends on the seed: old and new treatment.

The variance of NDR over seeds is about that between pairs of reward models in half of the cells, 0 in the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np

from tests.benchmarks.calibration.truth import true_correlation
from tests.helpers.planted import Planted, PlantedStudy, Size
from warehouse.metrics.test_set import TestSet
from warehouse.study.evaluate import replicated

MODELS, SPREADS, REPEATS = (14, 24), (0.0, 1.0), (1, 2)
ESTIMANDS = ("this", "itself", "ceiling")
DRAWS = 320


def calibrate(share: float) -> dict[str, object]:
    """All cells by name; a minute or two."""
    cells = {}
    for M, spread, repeats in product(MODELS, SPREADS, REPEATS):
        size = Size(M=M, P=128, R=6, repeats=repeats, seed_spread=spread)
        cells[f"ppo/M{M}/seed{spread:g}/S{repeats}"] = simulate(size, int(share * (400 if M <= 14 else 240)))
        print(f"{M} reward models, seed {spread:g}, {repeats} repeats", flush=True)
    return cells


class _Record(NamedTuple):
    truth: tuple[float, ...]
    estimates: tuple[tuple[float | None, ...], ...]
    ndr_covered: float


def simulate(size: Size, studies: int) -> dict[str, object]:
    """Coverage and bias of each estimand by treatment of training noise, and the coverage of a pair's NDR."""
    planted = Planted("ppo", size)
    records: dict[str, list[_Record]] = {}
    for seed in range(studies):
        for treatment, record in _treated(planted.study(seed)):
            records.setdefault(treatment, []).append(record)
    return {
        "cell": {"M": size.M, "repeats": size.repeats, "seed_spread": size.seed_spread},
        "studies": studies,
        "figures": {treatment: _figures(of_treatment) for treatment, of_treatment in records.items()},
    }


def _treated(study: PlantedStudy) -> Iterator[tuple[str, _Record]]:
    yield "counts as regret", _record(study, repeated=False)
    if study.values.repeats is not None:
        yield "taken off", _record(study, repeated=True)


def _record(study: PlantedStudy, *, repeated: bool) -> _Record:
    values = study.values if repeated else replace(study.values, repeats=None)
    jobs = [("accuracy", TestSet())]
    (part,) = replicated(study.cube, values, jobs, replicates=DRAWS, selected=(("kendall", "pooled"),))
    found = part.evaluation
    kendall, defined_MM = found.correlations["kendall"], found.ndr_defined_MM
    truth = (
        true_correlation(found.value_MM, study.ndr_MM),
        true_correlation(study.accuracy_MM, study.ndr_MM),
        true_correlation(study.ndr_MM, found.ndr_MM, pair_MM=defined_MM),
    )
    covered_MM = (found.ndr_low_MM <= study.ndr_MM) & (study.ndr_MM <= found.ndr_high_MM)
    answers = kendall, kendall.measure_itself, kendall.ceiling
    estimates = tuple((answer.value, answer.low, answer.high) for answer in answers)
    return _Record(truth, estimates, float(covered_MM[defined_MM].mean()))


def _figures(records: list[_Record]) -> Mapping[str, object]:
    truths = np.mean([record.truth for record in records], axis=0)
    figures: dict[str, object] = {"ndr": float(np.mean([record.ndr_covered for record in records]))}
    for place, estimand in enumerate(ESTIMANDS):
        value, low, high = np.array([record.estimates[place] for record in records], dtype=np.float64).T
        figures[estimand] = {
            "truth": float(truths[place]),
            "bias": float(value.mean() - truths[place]),
            "coverage": float(((low <= truths[place]) & (truths[place] <= high)).mean()),
            "width": float((high - low).mean()),
        }
    return figures
