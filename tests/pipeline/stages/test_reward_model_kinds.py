"""Reward models that differ in kind: in what they see of the pairs, in their depth, in nothing but the seed.

Those of whole runs are trained on stored features of the two-layer model: of depth 1 (`trained`), or heads (`heads`).
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from pipeline import runs
from pipeline.config import Config, RewardModelPlan
from pipeline.context import Context, Engine, Plan, StageResult, make_here
from pipeline.errors import InvalidConfig
from pipeline.models.trunk import Features, load_features
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Progress
from pipeline.scoring.texts import of_pairs
from pipeline.stages import reward_models
from pipeline.stages.features import text_batches
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
MEMBERS = ("flip-0.00", "seed-1-flip-0.40", "flip-close-0.20")
HEADS = [
    *({"kind": "seed", "number": number, "flip_rate": 0.4} for number in (1, 2)),
    {"kind": "category-flip", "flipped_category": "Safety", "flip_rate": 0.5},
    *({"kind": "margin-flip", "flip_rate": rate} for rate in (0.2, 0.4)),
    {"kind": "only-category", "only_category": "Chat Hard"},
    {"kind": "ensemble", "members": MEMBERS},
]


def rng(*names: str) -> np.random.Generator:
    return np.random.default_rng([len(names), *(ord(letter) for name in names for letter in name)])


def pairs(count: int) -> pl.DataFrame:
    """Pairs with responses of random lengths; every tenth pair has two of the same length."""
    lengths = np.random.default_rng(0).integers(1, 60, size=(count, 2))
    lengths[::10, 1] = lengths[::10, 0]
    sides = {side: ["x" * n for n in lengths[:, column]] for column, side in enumerate(("chosen", "rejected"))}
    category = [("Safety", "Chat", None, "Chat")[n % 4] for n in range(count)]
    return pl.DataFrame({"preference_id": [f"pair/{n}" for n in range(count)], "category": category, **sides})


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


def test_flips_of_one_category_leave_all_other_labels() -> None:
    plan = replace(CLEAN, reward_model_id="x", kind="category-flip", flip_rate=0.4, flipped_category="Safety")
    labels = labels_of(plan, pairs(400), rng)
    assert labels.height == 400
    assert labels.filter(flipped=True)["category"].unique().to_list() == ["Safety"]
    assert labels["flipped"].sum() == 40


def test_only_the_pairs_of_one_category_are_seen_and_can_be_flipped_too() -> None:
    plan = replace(CLEAN, reward_model_id="x", kind="only-category", only_category="Chat", flip_rate=0.1)
    labels = labels_of(plan, pairs(400), rng)
    assert (labels.height, labels["flipped"].sum()) == (200, 20)
    assert set(labels["category"]) == {"Chat"}


@pytest.mark.parametrize("setting", ["flipped_category", "only_category"])
def test_a_category_without_training_pairs_is_refused_by_name(setting: str) -> None:
    plan = replace(CLEAN, reward_model_id="mine", **{setting: "Poetry"})
    with pytest.raises(InvalidConfig, match=r"mine is about category 'Poetry'.*of \['Chat', 'Safety'\]") as caught:
        labels_of(plan, pairs(8), rng)
    assert "\n" not in str(caught.value)


def test_flips_by_margin_are_those_of_the_closest_pairs() -> None:
    margins = np.random.default_rng(3).exponential(size=50).astype(np.float32)
    plan = replace(CLEAN, reward_model_id="x", kind="margin-flip", flip_rate=0.3)
    flipped = labels_of(plan, pairs(50), rng, margins)["flipped"].to_numpy()
    assert flipped.sum() == 15
    assert margins[flipped].max() < margins[~flipped].min()


def begun(tiny_home: Path, tiny_config: Config, data: Path, **changed: object) -> RunDirectory:
    """A run with the pairs and features of the run of the two-layer model, and no reward model yet."""
    settings = tiny_config.model_dump(mode="json")
    settings["reward_models"] |= {"flip_rates": [0.0, 0.4], "epochs": 1, **changed}
    run = runs.create(data, Config.model_validate(settings), "kinds")
    source = runs.open_run(tiny_home, TINY_RUN)
    shutil.copytree(source.path / "preference", run.path / "preference")
    shutil.copytree(source.work_path("features"), run.work_path("features"))
    return run


@pytest.fixture(scope="module")
def trained(tiny_home: Path, tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Reward models of one block, which a first step leaves as it was, as the head is still 0."""
    run = begun(tiny_home, tiny_config, tmp_path_factory.mktemp("kinds-home"), epochs=2, others=OTHERS)
    assert stage(run) == 7
    return run


