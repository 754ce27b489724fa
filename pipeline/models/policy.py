"""PPO's networks over one frozen trunk: the policy and its critic, which learn, and the reference π_0, which does not.

The trunk is run once per rollout, by the sampler. From its outputs each network runs only its own copy of the top
blocks: the policy and π_0 under the language model's frozen head, the critic under a scalar head of its own.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.head import token_log_probabilities, with_entropies
from pipeline.models.reading import Reading
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import blocks, copied_top, depth, shallow


class Policy(nn.Module):
    """A policy over the trunk below the top `layers` blocks (-1: all), of which it trains the upper `trained`.

    It begins as π_0.
    """

    def __init__(self, language_model: LanguageModel, layers: int, trained: int) -> None:
        super().__init__()
        self.top = copied_top(language_model, layers)
        self.top.layers[: depth(language_model, trained) - depth(language_model, layers)].requires_grad_(False)
        self.head_weight: Tensor = language_model.model.lm_head.weight.detach()
        self.to(language_model.device)

    def outputs(self, reading: Reading) -> Tensor:
        """Outputs of the decoder, `[·, D]`."""
        return reading.through(self.top)

    def log_probabilities(self, output_ND: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
        """log π of tokens, nats `[N]`, from the decoder's outputs that predict them."""
        return token_log_probabilities(output_ND, self.head_weight, tokens_N, temperature)

    def with_entropies(self, output_ND: Tensor, tokens_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """log π of tokens and the entropy of what they were drawn from, nats `[N]`; nothing is learnt from these."""
        return with_entropies(output_ND, self.head_weight, tokens_N, temperature)


class Critic(nn.Module):
    """Values of a response's prefixes. Its blocks begin as those of the reward model it learns under, its head at 0.

    The reward model's own head, made for whole texts, reads a prefix worse than 0: its square error on the first
    rollouts is nearly three times the reward's variance. A reward model that trains fewer blocks than the policy
    has the language model's own below them, and so has this.
    """

    def __init__(self, language_model: LanguageModel, layers: int, reward_model: RewardModel) -> None:
        super().__init__()
        self.top = copied_top(language_model, layers)
        if reward_model.top is not None:
            given = len(reward_model.top.layers)
            self.top.layers[len(self.top.layers) - given :].load_state_dict(reward_model.top.layers.state_dict())
            self.top.norm.load_state_dict(reward_model.top.norm.state_dict())
        self.head = nn.Linear(language_model.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(language_model.device)

    def values(self, reading: Reading) -> Tensor:
        """Values `[N]` of what stands before each real token."""
        values_N: Tensor = self.head(reading.through(self.top)[reading.predicting_N].float())[:, 0]
        return values_N


class SamplingDecoder:
    """The whole decoder with a policy's blocks on top, in the language model's own precision, for sampling from it.

    `top` is those blocks alone, for inputs that the trunk has read.
    """

    def __init__(self, language_model: LanguageModel, layers: int) -> None:
        base = language_model.base
        below = depth(language_model, layers)
        self._top = copy.deepcopy(base.layers[below:])
        self.decoder: Any = shallow(base)
        self.decoder.layers = nn.ModuleList([*base.layers[:below], *self._top])
        self.decoder.norm = copy.deepcopy(base.norm)
        self.top: Any = blocks(self.decoder, below)

    @property
    def first_trained(self) -> nn.Module:
        """The block that the trunk's outputs enter."""
        return self._top[0]

    def update(self, policy: Policy) -> None:
        """Take over the policy's weights, rounded to the precision of sampling."""
        self._top.load_state_dict(policy.top.layers.state_dict())
        self.decoder.norm.load_state_dict(policy.top.norm.state_dict())
