"""The metrics layer's times, into `docs/benchmarks.md`: `python -m tests.benchmarks.report_measures [--print]`.

Beside each time stand the peer's (timed on a part in the same run and scaled), their ratio, and the distance to a
floor: the operations of the matrix products that a bootstrap of these figures comes down to, at the fastest product
this machine makes, or the bytes they have to read and write at the rate of a large copy, whichever takes longer. Ranks,
sorts and draws are not in the floor.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout

import numpy as np

from tests.benchmarks import measure_studies as studies
from tests.benchmarks.baselines import json_line
from tests.benchmarks.document import insert
from tests.warehouse.study.simulate import evaluate_all
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.stats.across_pairs import EVERY, Selected
from warehouse.stats.resampling import rows_for
from warehouse.study import MEASURES, PolicyValues, PromptValues, ScoreCube, TestSet, evaluate, prepare, replicated

B = studies.REPLICATES
KENDALL: Selected = (("kendall", "pooled"),)


def seconds(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Shortest and median time of so many rounds after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times)


def machine_rates() -> dict[str, float]:
    """Operations per second of large matrix products in both precisions, bytes per second of a large copy."""
    rng = np.random.default_rng(0)
    rates = {}
    for kind in (np.float64, np.float32):
        a = rng.random((2000, 2000)).astype(kind)
        shortest, _ = seconds(lambda a=a: a @ a, 5)  # type: ignore[misc]
        rates[np.dtype(kind).name] = 2 * 2000**3 / shortest
    source = rng.random(16_000_000)
    target = np.empty_like(source)
    shortest, _ = seconds(lambda: np.copyto(target, source), 5)
    rates["bytes"] = 2 * source.nbytes / shortest
    return rates


def floor(rates: dict[str, float], products: list[tuple[int, int, int]], kind: str) -> float:
    """Least time of these matrix products `(rows, inner, columns)`."""
    size = np.dtype(kind).itemsize
    return sum(
        max(2 * m * k * n / rates[kind], size * (m * k + k * n + m * n) / rates["bytes"]) for m, k, n in products
    )


def products_of(values: PromptValues) -> list[tuple[int, int, int]]:
    T, P, C = values.values_TPC.shape
    M = len(values.column_MM)
    return [(rows_for((True,) * M, (True,) * M, B, 0).draws, P, C)] * T


def _changed(
    cube: ScoreCube,
    values: PolicyValues,
    prepared: Mapping[str, PromptValues],
    change: Callable[[], None],
    selected: Selected,
) -> None:
    """What a page computes after one control has changed, with all intervals."""
    change()
    replicated(cube, values, [("accuracy", TestSet())], prepared=[prepared["accuracy"]], selected=selected)


def report() -> dict[str, float]:
    """Print the table; returns the medians by figure."""
    rates = machine_rates()
    M, P, N = studies.PAPER["M"], studies.PAPER["P"], studies.SAMPLES
    cube, values = studies.study(**studies.PAPER)
    start = time.perf_counter()
    ready = {name: prepare(cube, name) for name in MEASURES}
    prepared = time.perf_counter() - start
    ndr = (B, P, M * M)
    rows: list[tuple[str, float, float, float | None, float | None]] = []

    for name in ("accuracy", "spearman", "kendall", "pearson", "bo_r", "ece"):
        shortest, median = seconds(lambda name=name: evaluate(cube, values, measure=name, prepared=ready[name]), 10)  # type: ignore[misc]
        peer = studies.peer_seconds(cube, values, name) if name in studies.PEERS else None
        least = floor(rates, [ndr, *products_of(ready[name])], "float64")
        rows.append((f"one changed measure: {name}", shortest, median, peer, least))
    small_cube, small_values = studies.study(**studies.RECORDED)
    small = {name: prepare(small_cube, name) for name in ("accuracy", "spearman")}
    for name, change in (
        ("changed test set", lambda: small["accuracy"]._drawn.clear()),
        ("changed policies", lambda: small_values.drawn.clear()),
    ):
        for every, selected in (("one correlation", KENDALL), ("every correlation", EVERY)):
            shortest, median = seconds(lambda c=change, s=selected: _changed(small_cube, small_values, small, c, s), 10)  # type: ignore[misc]
            rows.append((f"recorded size, {name}: {every}", shortest, median, None, None))  # no floor: all is ranking
    choice = TestSet(categories=("Safety",))
    inside = sum(category == "Safety" for category in cube.categories)
    shortest, median = seconds(lambda: evaluate(cube, values, test_set=choice, prepared=ready["accuracy"]), 10)
    rows.append(
        ("one changed category: accuracy", shortest, median, None, floor(rates, [ndr, (B, inside, 45)], "float64"))
    )
    shortest, median = seconds(lambda: evaluate_all(cube, values, prepared=ready), 5)
    every = [ndr, *(product for each in ready.values() for product in products_of(each))]
    rows.append((f"all {len(MEASURES)} measures", shortest, median, None, floor(rates, every, "float64")))

    scores, strengths = studies.samples(M, P), range(1, N + 1)
    shortest, median = seconds(lambda: best_of_n_values(scores, strengths), 3)
    peer = studies.peer_best_of_n_seconds(scores, strengths)
    rows.append((f"best-of-n, n = 1…{N}", shortest, median, peer, floor(rates, [(M * M * P, N, N)], "float64")))

    large_cube, large_values = studies.study(**studies.LARGE)
    start = time.perf_counter()
    both = {name: prepare(large_cube, name) for name in ("accuracy", "spearman")}
    large_prepared = time.perf_counter() - start
    shortest, median = seconds(lambda: evaluate_all(large_cube, large_values, measures=tuple(both), prepared=both), 3)
    peer = sum(studies.peer_seconds(large_cube, large_values, name) for name in both)
    every = [(B, P, studies.LARGE["M"] ** 2), *(product for each in both.values() for product in products_of(each))]
    rows.append(("large: accuracy and spearman", shortest, median, peer, floor(rates, every, "float32")))

    print(f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}: ", end="")
    print(
        f"{rates['float64'] / 1e9:.0f} GFLOP/s double, {rates['float32'] / 1e9:.0f} GFLOP/s single, "
        f"{rates['bytes'] / 1e9:.0f} GB/s. B = {B:,}.\n"
    )
    print("| figure | best | median | peer, no bootstrap | ratio | floor | × floor |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, shortest, median, peer, least in rows:
        theirs = ("–", "–") if peer is None else (f"{peer:,.1f} s", f"{peer / median:,.0f}×")
        print(
            f"| {name} | {shortest * 1e3:,.1f} ms | {median * 1e3:,.1f} ms | {theirs[0]} | {theirs[1]} "
            f"| {'– | –' if least is None else f'{least * 1e3:,.1f} ms | {median / least:.1f}'} |"
        )
    print(
        f"\nPreparing, once per cube: all measures {prepared * 1e3:,.0f} ms; large, two measures "
        f"{large_prepared * 1e3:,.0f} ms. Greatest memory of the process: "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GiB."
    )
    return {name: median for name, _, median, _, _ in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    arguments = parser.parse_args()
    printed = io.StringIO()
    with redirect_stdout(printed):
        medians = report()
    print(printed.getvalue())
    if not arguments.print:
        insert("measures", printed.getvalue().strip())
    print(json_line("measures", medians))


if __name__ == "__main__":
    main()
