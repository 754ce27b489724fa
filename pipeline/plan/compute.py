"""Floating-point operations of every stage, and the GPU hours that they take at a stated share of a GPU's peak.

A token costs 2 operations a weight to read and 4 more to learn from, 6·N·tokens in all (Kaplan et al., arXiv
2001.08361, section 2.1), and 2 again with checkpointed gradients; attention over the text is left out. Some blocks'
share of the weights is taken as their share of the blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import ALL_LAYERS, Config, PPOSettings
from pipeline.plan.assumptions import Assumptions
from pipeline.plan.counts import Counts
from pipeline.plan.figures import Product, Sum, product
from pipeline.plan.model_size import ModelSize

_READ, _LEARN = 2, 6
_TERA = 1e12


@dataclass(frozen=True)
class Term:
    """Operations of one kind, at a share of the GPU's peak, and how many GPUs work at them side by side."""

    what: str
    operations: Product
    share: float
    gpus: int

    def gpu_hours(self, tflops: float) -> float:
        """Hours of one GPU."""
        return self.operations.value / (tflops * _TERA * self.share) / 3600


@dataclass(frozen=True)
class Stage:
    """What a stage computes, one term after the other."""

    name: str
    terms: tuple[Term, ...]

    @property
    def operations(self) -> float:
        return Sum(tuple((term.what, term.operations) for term in self.terms)).value

    def gpu_hours(self, tflops: float) -> float:
        return sum(term.gpu_hours(tflops) for term in self.terms)

    def hours(self, tflops: float) -> float:
        """From its beginning to its end, if the GPUs that work side by side have equal shares."""
        return sum(term.gpu_hours(tflops) / term.gpus for term in self.terms)


def stages(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> list[Stage]:
    """The stages that use a GPU, in their order."""
    text, read = (assumed.prompt_tokens + assumed.response_tokens, "tokens"), (_READ, "operations")
    tasks = assumed.gpus if assumed.ray else 1

    def sampled(stage: str, responses: int) -> Stage:
        operations = product((responses, "responses"), text, read, (size.parameters, "weights"))
        return Stage(stage, (Term("sampled", operations, assumed.sampling_share, tasks),))

    scored = product((there.test_texts, "texts"), text, read, _judges(config, size))
    found = [
        sampled("train_responses", there.train_texts),
        Stage("features", tuple(_features(config, size, there, assumed, tasks))),
        Stage("reward_models", tuple(_reward_models(config, size, there, assumed))),
        sampled("test_responses", there.test_texts),
        Stage("scores", (Term("read", scored, assumed.reading_share, tasks),)),
    ]
    if config.ppo is not None:
        found.append(Stage("ppo", tuple(_ppo(config, config.ppo, size, there, assumed))))
    return [stage for stage in found if stage.operations]


def _features(config: Config, size: ModelSize, there: Counts, assumed: Assumptions, tasks: int) -> Iterator[Term]:
    """The trunk below the shallowest reward model reads every text once; one that trains all layers has none."""
    if set(config.reward_models.depths) == {ALL_LAYERS}:
        return
    trunk = _trunk(config, size)
    texts = there.train_texts or 2 * there.pairs
    tokens = (assumed.pair_tokens, "tokens")
    read = product((texts, "texts"), tokens, (_READ, "operations"), (trunk, "weights"))
    yield Term("read", read, assumed.reading_share, tasks)


def _reward_models(config: Config, size: ModelSize, there: Counts, assumed: Assumptions) -> Iterator[Term]:
    again = config.reward_models.gradient_checkpointing
    alike = Counter((plan.trainable_layers, plan.epochs, plan.train_share) for plan in config.reward_models.plans)
    for (layers, epochs, share), number in alike.items():
        pairs = round(share * there.pairs)
        together = min(config.reward_models.processes, assumed.gpus) if layers == ALL_LAYERS else 1
        yield Term(
            f"trained, {_depth(layers)}",
            product(
                (number, "reward models"),
                (epochs, "epochs"),
                (pairs, "pairs"),
                (2, "texts"),
                (assumed.pair_tokens if layers else 1, "tokens"),
                (_LEARN + (_READ if again and layers else 0), "operations"),
                (size.trained(layers), "weights"),
            ),
            assumed.training_share,
            together * (min(number, assumed.gpus // together) if assumed.ray else 1),
        )


def _ppo(config: Config, ppo: PPOSettings, size: ModelSize, there: Counts, assumed: Assumptions) -> Iterator[Term]:
    """Of every policy: rollouts, their judging by policy, π_0, critic and reward model, epochs of both networks."""
    policies, text = (there.policies, "policies"), (assumed.prompt_tokens + assumed.response_tokens, "tokens")
    rollouts = (policies, (ppo.steps, "steps"), (ppo.batch_responses, "responses"), text)
    trained = size.trained(ppo.trainable_layers)
    read = (_READ, "operations")
    # OpenRLHF trains a policy on all its GPUs; its checkpoints are sampled and scored where the run was started
    policy, checkpoint = min(there.policies, assumed.gpus) if assumed.ray else 1, 1
    if ppo.engine == "openrlhf":
        policy = min(ppo.openrlhf.gpus, assumed.gpus)
    else:
        checkpoint = policy
    sampling = product(*rollouts, read, (size.parameters, "weights"))
    yield Term("rollouts sampled", sampling, assumed.sampling_share, policy)
    judging = product(*rollouts, (4, "networks"), read, (trained, "weights"))
    yield Term("rollouts judged", judging, assumed.reading_share, policy)
    learning = product(*rollouts, (ppo.epochs, "epochs"), (2, "networks"), (_LEARN, "operations"), (trained, "weights"))
    yield Term("policy and critic trained", learning, assumed.training_share, policy)
    texts = (policies, (there.checkpoint_texts, "responses at checkpoints"), text)
    answers = product(*texts, read, (size.parameters, "weights"))
    yield Term("checkpoints sampled", answers, assumed.sampling_share, checkpoint)
    readers = (2 * size.parameters + _judges(config, size)[0], "weights of π, π_0 and reward models")
    yield Term("checkpoints scored", product(*texts, read, readers), assumed.reading_share, checkpoint)


def _judges(config: Config, size: ModelSize) -> tuple[float, str]:
    """The trunk once, and of every reward model the blocks of its own."""
    own = [size.trained(plan.trainable_layers) for plan in config.reward_models.plans]
    return _trunk(config, size) + sum(own), f"weights of the trunk and {len(own)} reward models"


def _trunk(config: Config, size: ModelSize) -> float:
    shallowest = min(size.blocks(layers) for layers in config.reward_models.depths)
    return size.parameters * (1 - shallowest / size.layers)


def _depth(layers: int) -> str:
    return {-1: "all blocks", 0: "the head alone"}.get(layers, f"the top {layers} blocks")
