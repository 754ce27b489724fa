"""What a run's work costs: operations of every stage, memory of a GPU, and disk space, each as a printable product.

Operations: 2 a weight and token to read and 4 more to learn from, 6·N·tokens in all (Kaplan et al., arXiv 2001.08361,
section 2.1), and 2 again with checkpointed gradients. Attention over the text is left out. The weights of some blocks
are taken as the same share of all weights.

Memory: what is trained takes 16 bytes a weight with Adam: the weight, its gradient and two moments, 4 each (Rajbhandari
et al., arXiv 1910.02054, count as many in mixed precision), shared by the processes that train it. Activations of a
block are 34 bytes a token and unit of width, 2 where the rest is computed again (Korthikanti et al., arXiv 2205.05198,
without attention's scores, which are not stored).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pipeline.config import ALL_LAYERS, Config, PPOSettings
from pipeline.cost.counts import Counts
from pipeline.cost.model_size import ModelSize

_READ, _LEARN = (2, "operations"), 6
_BF16, _FLOAT32, _ADAM = 2, 4, 16
_SAVED_ADAM = 14
"""A checkpoint of DeepSpeed: weights in 16 bits, and in 32 bits once more with two moments."""
_CHARACTERS_PER_TOKEN = 4
_ACTIVATIONS, _CHECKPOINTED = 34, 2
_HEAD = 0.002
"""Training a head takes as long as this share of a block, measured on two cores: its steps are mostly overhead."""
_UPDATE = 0.29
"""PPO's update of some blocks takes this share of the frozen weights besides, measured too: for the output layer."""


@dataclass(frozen=True)
class Product:
    """Numbers with their names, multiplied."""

    factors: tuple[tuple[float, str], ...]

    @property
    def value(self) -> float:
        return math.prod(number for number, _ in self.factors)

    @property
    def text(self) -> str:
        """`10 reward models × 105,348 pairs × 2 texts`."""
        return " × ".join(f"{shown(number)} {name}".rstrip() for number, name in self.factors)


def product(*factors: tuple[float, str]) -> Product:
    """The product of (number, name) factors; factors of 1 are left out."""
    return Product(tuple((number, name) for number, name in factors if number != 1))


@dataclass(frozen=True)
class Rates:
    """Shares of a processor's peak that training, reading and sampling reach; assumed, not measured."""

    training: float = 0.4
    reading: float = 0.4
    sampling: float = 0.1


@dataclass(frozen=True)
class Term:
    """Operations of one kind, the share of the peak that they reach, and how many GPUs do them side by side.

    `by_trunk`: the frozen trunk reads, once for all reward models, texts that it has to read again for added ones.
    """

    what: str
    operations: Product
    share: float
    gpus: int = 1
    by_trunk: bool = False

    @property
    def at_peak(self) -> float:
        """Operations that the peak could do in the same time."""
        return self.operations.value / self.share


@dataclass(frozen=True)
class Sized:
    """Bytes of one thing: in memory, or on disk in a folder of the run's `work`, `tables`, or "" outside the run."""

    what: str
    size: Product
    folder: str = ""


