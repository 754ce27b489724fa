"""Sections of a run's settings: policy, prompts, preference pairs, tests and optimisers. Units are in the names.

Every section is frozen; unknown names, NaN and infinity are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from warehouse.schema import CATEGORIES

EMBEDDED_MODEL = "smollm2-135m-instruct"
"""Name of the embedded model; any other name is a local folder or a hub id."""

ALL_LAYERS = -1
"""The value of `trainable_layers` that means all layers of a model."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(gt=0, le=5)]
Share = Annotated[float, Field(ge=0, lt=1)]
Layers = Annotated[int, Field(ge=-1, le=10_000)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Algorithm = Literal["ppo", "reinforce++", "rloo", "grpo", "sft"]
IN_PROCESS: tuple[Algorithm, ...] = ("ppo", "rloo", "grpo", "sft")
_NO_CRITIC = frozenset({"critic_learning_rate", "value_coefficient", "value_clip_range", "gae_lambda", "discount"})
_LACKS: Mapping[Algorithm, frozenset[str]] = {
    "ppo": frozenset({"pool_responses"}),
    "rloo": _NO_CRITIC | {"pool_responses"},
    "grpo": _NO_CRITIC | {"pool_responses"},
    "sft": _NO_CRITIC
    | {"kl_coefficient", "sweep", "sweep_reward_models", "kl_limit", "truncation_score"}
    | {"batch_responses", "samples_per_prompt", "epochs", "clip_range"},
}
"""Settings that an algorithm does not have in process."""
BY_OPENRLHF: tuple[Algorithm, ...] = ("ppo", "reinforce++", "rloo", "grpo")


def _all_differ(values: tuple[object, ...]) -> tuple[object, ...]:
    if len(set(values)) < len(values):
        raise ValueError("the same value occurs twice; leave one out")
    return values


def _differ_in_ids(values: tuple[float, ...]) -> tuple[float, ...]:
    if len({f"{value:.2f}" for value in values}) < len(values):
        raise ValueError("two values differ by less than 0.01, so that their ids would be equal")
    return values


def _differ_as_penalties(values: tuple[float, ...]) -> tuple[float, ...]:
    if len({f"{value:g}" for value in values}) < len(values):
        raise ValueError("two values have the same six digits, so that the ids of their policies would be equal")
    return values


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise ValueError(f"{name!r} is no category; use some of {list(CATEGORIES)}")
    return name


Category = Annotated[str, AfterValidator(_category)]
Distinct = AfterValidator(_all_differ)
DistinctInIds = AfterValidator(_differ_in_ids)
DistinctPenalties = AfterValidator(_differ_as_penalties)


class Section(BaseModel):
    """Base of all sections."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PolicySettings(Section):
    """The initial policy and how it is sampled for the tests."""

    model: str = EMBEDDED_MODEL
    sampler: Literal["transformers", "vllm"] = "transformers"
    temperature: Temperature = 1.0
    max_new_tokens: Annotated[int, Field(ge=4, le=4096)] = 48
    batch_responses: Annotated[int, Field(ge=1, le=4096)] = 192


class PromptSettings(Section):
    """How many prompts of each category serve which purpose. `files` are data sets whose prompts replace our own.

    Every prompt and paraphrase ends with one of `instructions`, such as "Answer in one short sentence.", if there are
    any: which one is drawn for each prompt.

    With `at_most`, a category that has fewer prompts gives all it has; without, that is an error.
    """

    files: tuple[str, ...] = ()
    instructions: Annotated[tuple[str, ...], Distinct] = ()
    at_most: bool = False
    categories: Annotated[tuple[Category, ...], Distinct, Field(min_length=1)] = CATEGORIES
    rm_train_per_category: Annotated[int, Field(ge=4)] = 40
    rm_test_per_category: Annotated[int, Field(ge=2)] = 16
    rl_test_per_category: Annotated[int, Field(ge=2)] = 16


class PreferenceSettings(Section):
    """How contrastive pairs are drawn from the policy's own responses.

    `files` are data sets whose pairs replace them (`pipeline/data_sets`): temperatures and samples are then ignored,
    and the last three settings limit which pairs are kept.
    """

    files: tuple[str, ...] = ()
    cool_temperature: Temperature = 0.5
    cool_samples: Count = 2
    hot_temperature: Temperature = 1.6
    extra_samples: Annotated[int, Field(ge=1, le=64)] = 3
    validation_share: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    ranked_pairs: Count = 4
    max_characters: Count = 8192
    pairs_per_source: Count | None = None


class TestSettings(Section):
    """How many responses each test prompt gets from the initial policy, and from it at other temperatures.

    The initial policy answers each RM-test prompt and each paraphrase `rm_test_responses` times. Each of
    `source_temperatures` adds a source of `source_responses` responses to every RM-test prompt. A paraphrase gets
    `paraphrase_responses` responses (none: as many as the prompt). The first RL-test prompts of each category,
    `many_prompts_per_category`, get `many_samples` responses instead of `rl_test_samples`, for best-of-n at larger n.
    With `probes`, some responses to RM-test prompts are edited in five ways and scored too (`pipeline/stages/probes`).
    """

    rm_test_responses: Annotated[int, Field(ge=2, le=64)] = 8
    paraphrase_responses: Annotated[int, Field(ge=2, le=64)] | None = None
    rl_test_samples: Annotated[int, Field(ge=2, le=4096)] = 16
    many_samples: Annotated[int, Field(ge=2, le=4096)] | None = None
    many_prompts_per_category: Annotated[int, Field(ge=1)] = 4
    source_temperatures: Annotated[tuple[Temperature, ...], DistinctInIds] = (0.5, 1.5)
    source_responses: Annotated[int, Field(ge=1, le=64)] = 2
    probes: bool = True


class OpenRLHFSettings(Section):
    """How OpenRLHF is run (`pipeline/backends/openrlhf/run.py`): on `gpus` of one machine, with prompts of at most
    `max_prompt_tokens`. A process that prints nothing for `silence_limit_s` seconds is considered hung and ended."""

    gpus: Annotated[int, Field(ge=1, le=1024)] = 8
    max_prompt_tokens: Count = 1024
    silence_limit_s: Annotated[float, Field(gt=0, le=604_800)] = 3600.0


class PPOSettings(Section):
    """Policies trained against reward models (`pipeline/models/optimizers`), by each of `algorithms`.

    A step is one batch of rollouts and its updates; of SFT, an epoch over the best of `pool_responses` responses to
    each training prompt. `each` replaces some of these settings for one algorithm. Against `reward_models` (none: all
    that the run trains), each as often as `repeats`, with other seeds; at the KL coefficients of `sweep` once, against
    `sweep_reward_models`. A checkpoint is valued by `checkpoint_samples` responses to a prompt (none: as many as the
    last), the last by `test_samples`. With `engine = "openrlhf"`, OpenRLHF trains the policies in its own processes.
    """

    engine: Literal["in_process", "openrlhf"] = "in_process"
    algorithms: Annotated[tuple[Algorithm, ...], Distinct, Field(min_length=1)] = ("ppo",)
    each: Mapping[Algorithm, Mapping[str, Any]] = Field(default_factory=dict)
    openrlhf: OpenRLHFSettings = OpenRLHFSettings()
    reward_models: Annotated[tuple[str, ...], Distinct] = ()
    repeats: Annotated[int, Field(ge=1, le=99)] = 1
    steps: Count = 10
    checkpoints: tuple[Count, ...] = (5, 10)
    test_samples: Annotated[int, Field(ge=1, le=4096)] = 2
    checkpoint_samples: Annotated[int, Field(ge=1, le=4096)] | None = None
    pool_responses: Annotated[int, Field(ge=2, le=1024)] = 16
    kl_coefficient: Annotated[float, Field(ge=0)] = 0.0
    sweep: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Distinct, DistinctPenalties] = ()
    sweep_reward_models: Annotated[tuple[str, ...], Distinct] = ()
    trainable_layers: Annotated[int, Field(ge=-1)] = 2
    batch_responses: Annotated[int, Field(ge=2, le=4096)] = 64
    samples_per_prompt: Annotated[int, Field(ge=1, le=256)] = 4
    epochs: Count = 2
    minibatches: Count = 4
    actor_learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    critic_learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    value_coefficient: Annotated[float, Field(ge=0)] = 0.5
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 1.0
    clip_range: Annotated[float, Field(gt=0)] = 0.2
    value_clip_range: Annotated[float, Field(gt=0)] = 0.2
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    truncation_score: float | None = None
    truncation_penalty: Annotated[float, Field(ge=0)] = 0.0
    kl_limit: Annotated[float, Field(gt=0)] = 300.0

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.trainable_layers == 0:
            raise ValueError("trainable_layers has to be 1 or more, or -1 for all: they are the policy's own blocks")
        if list(self.checkpoints) != sorted(set(self.checkpoints)) or self.checkpoints[-1:] != (self.steps,):
            raise ValueError(f"checkpoints has to be ascending steps that end with {self.steps}")
        if self.minibatches > self.batch_responses:
            raise ValueError(f"minibatches has to be at most batch_responses, {self.batch_responses}")
        if self.batch_responses % self.samples_per_prompt:
            raise ValueError(f"batch_responses has to be a multiple of samples_per_prompt, {self.samples_per_prompt}")
        if self.kl_coefficient in self.sweep:
            raise ValueError(f"sweep has to hold KL coefficients other than kl_coefficient, {self.kl_coefficient:g}")
        known = IN_PROCESS if self.engine == "in_process" else BY_OPENRLHF
        if unknown := [name for name in self.algorithms if name not in known]:
            raise ValueError(f"engine {self.engine!r} has no {unknown[0]}; it has {', '.join(known)}")
        if self.engine == "openrlhf" and self.truncation_penalty:
            raise ValueError(
                f"truncation_penalty is {self.truncation_penalty:g}, and engine 'openrlhf' has none: leave it out, or "
                "set a truncation_score"
            )
        if idle := [name for name in self.each if name not in self.algorithms]:
            raise ValueError(f"each has settings of {idle[0]}, which algorithms {list(self.algorithms)} does not name")
        if self.truncation_score is not None and self.truncation_penalty:
            raise ValueError("truncation_score and truncation_penalty are set; a cut-off response can have one of them")
        if self.truncation_score is not None and "sft" in self.algorithms:
            raise ValueError("truncation_score is set, which sft does not have; use truncation_penalty")
        if self.each or len(self.algorithms) > 1:
            for name in self.algorithms:
                self.of(name)
        elif self.engine == "in_process" and self.algorithms[0] in ("rloo", "grpo") and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt has to be 2 or more, as {self.algorithms[0]} compares the responses to a prompt; "
                f"got {self.samples_per_prompt}"
            )
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # `each` is no tuple, of which pydantic could take the hash

    def of(self, algorithm: Algorithm) -> PPOSettings:
        """The settings of one algorithm. Raises ValueError if `each` has some that it must not have, or wrong ones."""
        own = self.each.get(algorithm, {})
        if shared := sorted({"engine", "algorithms", "each", "openrlhf"} & own.keys()):
            raise ValueError(f"each.{algorithm} sets {shared[0]}, which is the same for all algorithms")
        lacks = _LACKS.get(algorithm, frozenset()) if self.engine == "in_process" else frozenset()
        if idle := sorted(lacks & own.keys()):
            raise ValueError(f"each.{algorithm} sets {idle[0]}, which {algorithm} does not have; leave it out")
        try:
            return PPOSettings(
                **self.model_dump(exclude={"each", "algorithms"}) | dict(own) | {"algorithms": (algorithm,)}
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, ("each", algorithm, *first["loc"])))
            raise ValueError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
