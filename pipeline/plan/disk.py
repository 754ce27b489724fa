"""What a run leaves on the disk, in bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.config import ALL_LAYERS, Config, PPOSettings
from pipeline.plan.assumptions import Assumptions
from pipeline.plan.counts import Counts
from pipeline.plan.figures import Product, Sum, product
from pipeline.plan.model_size import ModelSize

_BF16, _FLOAT32, _CHARACTERS = 2, 4, 4
_ADAM = 14
"""A checkpoint of DeepSpeed: weights in 16 bits, and in 32 bits once more with two moments."""


def disk(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> Sum:
    """By what it is."""
    return Sum(tuple(_terms(config, size, there, assumed)))


def _terms(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> Iterator[tuple[str, Product]]:
    yield "π_0", product((size.parameters, "weights"), (_BF16, "bytes"))
    texts, width = (there.train_texts or 2 * there.pairs, "texts"), (size.hidden, "width")
    for layers in set(config.reward_models.depths) - {ALL_LAYERS}:
        tokens = (assumed.pair_tokens if layers else 1, "tokens")
        yield f"features, trainable_layers {layers}", product(texts, tokens, width, (_BF16, "bytes"))
    own = sum(size.trained(plan.trainable_layers) for plan in config.reward_models.plans)
    yield "reward models", product((own, "weights of their own"), (_FLOAT32, "bytes"))
    if config.ppo is not None:
        trained = (size.trained(config.ppo.trainable_layers), "weights")
        yield "policies", product((there.policies, "policies"), trained, (_BF16, "bytes"))
        if config.ppo.engine == "openrlhf":
            yield from _openrlhf(config.ppo, size, len(config.reward_models.trained_ids))
    answers = there.train_texts + there.test_texts + there.policies * there.checkpoint_texts
    tokens = (assumed.response_tokens, "tokens")
    yield "texts of responses", product((answers, "responses"), tokens, (_CHARACTERS, "bytes"))
    scored = there.test_texts + there.policies * there.checkpoint_texts
    models = len(config.reward_models.plans)
    yield "scores", product((scored, "responses"), (models, "reward models"), (_FLOAT32, "bytes"))


def _openrlhf(ppo: PPOSettings, size: ModelSize, reward_models: int) -> Iterator[tuple[str, Product]]:
    """What is there while one policy is trained, and is removed after it: the reward models' folders at the end."""
    weights, saved = (size.parameters, "weights"), ppo.steps // math.gcd(*ppo.checkpoints) + 1
    yield "reward models for OpenRLHF", product((reward_models, "reward models"), weights, (_BF16, "bytes"))
    yield "checkpoints of a policy", product((saved, "checkpoints"), weights, (_BF16, "bytes"))
    yield "states to go on from", product((2, "states"), (2, "networks"), weights, (_ADAM, "bytes"))
