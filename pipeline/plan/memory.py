"""Memory of one GPU at the stages that need most of it, in bytes.

What is trained takes 16 bytes a weight with Adam: the weight, its gradient and two moments, 4 each (Rajbhandari et al.,
arXiv 1910.02054, count as many in mixed precision), shared by the processes that train it. Activations of a block are
34 bytes a token and unit of width, 2 where the rest is computed again (Korthikanti et al., arXiv 2205.05198, without
attention's scores, which are not kept).
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import ALL_LAYERS, Config, PPOSettings
from pipeline.plan.assumptions import Assumptions
from pipeline.plan.figures import Product, Sum, product
from pipeline.plan.model_size import ModelSize

_BF16, _FLOAT32, _ADAM = 2, 4, 16
_ACTIVATIONS, _CHECKPOINTED = 34, 2


def memory(config: Config, size: ModelSize, assumed: Assumptions) -> dict[str, Sum]:
    """By stage."""
    found = {
        "test_responses": Sum(tuple(_sampling(config, size, assumed))),
        "reward_models": Sum(tuple(_training(config, size, assumed))),
        "scores": Sum(tuple(_scoring(config, size))),
    }
    if config.ppo is not None:
        found["ppo"] = Sum(tuple(_ppo(config, size, assumed)))
    return found


_Terms = Iterator[tuple[str, Product]]


def _frozen(size: ModelSize) -> tuple[str, Product]:
    return "π_0 in bfloat16", product((size.parameters, "weights"), (_BF16, "bytes"))


def _sampling(config: Config, size: ModelSize, assumed: Assumptions) -> _Terms:
    yield _frozen(size)
    tokens = (assumed.prompt_tokens + assumed.response_tokens, "tokens")
    cache = (size.cache_bytes, "bytes of keys and values")
    yield "cache", product((config.policy.batch_responses, "responses"), tokens, cache)


def _training(config: Config, size: ModelSize, assumed: Assumptions) -> _Terms:
    models = config.reward_models
    deepest = max(models.depths, key=size.blocks)
    shared = models.processes if deepest == ALL_LAYERS else 1
    yield _frozen(size)
    adam = (_ADAM / shared, "bytes" if shared == 1 else f"bytes, 16 shared by {shared} processes")
    yield "one reward model with Adam", product((size.trained(deepest), "weights"), adam)
    texts = (models.texts_at_once, "texts at once")
    kept = _CHECKPOINTED if models.gradient_checkpointing else _ACTIVATIONS
    yield "activations", _activations(size, texts, assumed.pair_tokens, deepest, kept)


def _scoring(config: Config, size: ModelSize) -> _Terms:
    """Those that share the trunk are in memory together, of those that train all layers one at a time."""
    yield _frozen(size)
    plans = config.reward_models.plans
    together = sum(size.trained(plan.trainable_layers) for plan in plans if plan.trainable_layers != ALL_LAYERS)
    if together:
        yield "reward models on one trunk, float32", product((together, "weights of their own"), (_FLOAT32, "bytes"))
    if ALL_LAYERS in config.reward_models.depths:
        yield "a reward model of all layers, float32", product((size.trained(-1), "weights"), (_FLOAT32, "bytes"))


def _ppo(config: Config, size: ModelSize, assumed: Assumptions) -> _Terms:
    assert config.ppo is not None
    if config.ppo.engine == "openrlhf":
        yield from _openrlhf(config, config.ppo, size, assumed)
        return
    layers = config.ppo.trainable_layers
    trained = (size.trained(layers), "weights")
    yield _frozen(size)
    yield "policy and critic with Adam", product((2, "networks"), trained, (_ADAM, "bytes"))
    yield "reference", product(trained, (_FLOAT32, "bytes"))
    texts = (-(-config.ppo.batch_responses // config.ppo.minibatches), "texts")
    yield "activations", _activations(size, texts, assumed.prompt_tokens + assumed.response_tokens, layers)


def _openrlhf(config: Config, ppo: PPOSettings, size: ModelSize, assumed: Assumptions) -> _Terms:
    """While it trains, ZeRO's second stage: every GPU has all weights, and its share of gradients and Adam's state.

    Policy and critic take turns on the GPU, and vLLM's engine sleeps.
    """
    weights, gpus = (size.parameters, "weights"), ppo.openrlhf.gpus
    yield "policy, or critic", product(weights, (_BF16, "bytes"))
    yield f"its gradients and Adam's state on one of {gpus}", product(weights, ((_ADAM - _BF16) / gpus, "bytes"))
    penalised = ppo.kl_coefficient > 0 or any(ppo.sweep)
    frozen = (2, "frozen models") if penalised else (1, "")
    yield "reward model, and π_0 under a KL penalty", product(frozen, weights, (_BF16, "bytes"))
    tokens = assumed.prompt_tokens + assumed.response_tokens
    yield "activations of a text", _activations(size, (1, "text"), tokens, -1)


def _activations(
    size: ModelSize, texts: tuple[float, str], tokens: int, layers: int, kept_bytes: int = _ACTIVATIONS
) -> Product:
    blocks = (size.blocks(layers), "blocks")
    return product(texts, (tokens, "tokens"), blocks, (size.hidden, "width"), (kept_bytes, "bytes"))
