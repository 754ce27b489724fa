"""The benchmark of optimisers runs on any run whose reward models are there; that of the recorded run on its export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from pipeline.config import load_profile
from tests.benchmarks import recorded_optimizers
from tests.benchmarks.document import BENCHMARKS
from tests.benchmarks.optimizers import PROFILE, TRANSPARENT, compared, line, opened, prepared, transparent
from tests.conftest import TINY_RUN
from warehouse import store


def test_policies_of_every_algorithm_stand_beside_what_was_possible(tiny_home: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / TINY_RUN
    shutil.copytree(tiny_home / "runs" / TINY_RUN, run)
    config = json.loads((run / "config.json").read_text())
    config["ppo"] |= {"algorithms": ["ppo", "rloo", "grpo", "sft"], "samples_per_prompt": 2, "pool_responses": 2}
    (run / "config.json").write_text(json.dumps(config))
    prepared(run)
    bench = opened(run, None, prompts=3, samples=2)
    results = list(compared(bench, [TRANSPARENT, "flip-0.00"], repeats=1))
    trained = {(result.optimizer, result.reward) for result in results if result.seconds}
    of_a_reward_model = {(f"{algorithm}, seed 0", "flip-0.00") for algorithm in bench.settings.algorithms}
    assert trained - {pair for pair in trained if pair[1] == TRANSPARENT} == of_a_reward_model
    assert {pair[1] for pair in trained} == {TRANSPARENT, "flip-0.00"}
    assert np.isfinite([(result.gain, result.kl) for result in results]).all()
    best_of_n = [result.gain for result in results if result.optimizer.startswith("best-of-")]
    assert best_of_n[:4] == sorted(best_of_n[:4])
    assert best_of_n[0] > 0
    assert all(line(result).count("|") == 9 for result in results)


def test_the_transparent_reward_is_the_share_of_long_words() -> None:
    assert transparent(["a banana", "Rivers, rivers!", "it's six", ""]).tolist() == [0.5, 1.0, 0.0, 0.0]


def test_its_profile_trains_what_the_recorded_one_does() -> None:
    ours, recorded = (load_profile(name).ppo for name in (str(PROFILE), "recorded"))
    assert ours is not None
    assert recorded is not None
    models = {"reward_models", "sweep", "sweep_reward_models"}
    for algorithm in ours.algorithms:
        own, theirs = (settings.of(algorithm).model_dump(exclude=models) for settings in (ours, recorded))
        assert own == theirs


def test_the_page_says_how_the_recorded_run_s_policies_do(recorded_home: Path) -> None:
    with store.open_read_only(recorded_home) as connection:
        table = recorded_optimizers.section(connection)
    assert f"<!-- recorded optimisers: begin -->\n{table}\n<!-- recorded optimisers: end -->" in BENCHMARKS.read_text()
