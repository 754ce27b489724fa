"""Do intervals cover what they claim? `python -m tests.benchmarks.calibration [--grid small] [--jobs 2]`.

Simulates studies whose truth is computed (`tests.helpers.planted`), over a grid of sizes and kinds, and writes
coverage, bias, width, size and power with their Monte Carlo errors to `docs/calibration.md`. Finished cells are in
this folder, so that a stopped run can be resumed; `--print` only writes the page.

What is true of a cell is the mean over its studies of the correlation without noise: of the true measure with true NDR
for the measure itself, of the measured one with true NDR for this test set. That mean has a Monte Carlo error of its
own, which is small beside an interval's width.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from tests.benchmarks.calibration.alternatives import alternatives
from tests.benchmarks.calibration.page import page
from tests.benchmarks.calibration.repeats import calibrate
from tests.benchmarks.calibration.truth import true_correlation
from tests.helpers.planted import KINDS, Planted, PlantedStudy, Size
from warehouse.metrics.test_set import TestSet
from warehouse.stats.across_pairs import CORRELATIONS, LEVELS
from warehouse.study.comparison import difference
from warehouse.study.evaluate import Replicated, evaluate, replicated
from warehouse.study.together import simultaneous

RESULTS = Path(__file__).parent / "cells.json"
ALTERNATIVES = RESULTS.with_name("alternatives.json")
PERMUTATION = RESULTS.with_name("permutation.json")
REPEATS = RESULTS.with_name("repeats.json")
ALL = RESULTS, ALTERNATIVES, PERMUTATION, REPEATS
PAGE = Path("docs/calibration.md")

MODELS, PROMPTS, RESPONSES = (5, 10, 14, 40, 100), (48, 128, 400, 2733), (2, 6, 32)
REPLICATES = 320
LIKE = KINDS[:-1]
"""Kinds of study whose reward models are drawn one by one."""

GROUPS = 6
"""The RM-test prompts are dealt into so many groups that are alike: whatever differs between them differs by chance."""

COMPARED = (
    Size(M=14, P=128, R=6),
    Size(M=14, P=48, R=2),
    Size(M=40, P=128, R=6),
)
"""Sizes at which other intervals are tried as well."""

KENDALL = ("kendall", "pooled")
ESTIMANDS = ("this", "itself", "sample", "ceiling")


@dataclass(frozen=True)
class Cell:
    """One kind of study of one size."""

    kind: str
    size: Size
    level: str = "pooled"

    @property
    def name(self) -> str:
        """Such as `ppo/M14/P128/R6/noisy`."""
        size = self.size
        within = "/within" if self.level == "within" else ""
        within += "/oracle" if size.oracle else ""
        return f"{self.kind}/M{size.M}/P{size.P}/R{size.R}/{'noisy' if size.noisy else 'clean'}{within}"

    def studies(self, share: float) -> int:
        """How many studies to simulate: fewer where one takes long."""
        M, P = self.size.M, self.size.P
        most = 400 if M <= 14 else 120 if M <= 40 else 40
        return max(20, int(share * most * (1.0 if P < 2000 else 0.5)))


def grid(name: str) -> Iterator[Cell]:
    """Reward models × prompts × kinds at six responses, and other responses, clean values and families at some sizes.

    The largest studies, 100 reward models on more than 128 prompts and 40 on 32 responses, are left out: each takes 5
    to 30 seconds.
    """
    if name == "small":
        yield from (Cell(kind, Size(M=14, P=128, R=6), level) for level in LEVELS for kind in LIKE)
        return
    for M, P, kind in product(MODELS, PROMPTS, LIKE):
        if P <= 128 or M <= 40:
            yield Cell(kind, Size(M=M, P=P, R=6))
    for M, kind in product((10, 40), LIKE):
        yield from (Cell(kind, Size(M=M, P=128, R=R)) for R in RESPONSES if R == 2 or (R > 6 and M == 10))
        yield Cell(kind, Size(M=M, P=128, R=6, noisy=False))
    yield from (Cell("families", Size(M=M, P=128, R=6)) for M in (10, 14, 40))
    yield from (Cell(kind, Size(M=14, P=128, R=6), "within") for kind in LIKE)
    yield from (Cell(kind, Size(M=M + 1, P=128, R=6, oracle=True)) for M in (10, 14, 20, 40) for kind in LIKE)


def simulate(cell: Cell, studies: int) -> dict[str, object]:
    """One cell: for each correlation and estimand the truth, bias, coverage and width; sizes and power of the tests."""
    planted = Planted(cell.kind, cell.size)
    start = time.perf_counter()
    records = [_record(planted.study(seed), cell.level) for seed in range(studies)]
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name in CORRELATIONS:
        figures[name] = {}
        for estimand in ESTIMANDS:
            truth = float(np.nanmean([record.truth[name, estimand] for record in records]))
            value, low, high = np.array([record.interval[name, estimand] for record in records], dtype=np.float64).T
            usable = ~np.isnan(value)
            covered = (low <= truth) & (truth <= high)
            figures[name][estimand] = {
                "truth": truth,
                "bias": float(np.mean(value[usable]) - truth),
                "sd": float(np.std(value[usable])),
                "coverage": float(np.mean(covered[usable])),
                "width": float(np.mean((high - low)[usable])),
                "undefined": int((~usable).sum()),
            }
    return {
        "cell": {"kind": cell.kind, "level": cell.level, **asdict(cell.size)},
        "studies": studies,
        "seconds": (time.perf_counter() - start) / studies,
        "figures": figures,
        "permutation": float(np.mean([record.permutation_p < 0.05 for record in records])),
        "difference": _share([record.difference_excludes for record in records]),
        "pair": _share([record.pair_excludes for record in records]),
        "any_of_many": _share([record.any_of_many for record in records]),
    }


def _share(flags: list[bool | None]) -> float | None:
    usable = [flag for flag in flags if flag is not None]
    return float(np.mean(usable)) if usable else None


@dataclass(frozen=True)
class _Record:
    truth: Mapping[tuple[str, str], float]
    interval: Mapping[tuple[str, str], tuple[float, float, float]]
    permutation_p: float
    difference_excludes: bool | None
    pair_excludes: bool | None
    any_of_many: bool | None


def _record(study: PlantedStudy, level: str) -> _Record:
    cube = replace(study.cube, categories=tuple(f"group-{p % GROUPS}" for p in range(len(study.cube.prompts))))
    groups = [TestSet(categories=(f"group-{number}",)) for number in range(GROUPS)]
    many = [("accuracy", test_set) for test_set in groups]
    whole, one_pair, *parts = replicated(
        cube,
        study.values,
        [("accuracy", TestSet()), ("accuracy_pair", TestSet()), *many],
        replicates=REPLICATES,
        selected=(*((name, level) for name in CORRELATIONS), ("kendall", "pooled")),
    )
    truth, interval = {}, {}
    evaluation = whole.evaluation
    figures = evaluation.within if level == "within" else evaluation.correlations
    for name, correlation in figures.items():
        pair_MM = evaluation.pair_MM
        truth[name, "itself"] = true_correlation(study.accuracy_MM, study.ndr_MM, name, level, pair_MM)
        truth[name, "this"] = true_correlation(evaluation.value_MM, study.ndr_MM, name, level, pair_MM)
        plain = correlation.sample.value
        truth[name, "sample"] = np.nan if plain is None else plain
        truth[name, "ceiling"] = true_correlation(study.ndr_MM, evaluation.ndr_MM, name, level, pair_MM)
        answers = (correlation, correlation.measure_itself, correlation.sample, correlation.ceiling)
        for estimand, answer in zip(ESTIMANDS, answers, strict=True):
            ends = answer.value, answer.low, answer.high
            interval[name, estimand] = tuple(np.nan if end is None else end for end in ends)  # type: ignore[assignment]
    p = evaluation.correlations["kendall"].p_value
    return _Record(
        truth,
        interval,
        1.0 if p is None else p,
        _excludes(parts[0], parts[1]),
        _excludes(whole, one_pair),
        any(q is not None and q < 0.05 for q in simultaneous(parts[1:], parts[0]).p_values),
    )


def _excludes(first: Replicated, second: Replicated) -> bool | None:
    estimate = difference(first, second)
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low > 0 or estimate.high < 0


def run(name: str, jobs: int, share: float) -> None:
    """All cells of a grid that are not in RESULTS yet; the cheap ones first."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    cells = [cell for cell in grid(name) if cell.name not in results]
    cells.sort(key=lambda cell: cell.size.M**2 * (cell.size.P + 300) * cell.size.R)
    with ProcessPoolExecutor(jobs) as pool:
        futures = {cell.name: pool.submit(partial(simulate, cell, cell.studies(share))) for cell in cells}
        for cell in cells:
            results[cell.name] = futures[cell.name].result()
            _write(RESULTS, results)
            print(cell.name, f"{results[cell.name]['seconds']:.2f} s a study", flush=True)


