"""Networks over one frozen trunk: the policy and, for PPO, its critic, which are trained, and the reference π_0.

The sampler runs the trunk once per rollout. From its outputs each network runs only its own copy of the top blocks:
the policy and π_0 under the language model's frozen head, the critic under a scalar head of its own.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.head import token_log_probabilities, with_entropies
from pipeline.models.performance.packed_weights import packed
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import Reading, blocks, copied_top, depth, shallow


class Policy(nn.Module):
    """A policy over the trunk below the top `layers` blocks (-1: all). It trains the upper `trained`, from π_0 on."""

    def __init__(self, language_model: LanguageModel, layers: int, trained: int) -> None:
        super().__init__()
        self.top = copied_top(language_model, layers)
        self.top.layers[: depth(language_model, trained) - depth(language_model, layers)].requires_grad_(False)
        self.head_weight: Tensor = language_model.model.lm_head.weight.detach()
        self.to(language_model.device)

    def log_probabilities(self, output_ND: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
        """log π of tokens, nats `[N]`, from the decoder's outputs that predict them."""
        return token_log_probabilities(output_ND, self.head_weight, tokens_N, temperature)

    def with_entropies(self, output_ND: Tensor, tokens_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """log π of tokens and the entropy of the distribution they were drawn from, nats `[N]` each; no gradient."""
        return with_entropies(output_ND, self.head_weight, tokens_N, temperature)


class Critic(nn.Module):
    """Values of a response's prefixes. Its blocks start as the reward model's, its head at 0.

    The reward model's own head was trained on whole texts and predicts worse than 0 on prefixes: its squared error on
    the first rollouts is nearly three times the variance of the reward. Where the reward model trains fewer blocks than
    the policy, the blocks below are the language model's.
    """

    def __init__(self, language_model: LanguageModel, layers: int, reward_model: RewardModel) -> None:
        super().__init__()
        self.top = copied_top(language_model, layers)
        if reward_model.top is not None:
            above = len(self.top.layers) - len(reward_model.top.layers)
            self.top.layers[above:].load_state_dict(reward_model.top.layers.state_dict())
            self.top.norm.load_state_dict(reward_model.top.norm.state_dict())
        self.head = nn.Linear(language_model.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(language_model.device)

    def values(self, reading: Reading) -> Tensor:
        """Values `[N]` of the text before each real token."""
        values_N: Tensor = self.head(reading.through(self.top)[reading.predicting_N].float())[:, 0]
        return values_N


class SamplingDecoder:
    """The whole decoder with a policy's blocks on top, in the language model's own precision, for sampling.

    `trunk_depth` blocks are the frozen trunk; `top` is the policy's blocks alone, for inputs the trunk has read.
    """

    def __init__(self, language_model: LanguageModel, layers: int) -> None:
        base = language_model.base
        self.trunk_depth = depth(language_model, layers)
        self._trunk = language_model.frozen_base.layers[: self.trunk_depth]
        self._top = copy.deepcopy(base.layers[self.trunk_depth :])
        self.decoder: Any = shallow(base)
        self.decoder.norm = copy.deepcopy(base.norm)
        self._join()

    def update(self, policy: Policy) -> None:
        """Copy the policy's weights, rounded to the precision of sampling."""
        self._top.load_state_dict(policy.top.layers.state_dict())
        self.decoder.norm.load_state_dict(policy.top.norm.state_dict())
        self._join()

    def _join(self) -> None:
        self.decoder.layers = nn.ModuleList([*self._trunk, *packed(self._top)])
        self.top: Any = blocks(self.decoder, self.trunk_depth)
