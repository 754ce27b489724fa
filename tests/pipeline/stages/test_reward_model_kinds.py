"""Reward models that differ in kind: in what they see of the pairs, in their depth, in nothing but the seed."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from pipeline import runs
from pipeline.config import Config, RewardModelPlan
from pipeline.context import Context
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Progress
from pipeline.stages import reward_models
from pipeline.stages.reward_models import labels_of
from tests.conftest import TINY_RUN

CLEAN = RewardModelPlan("flip-0.00", "flip", trainable_layers=0, learning_rate=1e-3, epochs=1)
OTHERS = [
    {"kind": "size", "train_share": 0.1},
    {"kind": "size", "train_share": 0.3},
    {"kind": "depth", "trainable_layers": 0},
    {"kind": "seed", "number": 1},
    {"kind": "length", "length_bias": 1.0},
]


def rng(*names: str) -> np.random.Generator:
    return np.random.default_rng([len(names), *(ord(letter) for name in names for letter in name)])


def pairs(count: int) -> pl.DataFrame:
    """Pairs with responses of random lengths; every tenth pair has two of the same length."""
    lengths = np.random.default_rng(0).integers(1, 60, size=(count, 2))
    lengths[::10, 1] = lengths[::10, 0]
    sides = {side: ["x" * n for n in lengths[:, column]] for column, side in enumerate(("chosen", "rejected"))}
    return pl.DataFrame({"preference_id": [f"pair/{n}" for n in range(count)], **sides})


def longer_chosen(labels: pl.DataFrame) -> pl.Series:
    """For pairs of unequal lengths: whether the label, as flipped, prefers the longer response."""
    lengths = labels.with_columns(pl.col("chosen", "rejected").str.len_chars()).filter(
        pl.col("chosen") != pl.col("rejected")
    )
    return (lengths["chosen"] > lengths["rejected"]) != lengths["flipped"]


def test_a_length_bias_makes_so_many_labels_prefer_the_longer_response_and_leaves_the_rest() -> None:
    plan = replace(CLEAN, reward_model_id="length-0.50", kind="length", length_bias=0.5)
    everything, half = labels_of(replace(plan, length_bias=1.0), pairs(400), rng), labels_of(plan, pairs(400), rng)
    assert longer_chosen(everything).all()
    assert not everything.filter(pl.col("chosen").str.len_chars() == pl.col("rejected").str.len_chars())[
        "flipped"
    ].any()
    clean_share = longer_chosen(labels_of(CLEAN, pairs(400), rng)).mean()
    assert longer_chosen(half).mean() == pytest.approx((1.0 + clean_share) / 2, abs=0.05)
    assert (half["flipped"] & ~everything["flipped"]).sum() == 0


def test_length_bias_overrules_random_flips() -> None:
    plan = replace(CLEAN, reward_model_id="length-1.00-flip-0.40", kind="length", flip_rate=0.4, length_bias=1.0)
    assert longer_chosen(labels_of(plan, pairs(200), rng)).all()


def test_a_smaller_training_set_is_part_of_a_larger_one_and_of_the_asked_size() -> None:
    plans = [replace(CLEAN, reward_model_id=f"size-{share}", kind="size", train_share=share) for share in (0.1, 0.5)]
    small, large = (set(labels_of(plan, pairs(100), rng)["preference_id"]) for plan in plans)
    assert (len(small), len(large)) == (10, 50)
    assert small < large
    assert labels_of(replace(plans[0], train_share=1e-6), pairs(100), rng).height == 1


@pytest.fixture(scope="module")
def trained(tiny_home: Path, tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The pairs and features of the run of the two-layer model, on which reward models of all kinds are trained."""
    settings = tiny_config.model_dump(mode="json")
    settings["reward_models"] |= {"flip_rates": [0.0, 0.4], "others": OTHERS, "epochs": 1}
    data = tmp_path_factory.mktemp("kinds-home")
    run = runs.create(data, Config.model_validate(settings), "kinds")
    source = runs.open_run(tiny_home, TINY_RUN)
    shutil.copytree(source.path / "preference", run.path / "preference")
    shutil.copytree(source.work_path("features"), run.work_path("features"))
    assert stage(run) == 7
    return run


def stage(run: RunDirectory) -> int:
    progress = Progress(run, [reward_models.STAGE], io.StringIO())
    progress.begin(reward_models.STAGE)
    try:
        return reward_models.run(Context(run, progress)).units
    finally:
        progress.close()


def test_every_kind_is_trained_on_the_labels_that_its_card_says(trained: RunDirectory) -> None:
    cards = trained.read("reward_model")
    assert sorted(cards["reward_model_id"]) == list(trained.config.reward_models.ids)
    labels = trained.read("label").join(trained.read("preference"), on="preference_id")
    assert set(labels["split"]) == {"train"}
    seen = {name: labels.filter(reward_model_id=name) for name in cards["reward_model_id"]}
    assert {name: rows.height for name, rows in seen.items()} == dict(
        cards.select("reward_model_id", "train_pairs").iter_rows()
    )
    everything = seen["flip-0.00"].height
    assert [seen[name].height for name in ("size-0.10", "size-0.30")] == [round(everything * s) for s in (0.1, 0.3)]
    assert set(seen["size-0.10"]["preference_id"]) < set(seen["size-0.30"]["preference_id"])
    assert longer_chosen(seen["length-1.00"]).all()
    assert not seen["seed-1"]["flipped"].any()
    assert seen["flip-0.40"]["flipped"].sum() == round(0.4 * everything)
    assert cards["seed"].n_unique() == cards.height


def test_each_kind_has_blocks_of_its_own_depth_and_other_weights(trained: RunDirectory) -> None:
    cards = trained.read("reward_model")
    weights = {
        name: load_file(trained.path / folder / "model.safetensors")
        for name, folder in cards.select("reward_model_id", "weights").iter_rows()
    }
    assert list(weights["depth-0"]) == ["head.weight"]
    block = next(name for name in weights["flip-0.00"] if name.endswith("mlp.up_proj.weight"))
    trained_blocks = [tensors[block] for name, tensors in weights.items() if name != "depth-0"]
    for number, one in enumerate(trained_blocks):
        assert all(not np.array_equal(one, other) for other in trained_blocks[:number])


def test_the_flips_of_a_run_come_out_the_same_beside_other_kinds(trained: RunDirectory, tiny_home: Path) -> None:
    stored = runs.open_run(tiny_home, TINY_RUN).read("label")
    for name in ("flip-0.00", "flip-0.40"):
        assert trained.read("label").filter(reward_model_id=name).equals(stored.filter(reward_model_id=name))


@pytest.mark.parametrize("lost", ["length-1.00", "depth-0"])
def test_a_reward_model_that_is_missing_is_trained_again_to_the_same_weights(
    trained: RunDirectory, tmp_path: Path, lost: str
) -> None:
    copied = RunDirectory(tmp_path / "kinds", trained.config)
    shutil.copytree(trained.path, copied.path)

    def read(run: RunDirectory) -> dict:
        return load_file(run.work_path("reward_models", lost, "model.safetensors"))

    before = read(copied)
    (copied.path / "reward_model" / f"reward_models-{lost}.parquet").unlink()
    stage(copied)
    after = read(copied)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert (
        copied.read("reward_model").sort("reward_model_id").equals(trained.read("reward_model").sort("reward_model_id"))
    )