@pytest.fixture(scope="module")
def heads(tiny_home: Path, tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Reward models that train only their head, and an ensemble of three of them."""
    data = tmp_path_factory.mktemp("heads-home")
    run = begun(tiny_home, tiny_config, data, trainable_layers=0, epochs=4, others=HEADS)
    assert stage(run) == 9
    return run


def stage(run: RunDirectory, engine: Engine = make_here) -> int:
    progress = Progress(run, [reward_models.STAGE], io.StringIO())
    progress.begin(reward_models.STAGE)
    try:
        return reward_models.run(Context(run, progress, engine)).units
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


def test_labels_of_heads_are_flipped_where_their_kind_says(heads: RunDirectory) -> None:
    cards = {row["reward_model_id"]: row for row in heads.read("reward_model").iter_rows(named=True)}
    assert sorted(cards) == list(heads.config.reward_models.ids)
    labels = heads.read("label").join(heads.read("preference"), on="preference_id")
    seen = {name: labels.filter(reward_model_id=name) for name in cards}
    flipped = {name: set(rows.filter(flipped=True)["preference_id"]) for name, rows in seen.items()}
    everything = seen["flip-0.00"]
    safety = everything.filter(category="Safety").height
    assert len(flipped["flip-safety-0.50"]) == round(0.5 * safety) > 0
    assert set(seen["flip-safety-0.50"].filter(flipped=True)["category"]) == {"Safety"}
    assert cards["flip-safety-0.50"]["flip_rate"] == pytest.approx(round(0.5 * safety) / everything.height)
    assert set(seen["only-chat-hard"]["preference_id"]) == set(everything.filter(category="Chat Hard")["preference_id"])
    assert len(flipped["flip-close-0.20"]) == round(0.2 * everything.height)
    assert flipped["flip-close-0.20"] < flipped["flip-close-0.40"]
    noisy = [frozenset(flipped[name]) for name in ("flip-0.40", "seed-1-flip-0.40", "seed-2-flip-0.40")]
    assert {len(pairs) for pairs in noisy} == {round(0.4 * everything.height)}
    assert len({*noisy, frozenset(flipped["flip-close-0.40"])}) == 4
    assert seen["ensemble-3"].is_empty()


def test_an_ensemble_scores_as_the_mean_of_its_standardised_members(heads: RunDirectory) -> None:
    cards = heads.read("reward_model")
    features = load_features(sorted(heads.work_path("features").iterdir()), 0).values.float().numpy()
    scores = {
        name: features @ load_file(heads.path / folder / "model.safetensors")["head.weight"][0]
        for name, folder in cards.select("reward_model_id", "weights").iter_rows()
    }
    texts = [text for batch in text_batches(heads) for text in batch]
    validation = of_pairs(heads.read("preference").filter(split="validation"))
    places = sorted({texts.index(text) for text in validation})
    assert 0 < len(places) < len(texts)
    expected = np.mean([scores[name] / scores[name][places].std() for name in MEMBERS], axis=0)
    np.testing.assert_allclose(scores["ensemble-3"], expected, rtol=1e-4, atol=1e-5)
    card = cards.row(by_predicate=pl.col("reward_model_id") == "ensemble-3", named=True)
    chosen, rejected = (
        np.array([scores["ensemble-3"][texts.index(text)] for text in side])
        for side in (validation[: len(validation) // 2], validation[len(validation) // 2 :])
    )
    assert card["validation_accuracy"] == pytest.approx(np.mean(chosen > rejected))
    assert (card["kind"], card["trainable_layers"]) == ("ensemble", 0)
    assert card["base_model"] == f"mean of {', '.join(MEMBERS)}"
    curve = heads.read("training_curve").filter(model_id="ensemble-3")
    assert curve.select("metric", "value").rows() == [("validation_accuracy", card["validation_accuracy"])]


def test_parts_in_any_order_give_the_same_reward_models(
    heads: RunDirectory, tiny_home: Path, tiny_config: Config, tmp_path: Path
) -> None:
    """As tasks on a cluster make them: the last one first, and the ensemble after all."""

    def backwards(context: Context, plan: Plan) -> StageResult:
        parts = plan(context)
        context.progress.plan(parts.total, parts.unit, parts.already_done)
        for name in reversed(parts.missing):
            parts.make(name)
        return StageResult(parts.total, parts.unit, "backwards")

    run = begun(tiny_home, tiny_config, tmp_path, trainable_layers=0, epochs=4, others=HEADS)
    assert stage(run, backwards) == 9
    for table in ("reward_model", "label", "training_curve"):
        assert run.read(table).equals(heads.read(table))


def test_features_are_loaded_once_for_all_heads(
    tiny_home: Path, tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def counted(paths: Sequence[Path], layers: int) -> Features:
        loaded.append(layers)
        return load_features(paths, layers)

    monkeypatch.setattr("pipeline.models.trunk.load_features", counted)
    others = [{"kind": "seed", "number": number + 1, "flip_rate": 0.2} for number in range(10)]
    run = begun(tiny_home, tiny_config, tmp_path, trainable_layers=0, others=others)
    assert stage(run) == 12
    assert loaded == [0]


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


@pytest.mark.parametrize(
    ("family", "lost"),
    [("trained", "length-1.00"), ("trained", "depth-0"), ("heads", "flip-close-0.20"), ("heads", "ensemble-3")],
)
def test_a_reward_model_that_is_missing_is_trained_again_to_the_same_weights(
    family: str, lost: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole: RunDirectory = request.getfixturevalue(family)
    copied = RunDirectory(tmp_path / "kinds", whole.config)
    shutil.copytree(whole.path, copied.path)

    def read(run: RunDirectory) -> dict:
        return load_file(run.work_path("reward_models", lost, "model.safetensors"))

    before = read(copied)
    (copied.path / "reward_model" / f"reward_models-{lost}.parquet").unlink()
    stage(copied)
    after = read(copied)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert (
        copied.read("reward_model").sort("reward_model_id").equals(whole.read("reward_model").sort("reward_model_id"))
    )