@dataclass(frozen=True)
class Costs:
    """The costs of a run with these settings, by a model of this size.

    `gpus` share the work. `ray`: Ray's tasks make the parts of a stage side by side, a GPU each; otherwise one process
    makes them one after the other.
    """

    config: Config
    size: ModelSize
    counts: Counts
    rates: Rates = Rates()
    gpus: int = 1
    ray: bool = False

    @cached_property
    def stages(self) -> dict[str, tuple[Term, ...]]:
        """What the stages that read, sample or train with the model compute, in order."""
        stages = {
            "train_responses": self._sampled(self.counts.train_texts),
            "features": self._features(),
            "reward_models": self._reward_models(),
            "test_responses": self._sampled(self.counts.test_texts),
            "scores": self._scored(self.counts.test_texts, "read", self._tasks),
            "ppo": self._ppo(self.config.ppo) if self.config.ppo else iter(()),
        }
        found = {stage: tuple(term for term in terms if term.operations.value) for stage, terms in stages.items()}
        return {stage: terms for stage, terms in found.items() if terms}

    @cached_property
    def memory(self) -> dict[str, tuple[Sized, ...]]:
        """Of one GPU, by stage."""
        found = {
            "test_responses": self._memory_sampling(),
            "reward_models": self._memory_training(),
            "scores": self._memory_scoring(),
        }
        if self.config.ppo is not None:
            in_process = self.config.ppo.engine == "in_process"
            found["ppo"] = (self._memory_ppo if in_process else self._memory_openrlhf)(self.config.ppo)
        return {stage: tuple(terms) for stage, terms in found.items()}

    @cached_property
    def disk(self) -> tuple[Sized, ...]:
        """What the run leaves, and what OpenRLHF needs meanwhile."""
        return tuple(self._disk())

    @property
    def _tasks(self) -> int:
        return self.gpus if self.ray else 1

    @property
    def _weights(self) -> tuple[float, str]:
        return self.size.parameters, "weights"

    @property
    def _own(self) -> tuple[float, str]:
        """Weights that reward models do not share."""
        own = [self.size.trained(plan.trainable_layers) for plan in self.config.reward_models.plans]
        return sum(own), f"weights of their own, {len(own)} reward models"

    @property
    def _trunk(self) -> tuple[float, str]:
        """Weights below the shallowest reward model, which all share."""
        shallowest = min(self.config.reward_models.depths, key=self.size.blocks)
        return self.size.frozen(shallowest), "weights of the trunk"

    def _sampled(self, texts: int, whose: str = "", gpus: int | None = None) -> Iterator[Term]:
        """Prompts are read together, responses are written token by token."""
        for what, tokens, share in (
            ("prompts read", self.counts.prompt_tokens, self.rates.reading),
            ("sampled", self.counts.response_tokens, self.rates.sampling),
        ):
            operations = product((texts, "responses"), (tokens, "tokens"), _READ, self._weights)
            yield Term(f"{whose} {what}".strip(), operations, share, gpus or self._tasks)

    def _scored(self, texts: int, what: str, gpus: int) -> Iterator[Term]:
        """The trunk reads a text once, and every reward model with the blocks of its own."""
        read = (texts, "texts"), (self.counts.text_tokens, "tokens"), _READ
        yield Term(what, product(*read, self._own), self.rates.reading, gpus)
        yield Term(f"{what} by the trunk", product(*read, self._trunk), self.rates.reading, gpus, by_trunk=True)

    def _features(self) -> Iterator[Term]:
        """The trunk reads every text of the pairs once; a reward model that trains all layers needs no features."""
        if set(self.config.reward_models.depths) != {ALL_LAYERS}:
            texts, tokens = (self.counts.pair_texts, "texts"), (self.counts.pair_tokens, "tokens")
            yield Term("read", product(texts, tokens, _READ, self._trunk), self.rates.reading, self._tasks)

    def _reward_models(self) -> Iterator[Term]:
        models = self.config.reward_models
        alike = Counter((plan.trainable_layers, plan.epochs, plan.train_share) for plan in models.plans)
        for (layers, epochs, share), number in alike.items():
            together = min(models.processes, self.gpus) if layers == ALL_LAYERS else 1
            weights = self.size.trained(layers) if layers else _HEAD * self.size.trained(1)
            again = _READ[0] if models.gradient_checkpointing and layers else 0
            operations = product(
                (number, "reward models"),
                (epochs, "epochs"),
                (round(share * self.counts.pairs), "pairs"),
                (2, "texts"),
                (self.counts.pair_tokens, "tokens"),
                (_LEARN + again, "operations"),
                (weights, "weights" if layers else "weights that take as long as a head"),
            )
            side_by_side = together * (min(number, self.gpus // together) if self.ray else 1)
            yield Term(f"trained, {_depth(layers)}", operations, self.rates.training, side_by_side)

    def _ppo(self, ppo: PPOSettings) -> Iterator[Term]:
        """Of every policy: rollouts, their judging by policy, π_0, critic and reward model, epochs of both networks."""
        policies = self.counts.policies
        # OpenRLHF trains a policy on all its GPUs; its checkpoints are sampled and scored where the run was started
        side_by_side = min(policies, self.gpus) if self.ray else 1
        openrlhf = ppo.engine == "openrlhf"
        policy, checkpoint = (min(ppo.openrlhf.gpus, self.gpus), 1) if openrlhf else (side_by_side, side_by_side)
        rollouts = policies * ppo.steps * ppo.batch_responses
        yield from self._sampled(rollouts, "rollouts", policy)
        read = (rollouts, "responses"), (self.counts.text_tokens, "tokens")
        own, frozen = self.size.trained(ppo.trainable_layers), self.size.frozen(ppo.trainable_layers)
        judges = (4 * own + frozen, "weights of four networks")
        yield Term("rollouts judged", product(*read, _READ, judges), self.rates.reading, policy)
        weights = (own + _UPDATE * frozen, "weights, with the overhead of frozen ones" if frozen else "weights")
        learnt = (ppo.epochs, "epochs"), (2, "networks"), (_LEARN, "operations"), weights
        yield Term("policy and critic trained", product(*read, *learnt), self.rates.training, policy)
        answers = policies * self.counts.checkpoint_texts
        yield from self._sampled(answers, "checkpoints", checkpoint)
        compared = (2 * self.size.parameters, "weights of π and π_0")
        tokens = (self.counts.text_tokens, "tokens")
        texts = product((answers, "responses"), tokens, _READ, compared)
        yield Term("checkpoints compared with π_0", texts, self.rates.reading, checkpoint)
        yield from self._scored(answers, "checkpoints scored", checkpoint)

    def _frozen(self) -> Sized:
        return Sized("π_0 in bfloat16", product(self._weights, (_BF16, "bytes")))

    def _activations(self, texts: float, tokens: int, layers: int, each: int = _ACTIVATIONS) -> Sized:
        blocks, width = (self.size.blocks(layers), "blocks"), (self.size.hidden, "width")
        return Sized("activations", product((texts, "texts"), (tokens, "tokens"), blocks, width, (each, "bytes")))

    def _memory_sampling(self) -> Iterator[Sized]:
        yield self._frozen()
        texts, tokens = (self.config.policy.batch_responses, "responses"), (self.counts.text_tokens, "tokens")
        yield Sized("cache", product(texts, tokens, (self.size.cache_bytes, "bytes of keys and values")))

    def _memory_training(self) -> Iterator[Sized]:
        models = self.config.reward_models
        deepest = max(models.depths, key=self.size.blocks)
        shared = models.processes if deepest == ALL_LAYERS else 1
        yield self._frozen()
        adam = (_ADAM / shared, "bytes" if shared == 1 else f"bytes, 16 shared by {shared} processes")
        yield Sized("one reward model with Adam", product((self.size.trained(deepest), "weights"), adam))
        each = _CHECKPOINTED if models.gradient_checkpointing else _ACTIVATIONS
        yield self._activations(models.texts_at_once, self.counts.pair_tokens, deepest, each)

    def _memory_scoring(self) -> Iterator[Sized]:
        """Those that share the trunk are in memory together, of those that train all layers one at a time."""
        yield self._frozen()
        depths = [plan.trainable_layers for plan in self.config.reward_models.plans]
        together = sum(self.size.trained(layers) for layers in depths if layers != ALL_LAYERS)
        weights = (together, "weights of their own")
        yield Sized("reward models on one trunk, float32", product(weights, (_FLOAT32, "bytes")))
        if ALL_LAYERS in depths:
            yield Sized("a reward model of all layers, float32", product(self._weights, (_FLOAT32, "bytes")))

    def _memory_ppo(self, ppo: PPOSettings) -> Iterator[Sized]:
        trained = (self.size.trained(ppo.trainable_layers), "weights")
        yield self._frozen()
        yield Sized("policy and critic with Adam", product((2, "networks"), trained, (_ADAM, "bytes")))
        yield Sized("reference", product(trained, (_FLOAT32, "bytes")))
        texts = -(-ppo.batch_responses // ppo.minibatches)
        yield self._activations(texts, self.counts.text_tokens, ppo.trainable_layers)

    def _memory_openrlhf(self, ppo: PPOSettings) -> Iterator[Sized]:
        """While it trains, ZeRO's second stage: every GPU has all weights, and its share of gradients and Adam's state.

        Policy and critic take turns on the GPU, and vLLM's engine sleeps.
        """
        gpus = ppo.openrlhf.gpus
        yield Sized("policy, or critic", product(self._weights, (_BF16, "bytes")))
        share = product(self._weights, ((_ADAM - _BF16) / gpus, "bytes"))
        yield Sized(f"its gradients and Adam's state on one of {gpus}", share)
        penalised = ppo.kl_coefficient > 0 or any(ppo.sweep)
        frozen = (2 if penalised else 1, "frozen models")
        yield Sized("reward model, and π_0 under a KL penalty", product(frozen, self._weights, (_BF16, "bytes")))
        yield self._activations(1, self.counts.text_tokens, ALL_LAYERS)

    def _disk(self) -> Iterator[Sized]:
        yield Sized("π_0", product(self._weights, (_BF16, "bytes")))
        models, ppo, counts = self.config.reward_models, self.config.ppo, self.counts
        texts, width = (counts.pair_texts, "texts"), (self.size.hidden, "width")
        for layers in set(models.depths) - {ALL_LAYERS}:
            tokens = (counts.pair_tokens if layers else 1, "tokens")
            features = product(texts, tokens, width, (_BF16, "bytes"))
            yield Sized(f"features, trainable_layers {layers}", features, "features")
        yield Sized("reward models", product(self._own, (_FLOAT32, "bytes")), "reward_models")
        if ppo is not None:
            trained = (self.size.trained(ppo.trainable_layers), "weights")
            policies = product((counts.policies, "policies"), trained, (_BF16, "bytes"))
            yield Sized("policies", policies, "ppo")
        if ppo is not None and ppo.engine == "openrlhf":  # removed after each policy: the reward models' at the end
            judges, saved = len(models.trained_ids), ppo.steps // math.gcd(*ppo.checkpoints) + 1
            for what, number in (("reward models for OpenRLHF", judges), ("checkpoints of a policy", saved)):
                yield Sized(what, product((number, "models"), self._weights, (_BF16, "bytes")))
            states = product((2, "states"), (2, "networks"), self._weights, (_SAVED_ADAM, "bytes"))
            yield Sized("states to resume from", states)
        answers, tokens = (counts.train_texts + counts.responses, "responses"), (counts.response_tokens, "tokens")
        yield Sized("texts of responses", product(answers, tokens, (_CHARACTERS_PER_TOKEN, "bytes")), "tables")
        scores = product((counts.responses, "responses"), (len(models.plans), "reward models"), (_FLOAT32, "bytes"))
        yield Sized("scores", scores, "tables")


def shown(number: float) -> str:
    """Whole numbers below ten million in full, others to four digits."""
    if number == int(number) and abs(number) < 1e7:
        return f"{int(number):,}"
    return f"{number:.4g}".replace("e+0", "e").replace("e+", "e")


def gigabytes(size_bytes: float) -> str:
    """Decimal gigabytes, the unit of GPU data sheets."""
    return f"{size_bytes / 1e9:,.1f} GB"


def total(terms: Iterable[Sized]) -> float:
    """Their bytes together."""
    return sum(term.size.value for term in terms)


def _depth(layers: int) -> str:
    return {ALL_LAYERS: "all blocks", 0: "the head alone"}.get(layers, f"the top {layers} blocks")
