"""A run whose reward models train all layers, by two processes, from its profile to its figures."""

from __future__ import annotations

import gc
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal
from safetensors.numpy import load_file

from pipeline import runs
from pipeline.context import Context
from pipeline.models.reward_model import RewardModel, load_reward_model
from pipeline.models.trunk import Features, depths_in, trunk_features
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Progress
from pipeline.scoring import texts
from pipeline.scoring.scorer import Scorer
from pipeline.stages import STAGES, scores
from tests.conftest import righttree, righttree_process
from tests.pipeline.models.tiny import tiny_folder
from tests.pipeline.stages.test_reward_model_kinds import stage
from warehouse import reads, store

PROFILE = """
[policy]
model = "{model}"
max_new_tokens = 6
batch_responses = 48

[prompts]
categories = ["Chat", "Reasoning"]
rm_train_per_category = 6
rm_test_per_category = 2
rl_test_per_category = 2

[preferences]
cool_samples = 1
extra_samples = 1

[reward_models]
flip_rates = [0.0, 0.3]
trainable_layers = -1
learning_rate = 1e-3
epochs = 1
batch_pairs = 8
gradient_accumulation = 2
gradient_checkpointing = true
processes = 2

[[reward_models.others]]
kind = "depth"
trainable_layers = 1

[test]
rm_test_responses = 3
rl_test_samples = 4
source_temperatures = []

[ppo]
steps = 1
checkpoints = [1]
test_samples = 1
trainable_layers = 1
batch_responses = 8
epochs = 1
minibatches = 2
"""
RUN = "all-layers"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the run, and its profile beside it."""
    folder = tmp_path_factory.mktemp("home")
    model = tiny_folder(folder / "model")
    (folder / "tiny.toml").write_text(PROFILE.format(model=model))
    done = righttree_process("run", "--profile", str(folder / "tiny.toml"), "--run-id", RUN, home=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_run_goes_through_all_stages(home: Path) -> None:
    run = runs.open_run(home, RUN)
    assert run.is_finished
    connection = store.open_read_only(home)
    models = reads.runs.reward_models(connection, RUN)
    assert dict(models.select("reward_model_id", "trainable_layers").iter_rows()) == {
        "depth-1": 1,
        "flip-0.00": -1,
        "flip-0.30": -1,
    }
    assert reads.values.policy_values(connection, RUN, "ppo", 1).optimised_MMQ.shape[:2] == (3, 3)
    curve = run.read("training_curve").filter(pl.col("model_id") == "flip-0.00")
    assert set(curve["metric"]) == {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}


def test_all_blocks_are_the_reward_model_s_own_and_no_features_of_them_are_kept(home: Path) -> None:
    run = runs.open_run(home, RUN)
    weights = {
        name: load_file(run.work_path("reward_models", name, "model.safetensors")) for name in ("flip-0.00", "depth-1")
    }
    blocks = {name: {key.split(".")[2] for key in of if key.startswith("top.layers.")} for name, of in weights.items()}
    assert blocks == {"flip-0.00": {"0", "1", "2"}, "depth-1": {"0"}}
    files = list(run.work_path("features").glob("*.safetensors"))
    assert files
    assert all(depths_in(path) == {1} for path in files)
    assert [path.name for path in run.work_path("reward_models").iterdir() if path.name.startswith(".")] == []


def test_scoring_holds_one_of_them_at_a_time_and_gives_the_scores_of_its_weights(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home / "runs" / RUN, tmp_path / RUN)
    run = RunDirectory(tmp_path / RUN, runs.open_run(home, RUN).config)
    stored = sorted((run.path / "score").glob("scores-*.parquet"))
    before = run.read("score", "scores").sort("reward_model_id", "response_id")
    assert {path.stem.partition("+")[2] for path in stored} == {"", "flip-0.00", "flip-0.30"}
    for path in stored:
        path.unlink()
    alive: list[list[str]] = []
    score = RewardModel.score

    def counted(model: RewardModel, features: Features) -> NDArray[np.float32]:
        gc.collect()
        alive.append([str(one.trainable_layers) for one in gc.get_objects() if type(one) is RewardModel])
        return score(model, features)

    monkeypatch.setattr(RewardModel, "score", counted)
    context = Context(run, Progress(run, list(STAGES), io.StringIO()))
    context.progress.begin("scores")
    scores.run(context)
    assert len(alive) == len(stored)
    assert {tuple(sorted(layers)) for layers in alive} == {("1",), ("-1", "1")}
    assert_frame_equal(run.read("score", "scores").sort("reward_model_id", "response_id"), before)
    batch = texts.batches(scores.rounds(context)[0].select("prompt", "text").iter_rows())[0]
    own = load_reward_model(run.work_path("reward_models", "flip-0.30"), context.base_model)
    again = score(own, trunk_features(context.base_model, [-1], batch)[-1])
    assert Scorer(context).only({"flip-0.30"}).score(batch)["flip-0.30"].to_list() == again.tolist()


def test_one_process_learns_what_the_two_have_learnt(home: Path, tmp_path: Path) -> None:
    together = runs.open_run(home, RUN)
    shutil.copytree(together.path, tmp_path / RUN)
    models = together.config.reward_models.model_copy(update={"processes": 1})
    alone = RunDirectory(tmp_path / RUN, together.config.model_copy(update={"reward_models": models}))
    (alone.path / "reward_model" / "reward_models-flip-0.00.parquet").unlink()
    stage(alone)
    losses = [
        run.read("training_curve")
        .filter(pl.col("metric").str.ends_with("loss"), model_id="flip-0.00")
        .sort("metric", "step")["value"]
        for run in (together, alone)
    ]
    assert len(losses[0]) == 3
    # to the rounding of bfloat16; an accuracy moves by a whole pair where two scores are nearly equal
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-3)


def test_the_memory_of_the_processes_is_counted(home: Path) -> None:
    stages = json.loads((home / "runs" / RUN / "manifest.json").read_text())["stages"]
    assert stages["reward_models"]["peak_resident_bytes"] > 1.5 * stages["train_responses"]["peak_resident_bytes"]


@pytest.mark.deep  # of the processes alone: test_training_processes.py
def test_a_process_that_fails_stops_the_run_in_one_line_and_resume_goes_on(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs" / RUN
    shutil.copytree(home / "runs" / RUN, path)
    weights = path / "work" / "reward_models" / "flip-0.00"
    before = load_file(weights / "model.safetensors")
    shutil.rmtree(weights)
    for name in ("reward_model/reward_models-flip-0.00.parquet", "stages/reward_models.json", "stages/publish.json"):
        (path / name).unlink()
    (path / "manifest.json").unlink()
    (home / "model").rename(home / "model-elsewhere")
    try:
        failed = righttree("resume", RUN, home=tmp_path)
    finally:
        (home / "model-elsewhere").rename(home / "model")
    assert failed.returncode == 2
    line = failed.stderr.splitlines()[-1]
    assert re.match(r"righttree: flip-0.00: training process [12] of 2 failed: model .* cannot be loaded", line)
    assert f"`righttree resume {RUN}` trains it again" in line
    assert not weights.exists()
    resumed = righttree("resume", RUN, home=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = load_file(weights / "model.safetensors")
    assert all(np.allclose(before[name], after[name], atol=1e-6) for name in before)
