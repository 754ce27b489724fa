"""A reward model's scores of rollouts, from the outputs that the policy's trunk gave: the text is not read again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel
from pipeline.models.reward_model import RewardModel
from pipeline.models.top import run_top
from pipeline.models.trunk import depth, shallow


class Judge:
    """Scores from the outputs of the trunk below the top `layers` blocks (-1: all); the reward model trains no more."""

    def __init__(self, language_model: LanguageModel, reward_model: RewardModel, layers: int) -> None:
        below, own = depth(language_model, layers), depth(language_model, reward_model.trainable_layers)
        if own < below:
            raise ValueError(f"the reward model trains blocks from {own} on; the trunk it is to share ends at {below}")
        self._reward_model = reward_model
        self._between: Any = None
        if reward_model.top is not None and own > below:
            self._between = shallow(language_model.base)
            self._between.layers = language_model.base.layers[below:own]
            self._between.norm = nn.Identity()

    @torch.no_grad()
    def scores(self, hidden_BSD: Tensor, lengths_B: Tensor, reference_BSD: Tensor) -> Tensor:
        """Scores `[B]` of texts from the trunk's outputs, padded on the right, and π_0's outputs for them."""
        output_BSD = reference_BSD
        if self._reward_model.top is not None:
            if self._between is not None:
                hidden_BSD = self._between(inputs_embeds=hidden_BSD, use_cache=False).last_hidden_state
            output_BSD = run_top(self._reward_model.top, hidden_BSD)
        last_BD = output_BSD[torch.arange(len(lengths_B)), lengths_B.to(output_BSD.device) - 1]
        scores_B: Tensor = self._reward_model.head(last_BD.float())[:, 0]
        return scores_B
