"""Times of the metrics layer beside its peer: `pytest tests/benchmarks/test_measures.py --benchmark-only`.

In an ordinary run of the tests they skip. Targets are the project's own; each is asserted at twice its figure, because
machines differ. `python -m tests.benchmarks.report_measures` prints ratios and floors.
"""

from __future__ import annotations

import resource

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks import measure_studies as studies
from tests.warehouse.study.simulate import evaluate_all
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.study import MEASURES, PolicyValues, PromptValues, ScoreCube, TestSet, evaluate, prepare

SLACK = 2.0
PEER_PROMPTS, PEER_MODELS = 40, 4


@pytest.fixture(autouse=True)
def _only_when_asked(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run it with --benchmark-only")


Study = tuple[ScoreCube, PolicyValues, dict[str, PromptValues]]


@pytest.fixture(scope="module")
def paper(request: pytest.FixtureRequest) -> Study:
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run it with --benchmark-only")
    cube, values = studies.study(**studies.PAPER)
    return cube, values, {name: prepare(cube, name) for name in MEASURES}


@pytest.mark.benchmark(group="one changed measure, paper scale")
@pytest.mark.parametrize("measure", ["accuracy", "spearman", "bo_r", "ece"])
def test_one_changed_measure(benchmark: BenchmarkFixture, paper: Study, measure: str) -> None:
    cube, values, ready = paper
    found = benchmark(evaluate, cube, values, measure=measure, prepared=ready[measure])
    assert found.replicates == studies.REPLICATES
    assert benchmark.stats["median"] <= SLACK * 0.060


@pytest.mark.benchmark(group="one changed category, paper scale")
def test_one_changed_category(benchmark: BenchmarkFixture, paper: Study) -> None:
    cube, values, ready = paper
    choice = TestSet(categories=("Safety",))
    benchmark(evaluate, cube, values, test_set=choice, prepared=ready["accuracy"])


@pytest.mark.benchmark(group="all measures, paper scale")
def test_all_measures(benchmark: BenchmarkFixture, paper: Study) -> None:
    cube, values, ready = paper
    assert len(benchmark(evaluate_all, cube, values, prepared=ready)) == len(MEASURES)
    assert benchmark.stats["median"] <= SLACK * 0.400


@pytest.mark.benchmark(group="prepare all measures, paper scale")
def test_prepare(benchmark: BenchmarkFixture, paper: Study) -> None:
    benchmark.pedantic(lambda: [prepare(paper[0], name) for name in MEASURES], rounds=3)


@pytest.mark.benchmark(group="peer: pandas + SciPy, a part of one measure, no bootstrap")
@pytest.mark.parametrize("measure", ["accuracy", "spearman", "kendall"])
def test_peer(benchmark: BenchmarkFixture, paper: Study, measure: str) -> None:
    """The peer on 4 of 10 reward models and 40 of 2,733 prompts: 1/512 of the work. It finds the same figures."""
    cube, _, ready = paper
    theirs = benchmark.pedantic(
        studies.peer_errors, args=(cube, measure, PEER_PROMPTS, PEER_MODELS), rounds=1, iterations=1
    )
    ours, _ = ready[measure].overall(np.ones((1, PEER_PROMPTS)), np.arange(PEER_PROMPTS))
    columns = ready[measure].column_MM[theirs["golden"], theirs["proxy"]]
    np.testing.assert_allclose(ours[0, columns], theirs["error"], atol=1e-9)


@pytest.mark.benchmark(group="best of n, all n ≤ 64, all pairs")
def test_best_of_n(benchmark: BenchmarkFixture) -> None:
    scores = studies.samples(studies.PAPER["M"], studies.PAPER["P"])
    strengths = range(1, studies.SAMPLES + 1)
    values = benchmark.pedantic(best_of_n_values, args=(scores, strengths), rounds=3)
    np.testing.assert_allclose(values[:, :, :, :2], studies.peer_best_of_n(scores, strengths, 2), atol=1e-6)
    assert benchmark.stats["min"] <= SLACK * 1.0


@pytest.mark.benchmark(group="accuracy and spearman, large: M = 100, R = 8")
def test_large(benchmark: BenchmarkFixture) -> None:
    cube, values = studies.study(**studies.LARGE)
    ready = {name: prepare(cube, name) for name in ("accuracy", "spearman")}
    benchmark.pedantic(
        lambda: evaluate_all(cube, values, measures=tuple(ready), prepared=ready), rounds=2, warmup_rounds=1
    )
    assert benchmark.stats["min"] <= SLACK * 3.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss <= 4 * 1024**2  # KiB on Linux: 4 GiB
