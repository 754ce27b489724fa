"""The promise of intervals and tests, held on a small grid; `tests.benchmarks.calibration` has the whole one."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.benchmarks.calibration.cells import ALL, PAGE, REPEATS, Cell, grid, simulate
from tests.benchmarks.calibration.page import LOW, SIZE, page
from tests.helpers.planted import Size

SMALL = list(grid("small"))
STUDIES = 200


@pytest.mark.deep
@pytest.mark.parametrize("cell", SMALL, ids=lambda cell: f"{cell.kind}-{cell.level}")
def test_intervals_cover_and_tests_keep_their_size_on_the_small_grid(cell: Cell) -> None:
    """Three Monte Carlo errors below the band fail: a cell at 93 % does so once in a thousand runs."""
    result = simulate(cell, STUDIES)
    error = np.sqrt(LOW * (1 - LOW) / STUDIES)
    figures = result["figures"]
    for name, estimands in figures.items():
        for estimand in ("this", "itself", "ceiling"):
            assert estimands[estimand]["coverage"] >= LOW - 3 * error, (name, estimand, estimands[estimand])
    for estimand in ("this", "itself"):
        assert abs(figures["kendall"][estimand]["bias"]) < 0.04
    sizes = ["difference", "any_of_many", *(["permutation"] if cell.kind == "null" else [])]
    for size in sizes:
        assert result[size] <= SIZE + 3 * np.sqrt(SIZE * (1 - SIZE) / STUDIES), size


def test_the_truth_is_computed_and_not_estimated() -> None:
    """A study of very many prompts comes to the computed accuracy and NDR."""
    from tests.helpers.planted import KINDS, Planted
    from warehouse.study import evaluate

    for kind in KINDS:
        study = Planted(kind, Size(M=4, P=6000, R=4)).study(0)
        result = evaluate(study.cube, study.values, replicates=16)
        off = ~np.eye(4, dtype=bool)
        assert np.abs(result.value_MM - study.accuracy_MM)[off].max() < 0.015
        assert np.abs(result.ndr_MM - study.ndr_MM)[off & result.ndr_defined_MM].max() < 0.1


def test_the_page_is_what_the_results_say_and_every_cell_of_the_grid_is_in_them() -> None:
    results, alternatives, sizes, repeats = (json.loads(path.read_text()) for path in ALL)
    assert PAGE.read_text() == page(results, alternatives, sizes, repeats)
    assert {cell.name for cell in grid("full")} == set(results)
    assert all(each["size"] <= SIZE for each in sizes.values())
    assert re.search(r"This test set: of \d+ cells", PAGE.read_text())


def test_repeats_mend_what_training_noise_breaks() -> None:
    """Read from the recorded cells: coverage near what is claimed where each policy was optimised twice."""
    repeats = json.loads(REPEATS.read_text())
    assert len(repeats) == 8
    for cell in repeats.values():
        figures = cell["figures"].get("taken off")
        if figures is not None:
            assert figures["this"]["coverage"] >= 0.9, cell["cell"]
            assert abs(figures["ceiling"]["bias"]) < 0.05, cell["cell"]
