"""A tiny real model of transformers, in float32, a task that can be learnt from its tokens, and scores of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.models.language_model import LanguageModel, load
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import trunk_features
from pipeline.scoring.texts import Text
from tests.pipeline.reward_models_elsewhere import checkpoint

_GOOD, _BAD = ("yes", "true", "right", "good", "fine"), ("no", "false", "wrong", "bad", "poor")


def tiny_folder(folder: Path, layers: int = 3) -> Path:
    """A Llama with random weights and the embedded model's tokenizer."""
    return checkpoint(folder, causal=True, num_hidden_layers=layers, hidden_size=32, initializer_range=0.2)


def tiny_model(folder: Path, layers: int = 3) -> LanguageModel:
    """It in float32, in which two ways of computing the same differ by next to nothing."""
    return load(str(tiny_folder(folder, layers)), dtype=torch.float32, device="cpu")


def tiny_task(pairs: int, seed: int = 0) -> tuple[list[Text], np.ndarray]:
    """Texts, and pairs of their numbers: a response of good words is preferred to one of bad words."""
    rng = np.random.default_rng(seed)
    texts, numbers = [], []
    for number in range(pairs):
        prompt = f"Question {number % 7}?"
        chosen, rejected = (f"{number} " + " ".join(rng.choice(words, rng.integers(1, 6))) for words in (_GOOD, _BAD))
        numbers.append((len(texts), len(texts) + 1))
        texts += [(prompt, chosen), (prompt, rejected)]
    return texts, np.array(numbers, dtype=np.int64)


def random_reward_model(language_model: LanguageModel, trainable_layers: int, seed: int) -> RewardModel:
    """An untrained reward model whose head is random, so that its scores differ; a new one scores everything 0."""
    reward_model = RewardModel(language_model, trainable_layers)
    with torch.no_grad():
        reward_model.head.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
    return reward_model


def score_texts(
    language_model: LanguageModel, reward_model: RewardModel, texts: Sequence[tuple[str, str]]
) -> NDArray[np.float32]:
    """Scores of (prompt, response) texts, float32 `[texts]`."""
    layers = reward_model.trainable_layers
    return reward_model.score(trunk_features(language_model, [layers], texts)[layers])
