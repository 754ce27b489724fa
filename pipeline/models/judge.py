"""A reward model's scores of rollouts, from the outputs that the policy's trunk gave: the text is not read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel
from pipeline.models.reading import Reading
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import blocks, depth


class Judge:
    """Scores from the outputs of the trunk below the top `layers` blocks (-1: all); the reward model trains no more."""

    def __init__(self, language_model: LanguageModel, reward_model: RewardModel, layers: int) -> None:
        below, own = depth(language_model, layers), depth(language_model, reward_model.trainable_layers)
        if own < below:
            raise ValueError(f"the reward model trains blocks from {own} on; the trunk it is to share ends at {below}")
        self.layers = layers
        self._reward_model = reward_model
        self._between: Any = None
        if reward_model.top is not None and own > below:
            self._between = blocks(language_model.base, below, own)
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
