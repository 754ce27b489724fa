"""Bradley–Terry training learns what is there to learn, and is the loss of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.config import RewardModelSettings
from pipeline.models.language_model import LanguageModel
from pipeline.models.reward_model import RewardModel
from pipeline.models.training import pair_loss, train
from pipeline.models.trunk import Features, trunk_features
from pipeline.stages.reward_models import some_of
from tests.pipeline.models.tiny import score_texts


def test_the_loss_is_the_paper_s() -> None:
    chosen, rejected = torch.tensor([1.0, -0.5]), torch.tensor([0.2, 0.3])
    expected = np.mean([math.log(1 + math.exp(-(c - r))) + 0.1 * (c * c + r * r) for c, r in ((1.0, 0.2), (-0.5, 0.3))])
    assert pair_loss(chosen, rejected, 0.1).item() == pytest.approx(expected, rel=1e-6)


def gaussian_task(language_model: LanguageModel) -> tuple[Features, np.ndarray]:
    """Texts whose features hold a direction along which the chosen lies above the rejected."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(800, language_model.hidden_size)).astype(np.float32)
    values[:, 20:] = 0.0
    better = values[:, 0] > 0
    pairs = np.stack([rng.permutation(np.flatnonzero(better))[:300], rng.permutation(np.flatnonzero(~better))[:300]], 1)
    return Features(torch.from_numpy(values), torch.arange(801)), pairs


SETTINGS = RewardModelSettings(epochs=20, learning_rate=2e-2)


def test_clean_labels_are_learnt_and_noise_is_not(language_model: LanguageModel) -> None:
    features, pairs = gaussian_task(language_model)
    accuracies = []
    for flip_rate in (0.0, 0.5):
        flipped = some_of(200, flip_rate, np.random.default_rng(1))
        labelled = np.where(flipped[:, None], pairs[:200, ::-1], pairs[:200])
        curve = train(RewardModel(language_model, 0), features, labelled, pairs[200:], SETTINGS, seed=1)
        accuracies.append([p.value for p in curve if p.metric == "validation_accuracy"][-1])
    assert accuracies[0] > 0.85
    assert accuracies[1] < accuracies[0] - 0.15


def test_the_same_seed_trains_the_same_model(language_model: LanguageModel) -> None:
    features, pairs = gaussian_task(language_model)
    models = [RewardModel(language_model, 0) for _ in range(2)]
    curves = [train(model, features, pairs[:200], pairs[200:], SETTINGS, seed=5) for model in models]
    assert curves[0] == curves[1]
    assert models[0].head.weight.equal(models[1].head.weight)


def test_what_no_label_is_about_stays_zero_however_noisy_the_labels_are(language_model: LanguageModel) -> None:
    """Only the first 20 of the task's dimensions vary: weight on any other could only come from the start."""
    features, pairs = gaussian_task(language_model)
    labelled = np.where(some_of(200, 0.4, np.random.default_rng(1))[:, None], pairs[:200, ::-1], pairs[:200])
    heads = []
    for seed in (1, 2):
        model = RewardModel(language_model, 0)
        train(model, features, labelled, pairs[200:], SETTINGS, seed=seed)
        heads.append(model.head.weight.detach().numpy()[0])
    assert not np.array_equal(*heads)  # the batches differ
    assert np.corrcoef(*heads)[0, 1] > 0.95
    for head in heads:
        assert not head[20:].any()
        assert head[:20].all()


def test_the_regulariser_keeps_scores_small(language_model: LanguageModel) -> None:
    features, pairs = gaussian_task(language_model)
    spread = []
    for regularisation in (0.0, 1.0):
        settings = SETTINGS.model_copy(update={"regularisation": regularisation})
        model = RewardModel(language_model, 0)
        train(model, features, pairs[:200], pairs[200:], settings, seed=1)
        spread.append(model.score(features).std())
    assert spread[1] < 0.5 * spread[0]


def test_the_curve_has_a_point_per_epoch_and_one_before(language_model: LanguageModel) -> None:
    features, pairs = gaussian_task(language_model)
    curve = train(RewardModel(language_model, 0), features, pairs[:200], pairs[200:], SETTINGS, seed=1)
    steps = {metric: [p.step for p in curve if p.metric == metric] for metric in {p.metric for p in curve}}
    batches = math.ceil(200 / SETTINGS.batch_pairs)
    assert steps["train_loss"] == [batches * (epoch + 1) for epoch in range(SETTINGS.epochs)]
    assert steps["validation_accuracy"] == [0, *steps["train_loss"]]


def test_top_blocks_learn_from_real_texts(language_model: LanguageModel) -> None:
    texts = [(f"What is {n} plus 1?", answer) for n in range(12) for answer in (f"It is {n + 1}.", "bla bla bla bla")]
    pairs = np.arange(24).reshape(12, 2)
    features = trunk_features(language_model, [1], texts)[1]
    reward_model = RewardModel(language_model, 1)
    before = {name: value.clone() for name, value in reward_model.state_dict().items()}
    settings = RewardModelSettings(epochs=4, learning_rate=3e-4, batch_pairs=4)
    train(reward_model, features, pairs[:8], pairs[8:], settings, seed=0)
    scores = score_texts(language_model, reward_model, texts).reshape(12, 2)
    assert (scores[8:, 0] > scores[8:, 1]).all()
    changed = [name for name, value in reward_model.state_dict().items() if not value.equal(before[name])]
    assert any(name.startswith("top.layers") for name in changed)


def test_flips_are_exactly_as_many_as_asked() -> None:
    assert some_of(100, 0.25, np.random.default_rng(0)).sum() == 25
    assert some_of(7, 0.0, np.random.default_rng(0)).sum() == 0
