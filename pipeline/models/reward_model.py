"""A reward model: a scalar head, and below it any number of trained top blocks, over the frozen shared trunk.

The score of a text is the head's output at its last token, which ends the response's turn. The head starts at 0: what
the labels say nothing about then stays 0, whereas a random start would remain in the head, more so the noisier the
labels are, and would pass for label noise. Saved as safetensors with a small JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.errors import ModelUnavailable, TrainingFailed
from pipeline.models.language_model import LanguageModel
from pipeline.models.trunk import Features, Reading, Tokens, blocks, copied_top, depth, run_top


class RewardModel(nn.Module):
    """Scores of texts from their trunk features."""

    def __init__(self, language_model: LanguageModel, trainable_layers: int) -> None:
        super().__init__()
        self.base_model = language_model.name
        self.trainable_layers = trainable_layers
        self.top: Any = copied_top(language_model, trainable_layers) if trainable_layers != 0 else None
        self.head = nn.Linear(language_model.hidden_size, 1, bias=False)
        nn.init.zeros_(self.head.weight)
        self.to(language_model.device)

    def forward(self, features: Features | Tokens, texts: Tensor) -> Tensor:
        """Scores, float32 `[texts]`, of the texts with these numbers."""
        device = self.head.weight.device
        hidden_BTD, lengths_B = features.padded(texts)
        output_BTD = hidden_BTD.to(device) if self.top is None else run_top(self.top, hidden_BTD)
        last_BD = output_BTD[torch.arange(len(texts), device=device), lengths_B.to(device) - 1]
        return self.head(last_BD.float()).squeeze(-1)

    def checkpoint_gradients(self) -> None:
        """Save memory: compute the blocks' activations again in the backward pass instead of storing them."""
        if self.top is not None:
            self.top.gradient_checkpointing_enable({"use_reentrant": False})

    @torch.inference_mode()
    def score(self, features: Features | Tokens) -> NDArray[np.float32]:
        """Scores of all texts, in order, float32 `[texts]`."""
        batches = torch.arange(len(features)).split(features.at_once)
        return torch.cat([self(features, texts) for texts in batches]).cpu().numpy().astype(np.float32)

    def save(self, folder: Path, state: Mapping[str, Tensor] | None = None) -> None:
        """Write `model.safetensors` and `reward_model.json` into an existing folder.

        `state`: the weights, where they are not in this process's model alone.
        """
        weights = {name: value.detach().contiguous().cpu() for name, value in (state or self.state_dict()).items()}
        save_file(weights, folder / "model.safetensors")
        facts = {"base_model": self.base_model, "trainable_layers": self.trainable_layers}
        (folder / "reward_model.json").write_text(json.dumps(facts, indent=2) + "\n")


def load_reward_model(folder: Path, language_model: LanguageModel) -> RewardModel:
    """A saved reward model over its base. Raises ModelUnavailable if it is missing or belongs to another base."""
    try:
        facts = json.loads((folder / "reward_model.json").read_text())
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"no reward model in {folder} ({error})") from error
    if facts["base_model"] != language_model.name:
        raise ModelUnavailable(
            f"the reward model in {folder} was trained on {facts['base_model']!r}, got {language_model.name!r}"
        )
    reward_model = RewardModel(language_model, facts["trainable_layers"])
    reward_model.load_state_dict(weights)
    return reward_model.eval()


def mean_head(
    language_model: LanguageModel, members: Sequence[RewardModel], features: Features, texts: NDArray[np.int64]
) -> RewardModel:
    """The ensemble of reward models that train only their head, as one: the mean of their standardised scores.

    Each head is divided by the standard deviation of its scores of these `texts`, numbers `[K]`; their means are left
    out, as a constant changes no order. Raises TrainingFailed for a member that scores all of them alike.
    """
    ensemble = RewardModel(language_model, 0)
    with torch.no_grad():
        for member in members:
            deviation = float(member.score(features)[texts].astype(np.float64).std())
            if not deviation > 0:
                raise TrainingFailed(
                    "an ensemble has a member whose scores of the validation texts are all equal, so that they cannot "
                    "be standardised; leave it out, or train it on more pairs"
                )
            ensemble.head.weight += member.head.weight / (deviation * len(members))
    return ensemble.eval()


class Judge:
    """A trained reward model that scores outputs of the trunk below the top `layers` blocks (-1: all), not texts."""

    def __init__(self, language_model: LanguageModel, reward_model: RewardModel, layers: int) -> None:
        below, own = depth(language_model, layers), depth(language_model, reward_model.trainable_layers)
        if own < below:
            raise ValueError(
                f"the reward model trains blocks from {own} on, but the shared trunk ends at block {below}"
            )
        self.layers = layers
        self._reward_model = reward_model
        self._between: Any = None
        if reward_model.top is not None and own > below:
            self._between = blocks(language_model.frozen_base, below, own)
            self._between.norm = nn.Identity()

    @torch.no_grad()
    def scores(self, reading: Reading, reference: Tensor) -> Tensor:
        """Scores `[B]` of texts, given π_0's outputs `[·, D]` for them."""
        output = reference
        if self._reward_model.top is not None:
            if self._between is not None:
                between = self._between(inputs_embeds=reading.hidden.to(reference.device), **reading.layout)
                reading = replace(reading, hidden=between.last_hidden_state)
            output = reading.through(self._reward_model.top)
        scores_B: Tensor = self._reward_model.head(output[reading.last_B].float())[:, 0]
        return scores_B
