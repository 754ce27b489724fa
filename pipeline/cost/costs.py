"""What a run's work costs: operations of every stage, memory of a GPU, and disk space, each as a printable product.

Operations: 2 a weight and token to read and 4 more to learn from, 6·N·tokens in all (Kaplan et al., arXiv 2001.08361,
section 2.1), and 2 again with checkpointed gradients. Attention over the text is left out. The weights of some blocks
are counted as the same share of all weights.

Memory: a trained weight takes 16 bytes with Adam: the weight, its gradient and two moments, 4 each (Rajbhandari et al.,
arXiv 1910.02054, count as many in mixed precision), shared by the processes that train it. Activations of a block are
34 bytes a token and unit of width, 2 where the rest is computed again (Korthikanti et al., arXiv 2205.05198, without
attention's scores, which are not stored).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pipeline.config import ALL_LAYERS, Config, PPOSettings
from pipeline.cost.counts import Counts, TrainedPolicies
from pipeline.cost.model_size import ModelSize

Factor = tuple[float, str]
"""A number and its name, as (105348, "pairs")."""

_READ, _LEARN = (2, "operations"), 6
_BF16, _FLOAT32, _ADAM = (2, "bytes"), (4, "bytes"), 16
_SAVED_ADAM = (14, "bytes")
"""A checkpoint of DeepSpeed: weights in 16 bits, and in 32 bits once more with two moments."""
_CHARACTERS_PER_TOKEN = 4
_ACTIVATIONS, _CHECKPOINTED = 34, 2
_HEAD = 0.002
"""Training a head takes as long as this share of a block, measured on two cores: its steps are mostly overhead."""
_OUTPUT = 0.58
"""An update of some of the policy's blocks takes this share of the frozen weights on top, measured too: for the output
layer, whose gradient passes through it."""


@dataclass(frozen=True)
class Rates:
    """Shares of a processor's peak that training, reading and sampling reach; assumed, not measured."""

    training: float = 0.4
    reading: float = 0.4
    sampling: float = 0.1


@dataclass(frozen=True)
class Product:
    """What is counted, and the named numbers whose product it is."""

    what: str
    factors: tuple[Factor, ...]

    @property
    def value(self) -> float:
        return math.prod(number for number, _ in self.factors)

    @property
    def text(self) -> str:
        """`10 reward models × 105,348 pairs × 2 texts`; factors of 1 are left out."""
        return " × ".join(f"{shown(number)} {name}".rstrip() for number, name in self.factors if number != 1)


@dataclass(frozen=True)
class Operations(Product):
    """Operations of one kind, the share of the peak that they reach, and how many GPUs do them in parallel.

    `by_trunk`: the frozen trunk reads, once for all reward models, texts that it has to read again for added ones.
    """

    share: float
    gpus: int = 1
    by_trunk: bool = False

    @property
    def at_peak(self) -> float:
        """Operations that the peak could do in the same time."""
        return self.value / self.share


@dataclass(frozen=True)
class Bytes(Product):
    """Bytes in memory, or on disk in a folder of the run's `work`, in `tables`, or "" outside the run."""

    folder: str = ""


