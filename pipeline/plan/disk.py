"""What a run leaves on the disk, in bytes."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import Config
from pipeline.plan.assumptions import Assumptions
from pipeline.plan.counts import Counts
from pipeline.plan.figures import Product, Sum, product
from pipeline.plan.model_size import ModelSize

_BF16, _FLOAT32, _CHARACTERS = 2, 4, 4


def disk(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> Sum:
    """By what it is."""
    return Sum(tuple(_terms(config, size, there, assumed)))


def _terms(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> Iterator[tuple[str, Product]]:
    yield "π_0", product((size.parameters, "weights"), (_BF16, "bytes"))
    texts, width = (there.train_texts or 2 * there.pairs, "texts"), (size.hidden, "width")
    for layers in config.reward_models.depths:
        tokens = (assumed.pair_tokens if layers else 1, "tokens")
        yield f"features, trainable_layers {layers}", product(texts, tokens, width, (_BF16, "bytes"))
    own = sum(size.trained(plan.trainable_layers) for plan in config.reward_models.plans)
    yield "reward models", product((own, "weights of their own"), (_FLOAT32, "bytes"))
    if config.ppo is not None:
        trained = (size.trained(config.ppo.trainable_layers), "weights")
        yield "policies", product((there.policies, "policies"), trained, (_BF16, "bytes"))
    answers = there.train_texts + there.test_texts + there.policies * there.checkpoint_texts
    tokens = (assumed.response_tokens, "tokens")
    yield "texts of responses", product((answers, "responses"), tokens, (_CHARACTERS, "bytes"))
    scored = there.test_texts + there.policies * there.checkpoint_texts
    models = len(config.reward_models.plans)
    yield "scores", product((scored, "responses"), (models, "reward models"), (_FLOAT32, "bytes"))