def _write(path: Path, results: Mapping[str, object]) -> None:
    """A line for each cell, figures with four decimals."""
    lines = [f"{json.dumps(name)}: {json.dumps(_rounded(cell))}" for name, cell in results.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def try_alternatives(share: float) -> None:
    """Coverage of other intervals, of two kinds of study at a few sizes, into ALTERNATIVES."""
    results = json.loads(ALTERNATIVES.read_text()) if ALTERNATIVES.exists() else {}
    for size, kind in product(COMPARED, ("best-of-n", "ppo")):
        cell = Cell(kind, size)
        if cell.name in results:
            continue
        planted, studies = Planted(kind, size), cell.studies(share)
        drawn = [(planted.study(seed), alternatives(planted.study(seed), REPLICATES)) for seed in range(studies)]
        accuracy = [evaluate(study.cube, study.values, replicates=1).value_MM for study, _ in drawn]
        truths = {
            "this": np.mean(
                [true_correlation(a, s.ndr_MM, "kendall", "pooled") for (s, _), a in zip(drawn, accuracy, strict=True)]
            ),
            "itself": np.mean(
                [true_correlation(study.accuracy_MM, study.ndr_MM, "kendall", "pooled") for study, _ in drawn]
            ),
        }
        covered = {
            name: {
                estimand: float(np.mean([w[name][estimand][0] <= truth <= w[name][estimand][1] for _, w in drawn]))
                for estimand, truth in truths.items()
            }
            for name in drawn[0][1]
        }
        results[cell.name] = {"studies": studies, "coverage": covered}
        _write(ALTERNATIVES, results)
        print(cell.name, "alternatives", flush=True)


def size_of_permutation_test(share: float) -> None:
    """How often “predicts at all” is found where nothing predicts, on studies of their own, into PERMUTATION."""
    results = {}
    for M, most in ((5, 1000), (10, 1000), (14, 800), (40, 400)):
        planted, studies = Planted("null", Size(M=M, P=48, R=2, noisy=False)), int(share * most)
        rejected = 0
        for seed in range(studies):
            study = planted.study(100_000 + seed)
            jobs = [("accuracy", TestSet())]
            (part,) = replicated(study.cube, study.values, jobs, replicates=REPLICATES, selected=(KENDALL,))
            p = part.evaluation.correlations["kendall"].p_value
            rejected += p is not None and p < 0.05
        results[str(M)] = {"studies": studies, "size": rejected / studies}
        print(f"permutation test, {M} reward models", flush=True)
    _write(PERMUTATION, results)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Calibrate intervals and tests on simulated studies of known truth.")
    parser.add_argument("--grid", choices=("full", "small"), default="full", help="default: full, hours on two cores")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--share", type=float, default=1.0, help="of the studies of each cell (default 1, all)")
    parser.add_argument("--print", action="store_true", help="only write the page from finished cells")
    arguments = parser.parse_args()
    if not arguments.print:
        run(arguments.grid, arguments.jobs, arguments.share)
        try_alternatives(0.5 * arguments.share)
        size_of_permutation_test(arguments.share)
        _write(REPEATS, calibrate(arguments.share))
    PAGE.write_text(page(*(json.loads(path.read_text()) for path in ALL)))