@dataclass(frozen=True)
class Costs:
    """The costs of a run with these settings, for a model of this size.

    `gpus` share the work. `ray`: Ray's tasks make the parts of a stage in parallel, a GPU each; otherwise one process
    makes them one after the other.
    """

    config: Config
    size: ModelSize
    counts: Counts
    rates: Rates = Rates()
    gpus: int = 1
    ray: bool = False

    @cached_property
    def stages(self) -> dict[str, tuple[Operations, ...]]:
        """What the stages that read, sample or train with the model compute, in order."""
        counts, tasks = self.counts, self.gpus if self.ray else 1
        stages = {
            "train_responses": self._sampling(counts.train_texts, tasks),
            "features": self._features(tasks),
            "reward_models": self._training(),
            "test_responses": self._sampling(counts.test_texts, tasks),
            "scores": self._scoring("read", counts.scored_texts, tasks),
            "ppo": (term for own in self.counts.trained for term in self._policies(own)),
        }
        nonzero = {stage: tuple(term for term in terms if term.value) for stage, terms in stages.items()}
        return {stage: terms for stage, terms in nonzero.items() if terms}

    @cached_property
    def memory(self) -> dict[str, tuple[Bytes, ...]]:
        """Memory of one GPU, by stage."""
        ppo, responses = self.config.ppo, (self.config.policy.batch_responses, "responses")
        cache = (self.size.cache_bytes, "bytes of keys and values")
        frozen = Bytes("π_0 in bfloat16", (self._weights, _BF16))
        memory: dict[str, tuple[Bytes, ...]] = {
            "test_responses": (frozen, Bytes("cache", (responses, self._text_tokens, cache))),
            "reward_models": (frozen, *self._training_memory()),
            "scores": (frozen, *self._scoring_memory()),
        }
        if ppo is not None:
            in_process = ppo.engine == "in_process"
            each = [
                (frozen, *self._policy_memory(own)) if in_process else tuple(self._openrlhf_memory(own.settings))
                for own in self.counts.trained
            ]
            memory["ppo"] = max(each, key=total)  # one policy is trained at a time
        return memory

    @property
    def _weights(self) -> Factor:
        return self.size.parameters, "weights"

    @property
    def _saved(self) -> Factor:
        """Of a checkpoint by OpenRLHF, which writes a tied output layer beside the embedding that it is."""
        with_tied = ", with the output layer, a second time" if self.size.tied else ""
        return self.size.parameters + self.size.tied, f"weights{with_tied}"

    @property
    def _own(self) -> Factor:
        """Weights that reward models do not share."""
        own = [self.size.trained(plan.trainable_layers) for plan in self.config.reward_models.plans]
        return sum(own), f"weights of their own, {len(own)} reward models"

    @property
    def _trunk(self) -> Factor:
        """Weights below the shallowest reward model, which all share."""
        shallowest = min(self.config.reward_models.depths, key=self.size.blocks)
        return self.size.frozen(shallowest), "weights of the trunk"

    @property
    def _text_tokens(self) -> Factor:
        return self.counts.text_tokens, "tokens"

    @property
    def _pair_tokens(self) -> Factor:
        return self.counts.pair_tokens, "tokens"

    def _sampling(self, texts: int, gpus: int, prefix: str = "") -> Iterator[Operations]:
        """Prompts are read together, responses are written token by token."""
        for what, tokens, share in (
            ("prompts read", self.counts.prompt_tokens, self.rates.reading),
            ("sampled", self.counts.response_tokens, self.rates.sampling),
        ):
            yield Operations(
                prefix + what, ((texts, "responses"), (tokens, "tokens"), _READ, self._weights), share, gpus
            )

    def _scoring(self, what: str, texts: int, gpus: int) -> Iterator[Operations]:
        """The trunk reads a text once, and every reward model with its own blocks."""
        read = (texts, "texts"), self._text_tokens, _READ
        yield Operations(what, (*read, self._own), self.rates.reading, gpus)
        yield Operations(f"{what} by the trunk", (*read, self._trunk), self.rates.reading, gpus, by_trunk=True)

    def _features(self, gpus: int) -> Iterator[Operations]:
        """The trunk reads every text of the pairs once; a reward model that trains all layers needs no features."""
        if set(self.config.reward_models.depths) != {ALL_LAYERS}:
            factors = (self.counts.pair_texts, "texts"), self._pair_tokens, _READ, self._trunk
            yield Operations("read", factors, self.rates.reading, gpus)

    def _training(self) -> Iterator[Operations]:
        models = self.config.reward_models
        trained = [plan for plan in models.plans if not plan.members]
        trained += [plan for plan in trained if plan.kind == "margin-flip"]  # another one ranks its pairs first
        same_cost = Counter((plan.trainable_layers, plan.epochs, plan.train_share) for plan in trained)
        for (layers, epochs, share), number in same_cost.items():
            processes = min(models.processes, self.gpus) if layers == ALL_LAYERS else 1
            weights = self.size.trained(layers) if layers else _HEAD * self.size.trained(1)
            again = _READ[0] if models.gradient_checkpointing and layers else 0
            factors = (
                (number, "reward models"),
                (epochs, "epochs"),
                (round(share * self.counts.pairs), "pairs"),
                (2, "texts"),
                self._pair_tokens,
                (_LEARN + again, "operations"),
                (weights, "weights" if layers else "weights that take as long as a head"),
            )
            gpus = processes * (min(number, self.gpus // processes) if self.ray else 1)
            depth = {ALL_LAYERS: "all blocks", 0: "the head alone"}.get(layers, f"the top {layers} blocks")
            yield Operations(f"trained, {depth}", factors, self.rates.training, gpus)

    def _policies(self, own: TrainedPolicies) -> Iterator[Operations]:
        """What the policies of an algorithm take: texts to learn from, epochs on them, and checkpoints."""
        ppo, policies = own.settings, own.number
        # OpenRLHF trains a policy on all its GPUs; then its checkpoints are sampled and scored, by Ray in parallel
        parallel_checkpoints = len(ppo.checkpoints) if self.ray else 1
        parallel = min(policies, self.gpus) if self.ray else 1
        policy, checkpoint = parallel, parallel
        if ppo.engine == "openrlhf":
            policy, checkpoint = min(ppo.openrlhf.gpus, self.gpus), min(parallel_checkpoints, self.gpus)
        prefix = f"{own.algorithm}, " if len(self.counts.trained) > 1 else ""
        yield from self._learnt_from(own, policy, prefix)
        yield self._updates(own, policy, prefix)
        answers = policies * own.checkpoint_texts
        yield from self._sampling(answers, checkpoint, f"{prefix}checkpoints ")
        compared = (answers, "responses"), self._text_tokens, _READ, (2 * self.size.parameters, "weights of π and π_0")
        yield Operations(f"{prefix}checkpoints compared with π_0", compared, self.rates.reading, checkpoint)
        yield from self._scoring(f"{prefix}checkpoints scored", answers, checkpoint)

    def _learnt_from(self, own: TrainedPolicies, gpus: int, prefix: str) -> Iterator[Operations]:
        """Of SFT: one pool, sampled and scored once for all. Otherwise rollouts of each policy, read by all networks:
        the policy, π_0, the reward model, and PPO's critic."""
        ppo = own.settings
        if own.algorithm == "sft":
            tasks = self.gpus if self.ray else 1
            yield from self._sampling(own.pool_texts, tasks, f"{prefix}pool ")
            yield from self._scoring(f"{prefix}pool scored", own.pool_texts, tasks)
            return
        rollouts = own.number * ppo.steps * ppo.batch_responses
        yield from self._sampling(rollouts, gpus, f"{prefix}rollouts ")
        trained, frozen = self.size.trained(ppo.trainable_layers), self.size.frozen(ppo.trainable_layers)
        networks = _networks(own) + 2
        judges = (networks * trained + frozen, f"weights of {networks} networks")
        read = (rollouts, "responses"), self._text_tokens, _READ, judges
        yield Operations(f"{prefix}rollouts judged", read, self.rates.reading, gpus)

    def _updates(self, own: TrainedPolicies, gpus: int, prefix: str) -> Operations:
        """Epochs over the rollouts; of SFT, a step is an epoch over one response to each training prompt."""
        ppo = own.settings
        trained, frozen = self.size.trained(ppo.trainable_layers), self.size.frozen(ppo.trainable_layers)
        texts = self.counts.prompts["rm_train"] if own.algorithm == "sft" else ppo.batch_responses
        weights = (
            _networks(own) * trained + _OUTPUT * frozen,
            "weights, with the overhead of frozen ones" if frozen else "weights",
        )
        factors = (
            (own.number * ppo.steps * texts, "responses"),
            self._text_tokens,
            (1 if own.algorithm == "sft" else ppo.epochs, "epochs"),
            (_LEARN, "operations"),
            weights,
        )
        return Operations(f"{prefix}{_learners(own)} trained", factors, self.rates.training, gpus)

    def _activations(self, texts: float, tokens: Factor, layers: int, size_bytes: int = _ACTIVATIONS) -> Bytes:
        blocks, width = (self.size.blocks(layers), "blocks"), (self.size.hidden, "width")
        return Bytes("activations", ((texts, "texts"), tokens, blocks, width, (size_bytes, "bytes")))

    def _training_memory(self) -> Iterator[Bytes]:
        models = self.config.reward_models
        deepest = max(models.depths, key=self.size.blocks)
        shared = models.processes if deepest == ALL_LAYERS else 1
        adam = (_ADAM / shared, "bytes" if shared == 1 else f"bytes, 16 shared by {shared} processes")
        yield Bytes("one reward model with Adam", ((self.size.trained(deepest), "weights"), adam))
        size_bytes = _CHECKPOINTED if models.gradient_checkpointing else _ACTIVATIONS
        yield self._activations(models.texts_at_once, self._pair_tokens, deepest, size_bytes)

    def _scoring_memory(self) -> Iterator[Bytes]:
        """Reward models that share the trunk are in memory together; those that train all layers, one at a time."""
        depths = [plan.trainable_layers for plan in self.config.reward_models.plans]
        together = sum(self.size.trained(layers) for layers in depths if layers != ALL_LAYERS)
        yield Bytes("reward models on one trunk, float32", ((together, "weights of their own"), _FLOAT32))
        if ALL_LAYERS in depths:
            yield Bytes("a reward model of all layers, float32", (self._weights, _FLOAT32))

    def _policy_memory(self, own: TrainedPolicies) -> Iterator[Bytes]:
        ppo = own.settings
        trained = (self.size.trained(ppo.trainable_layers), "weights")
        networks = (_networks(own), "networks")
        yield Bytes(f"{_learners(own)} with Adam", (networks, trained, (_ADAM, "bytes")))
        yield Bytes("reference", (trained, _FLOAT32))
        responses = self.counts.prompts["rm_train"] if own.algorithm == "sft" else ppo.batch_responses
        yield self._activations(-(-responses // ppo.minibatches), self._text_tokens, ppo.trainable_layers)

    def _openrlhf_memory(self, ppo: PPOSettings) -> Iterator[Bytes]:
        """While it trains, ZeRO's second stage: every GPU has all weights, and its share of gradients and Adam's state.

        Policy and critic take turns on the GPU, and vLLM's engine sleeps.
        """
        gpus = ppo.openrlhf.gpus
        yield Bytes("policy, or critic", (self._weights, _BF16))
        share = ((_ADAM - _BF16[0]) / gpus, "bytes")
        yield Bytes(f"its gradients and Adam's state on one of {gpus}", (self._weights, share))
        frozen = (2 if ppo.kl_coefficient > 0 or any(ppo.sweep) else 1, "frozen models")
        yield Bytes("reward model, and π_0 under a KL penalty", (frozen, self._weights, _BF16))
        yield self._activations(1, self._text_tokens, ALL_LAYERS)

    @cached_property
    def disk(self) -> tuple[Bytes, ...]:
        """What the run leaves, and what OpenRLHF needs meanwhile: a state, and files that are removed in the end."""
        models, ppo, counts = self.config.reward_models, self.config.ppo, self.counts
        texts, width, responses = (counts.pair_texts, "texts"), (self.size.hidden, "width"), counts.responses
        disk = [Bytes("π_0", (self._weights, _BF16))]
        for layers in set(models.depths) - {ALL_LAYERS}:
            tokens = self._pair_tokens if layers else (1, "tokens")
            disk.append(Bytes(f"features, trainable_layers {layers}", (texts, tokens, width, _BF16), "features"))
        disk.append(Bytes("reward models", (self._own, _FLOAT32), "reward_models"))
        for own in counts.trained:
            trained = (self.size.trained(own.settings.trainable_layers), "weights")
            saved_weights = self._saved if ppo is not None and ppo.engine == "openrlhf" else trained
            policies = (own.number, f"policies by {own.algorithm}"), saved_weights, _BF16
            disk.append(Bytes("policies", policies, "ppo"))
        if ppo is not None and ppo.engine == "openrlhf":
            saved = max(own.settings.steps // math.gcd(*own.settings.checkpoints) + 1 for own in counts.trained)
            judges = len(models.trained_ids)
            disk.append(Bytes("reward models for OpenRLHF", ((judges, "models"), self._weights, _BF16)))
            disk.append(Bytes("checkpoints of a policy", ((saved, "models"), self._saved, _BF16)))
            states = (2, "states"), (2, "networks"), self._weights, _SAVED_ADAM
            disk.append(Bytes("states to resume from", states))
        answers, tokens = (counts.train_texts + responses, "responses"), (counts.response_tokens, "tokens")
        disk.append(Bytes("texts of responses", (answers, tokens, (_CHARACTERS_PER_TOKEN, "bytes")), "tables"))
        scores = (responses, "responses"), (len(models.plans), "reward models"), _FLOAT32
        disk.append(Bytes("scores", scores, "tables"))
        return tuple(disk)


def _networks(own: TrainedPolicies) -> int:
    """How many networks learn."""
    return 2 if own.algorithm == "ppo" else 1


def _learners(own: TrainedPolicies) -> str:
    return "policy and critic" if own.algorithm == "ppo" else "policy"


def shown(number: float) -> str:
    """Whole numbers below ten million in full, others to four digits."""
    if number == int(number) and abs(number) < 1e7:
        return f"{int(number):,}"
    return f"{number:.4g}".replace("e+0", "e").replace("e+", "e")


def total(terms: Iterable[Bytes]) -> float:
    """Their bytes together."""
    return sum(term.value for term in terms)
