"""The benchmark of optimisers runs on any run whose reward models are there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from pipeline.stages import pool
from tests.benchmarks.optimizers import TRANSPARENT, compared, line, opened
from tests.conftest import SMOKE_RUN


def test_policies_of_every_algorithm_stand_beside_what_was_possible(smoke_home: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / SMOKE_RUN
    shutil.copytree(smoke_home / "runs" / SMOKE_RUN, run)
    config = json.loads((run / "config.json").read_text())
    config["ppo"] |= {"algorithms": ["ppo", "rloo", "grpo", "sft"], "samples_per_prompt": 2, "pool_responses": 2}
    (run / "config.json").write_text(json.dumps(config))
    bench = opened(run, None, prompts=3, samples=2)
    pool.make(bench.context)
    results = compared(bench, [TRANSPARENT, "flip-0.00"], repeats=1)
    trained = {(result.optimizer, result.reward) for result in results if result.seconds}
    of_a_reward_model = {(f"{algorithm}, seed 0", "flip-0.00") for algorithm in bench.settings.algorithms}
    assert trained - {pair for pair in trained if pair[1] == TRANSPARENT} == of_a_reward_model
    assert {pair[1] for pair in trained} == {TRANSPARENT, "flip-0.00"}
    assert np.isfinite([(result.gain, result.kl) for result in results]).all()
    best_of_n = [result.gain for result in results if result.optimizer.startswith("best-of-")]
    assert best_of_n[:4] == sorted(best_of_n[:4])
    assert best_of_n[0] > 0
    assert all(line(result).count("|") == 9 for result in results)
