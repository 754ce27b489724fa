"""The scale benchmark at a size of seconds: rows come out as drawn, every figure is there, formulas hold on a run."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import runs
from pipeline.config import EMBEDDED_MODEL
from pipeline.context import Context
from pipeline.cost import estimate
from pipeline.cost.costs import Rates
from pipeline.cost.model_size import KNOWN
from pipeline.runs.progress import Progress
from pipeline.stages import best_of_n
from tests.benchmarks.apart import apart
from tests.benchmarks.machine import Others
from tests.benchmarks.scale import paper
from tests.benchmarks.scale.__main__ import Figures, measure, section
from tests.benchmarks.scale.study import Scale, write
from tests.conftest import SMOKE_RUN
from warehouse import reads, store
from warehouse.metrics.policies.best_of_n import best_of_n_values

TINY = Scale(reward_models=4, prompts=24, responses=5, samples=8, pairs=30, validation_pairs=6, words=6)
SIZES = {"M": 4, "P": 24, "R": 5, "Q": 24, "N": 8, "S": 4, "T": 30, "U": 6, "O": 0, "C": 0, "V": 0, "A": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scale")


@pytest.fixture(scope="module")
def figures(home: Path) -> Figures:
    return measure(home, TINY, rounds=2, most_bytes=None)


def test_every_figure_comes_out(figures: Figures) -> None:
    assert not [one.refused for one in figures.actions if one.refused]
    assert all(second > 0 for one in figures.actions for second in one.seconds)
    assert {len(one.seconds) for one in figures.actions} == {1, 2}
    text = section(figures, Others(), 10)
    assert f"**published** | {figures.published.seconds:.1f}" in text
    assert text.count("changed: ") == 9


def test_rows_are_those_of_the_formulas(figures: Figures) -> None:
    expected = {name: round(paper.of(formula, SIZES)) for name, formula in paper.ROWS.items()}
    del expected["policy_value of best-of-n"]
    assert {name: figures.tables[name][0] for name in expected} == expected
    assert figures.published.found == {name: rows for name, (rows, _) in figures.tables.items()}
    assert "not kept: 191,310,000" in paper.section(figures.tables | {"response": (1, 50)})


def test_scores_are_those_drawn_and_the_less_noisy_reward_models_agree_more(figures: Figures, home: Path) -> None:
    with store.open_read_only(home) as connection:
        cube = reads.scores.initial_scores(connection, TINY.run_id, "rl_test")
        values = reads.values.policy_values(connection, TINY.run_id, "bon", 4)
    samples = cube.scores_MPR
    assert (samples.shape, list(cube.reward_models), list(cube.prompts)) == (
        (4, 24, 8),
        TINY.names,
        TINY.prompt_ids("rl_test"),
    )
    quality = TINY.rng(3, 1).standard_normal((24, 8), dtype=np.float32)
    own = TINY.rng(4, 1, 2).standard_normal((24, 8), dtype=np.float32)
    assert samples[2] == pytest.approx(quality + np.linspace(0.3, 2.5, 4, dtype=np.float32)[2] * own)
    assert values.initial_MQ == pytest.approx(samples.mean(axis=2), abs=1e-6)
    agreement = [np.corrcoef(samples[0].ravel(), samples[m].ravel())[0, 1] for m in (1, 2, 3)]
    assert agreement == sorted(agreement, reverse=True)


def test_formulas_hold_on_a_run_of_the_pipeline(smoke_home: Path) -> None:
    config = runs.open_run(smoke_home, SMOKE_RUN).config
    assert config.ppo is not None
    with store.open_read_only(smoke_home) as connection:

        def count(table: str, where: str = "true") -> int:
            return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchall()[0][0])

        P, Q, M = count("prompt", "split = 'rm_test'"), count("prompt", "split = 'rl_test'"), count("reward_model")
        N = config.test.rl_test_samples
        of_training = "prompt_id IN (FROM prompt SELECT prompt_id WHERE split = 'rm_train')"
        train = count("response", of_training)
        tests = count("response", f"policy_id NOT LIKE 'ppo%' AND NOT {of_training}")
        T = count("preference", "split = 'train'")
        sizes = {"M": M, "P": P, "R": (tests - Q * N) / P, "Q": Q, "N": N, "S": len(config.best_of_n), "T": T}
        sizes["O"] = count("(SELECT DISTINCT reward_model_id FROM policy WHERE optimizer = 'ppo')")
        sizes |= {"U": count("preference") - T, "C": len(config.ppo.checkpoints), "V": config.ppo.test_samples, "A": 1}
        there = {name: count(name) for name in ("response", "preference", "label", "score")}
        there["policy_value"] = count("policy_value", "policy_id NOT LIKE 'bon%'")
        there["policy_value of best-of-n"] = count("policy_value", "policy_id LIKE 'bon%'")
    there["response"] -= train
    assert {name: round(paper.of(formula, sizes)) for name, formula in paper.ROWS.items()} == there


def test_work_is_that_of_the_pipelines_own_estimate() -> None:
    sizes, work = paper.reference_sizes(), estimate.work(estimate.reference().config)
    sampled = 2 * KNOWN[EMBEDDED_MODEL].parameters / Rates().sampling  # a token's operations, at the peak's rate
    read = sampled * Rates().sampling / Rates().reading
    units = {"test_responses": sampled, "scores": read, "best_of_n": 1.0, "ppo": sampled}
    for stage, unit in units.items():
        assert unit * paper.of(paper.WORK[stage], sizes) == pytest.approx(work[stage], rel=2e-3), stage
        assert paper.seconds(stage, sizes) == estimate.reference().stages[stage]["work_s"]


SOME = ("flip-0.00", "flip-0.40")


@pytest.mark.parametrize(
    ("changes", "networks"),
    [
        ({"algorithms": ("ppo",), "epochs": 1}, 2),
        ({"algorithms": ("rloo",), "reward_models": SOME, "checkpoint_samples": 1}, 1),
        ({"algorithms": ("grpo",), "reward_models": SOME, "epochs": 3}, 1),
    ],
)
def test_work_of_policies_is_that_of_their_algorithm(changes: dict[str, Any], networks: int) -> None:
    config = estimate.reference().config
    assert config.ppo is not None
    config = config.model_copy(update={"ppo": config.ppo.model_copy(update=changes)})
    sizes = paper.sizes_of(config, pairs=100, test_texts=1000)
    assert (sizes["K"], sizes["O"] < sizes["M"]) == (networks, networks == 1)
    unit = 2 * KNOWN[EMBEDDED_MODEL].parameters / Rates().sampling
    assert unit * paper.of(paper.WORK["ppo"], sizes) == pytest.approx(estimate.work(config)["ppo"], rel=2e-3)


def test_best_of_n_of_very_many_values_is_left_to_the_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write(tmp_path, dataclasses.replace(TINY, reward_models=3, samples=16))
    progress = Progress(run, [best_of_n.STAGE], io.StringIO())
    progress.begin(best_of_n.STAGE)
    context = Context(run, progress)

    def valued() -> set[str]:
        best_of_n.run(context)
        return set(run.read_part("policy_value", best_of_n.STAGE, 0)["policy_id"])

    policies = valued()
    assert len({name for name in policies if name.startswith("bon-")}) == 3 * len(context.config.best_of_n)
    assert {name.partition("-")[0] for name in policies} == {"initial", "bon", "tilted"}
    monkeypatch.setattr(best_of_n, "MOST_VALUES", 1)
    assert valued() == {"initial"}
    progress.close()


def test_memory_beyond_the_limit_is_refused_and_what_was_held_is_measured() -> None:
    measured = apart(np.ones, 50_000_000, most_bytes=3 * 2**30)
    assert measured.peak_bytes > 4e8
    with pytest.raises(MemoryError):
        apart(np.ones, 500_000_000, most_bytes=3 * 2**30)


def test_values_of_the_policies_are_best_of_n_s(figures: Figures, home: Path) -> None:
    with store.open_read_only(home) as connection:
        samples = reads.scores.initial_scores(connection, TINY.run_id, "rl_test").scores_MPR
        values = reads.values.policy_values(connection, TINY.run_id, "bon", 8)
    assert values.optimised_MMQ == pytest.approx(best_of_n_values(samples, [8])[0])
