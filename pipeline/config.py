"""A run's settings: a profile (TOML), validated once and frozen. Units are in the names; sizes are small on purpose.

`smoke` runs every stage in a minute, `quick` is the embedded default for two cores. A profile is data: copy one,
change it, and pass its path to `righttree run --profile`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import InvalidConfig
from warehouse.schema import CATEGORIES

EMBEDDED_MODEL = "smollm2-135m-instruct"
"""Name that stands for the embedded model; anything else is a local folder or a hub id."""

ALL_LAYERS = -1
"""The `trainable_layers` that stands for all of a model's."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(gt=0, le=5)]
Share = Annotated[float, Field(ge=0, lt=1)]
Layers = Annotated[int, Field(ge=-1, le=10_000)]
LearningRate = Annotated[float, Field(gt=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PolicySettings(_Settings):
    """The initial policy and how it is sampled for the tests."""

    model: str = EMBEDDED_MODEL
    sampler: Literal["transformers", "vllm"] = "transformers"
    temperature: Temperature = 1.0
    max_new_tokens: Annotated[int, Field(ge=4, le=4096)] = 48
    batch_responses: Annotated[int, Field(ge=1, le=4096)] = 192


class PromptSettings(_Settings):
    """How many prompts of each category serve which purpose. `files` are data sets whose prompts replace our own.

    With `at_most` a category that has fewer gives all it has; without, that is an error.
    """

    files: tuple[str, ...] = ()
    at_most: bool = False
    categories: tuple[str, ...] = CATEGORIES
    rm_train_per_category: Annotated[int, Field(ge=4)] = 40
    rm_test_per_category: Annotated[int, Field(ge=2)] = 16
    rl_test_per_category: Annotated[int, Field(ge=2)] = 16

    @model_validator(mode="after")
    def _categories_are_known(self) -> Self:
        if not self.categories or set(self.categories) - set(CATEGORIES):
            raise ValueError(f"categories has to be some of {list(CATEGORIES)}")
        return self


class PreferenceSettings(_Settings):
    """How contrastive pairs are drawn from the policy's own responses.

    `files` are data sets whose pairs replace them: see `pipeline/data_sets`. The temperatures and samples say nothing
    then; the last three settings say what is kept.
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


class OtherRewardModel(_Settings):
    """A reward model that differs from the family in kind: in one of these, and in its seed as every one does.

    - `size`: `train_share` of the training pairs; a smaller share is part of a greater one.
    - `depth`: `trainable_layers` of its own.
    - `seed`: nothing but the draws; `number` tells several apart.
    - `length`: `length_bias` is the share of its training labels replaced by "the longer response is chosen".

    `flip_rate` adds label noise; `learning_rate` and `epochs` replace the family's where the change asks for it.
    """

    kind: Literal["size", "depth", "seed", "length"]
    train_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    trainable_layers: Layers | None = None
    number: Annotated[int, Field(ge=1, le=999)] | None = None
    length_bias: Annotated[float, Field(gt=0, le=1)] | None = None
    flip_rate: Share = 0.0
    learning_rate: LearningRate | None = None
    epochs: Count | None = None

    @model_validator(mode="after")
    def _changes_what_its_kind_says(self) -> Self:
        changes = {"size": "train_share", "depth": "trainable_layers", "seed": "number", "length": "length_bias"}
        given = [name for name in changes.values() if getattr(self, name) is not None]
        if given != [changes[self.kind]]:
            raise ValueError(f"kind {self.kind!r} needs {changes[self.kind]}, and no other of {[*changes.values()]}")
        return self

    @property
    def reward_model_id(self) -> str:
        """Readable id, e.g. `size-0.25`, `depth-2`, `depth-all`, `seed-1`, `length-0.50`, `length-0.50-flip-0.10`."""
        layers = "all" if self.trainable_layers == -1 else self.trainable_layers
        changed = {
            "size": f"{self.train_share or 0:.2f}",
            "depth": str(layers),
            "seed": str(self.number),
            "length": f"{self.length_bias or 0:.2f}",
        }
        noise = f"-flip-{self.flip_rate:.2f}" if self.flip_rate else ""
        return f"{self.kind}-{changed[self.kind]}{noise}"


class AddedRewardModel(_Settings):
    """A reward model made elsewhere, which only scores: a Hugging Face `model`, or a server at a `url`.

    `revision` pins the model: the commit of a hub id, `sha256:…` of a folder's files. Of a server nothing is known but
    where it is. `timeout_s` and `tries` are for each request.
    """

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$")]
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    revision: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    url: Annotated[str, Field(max_length=2048)] | None = None
    batch_texts: Annotated[int, Field(ge=1, le=4096)] = 16
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 180.0
    tries: Annotated[int, Field(ge=1, le=100)] = 5

    @field_validator("url")
    @classmethod
    def _is_plain_http(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)  # raises ValueError for brackets that do not close; so does `port` for one that is none
        plain = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not plain:
            raise ValueError("has to be http://… or https://… with a host, in ASCII without spaces")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no user name or password: it is published with the run")
        return url

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.model is None) == (self.url is None):
            raise ValueError("give a model or a url, and not both")
        if (self.model is None) != (self.revision is None):
            raise ValueError("revision is needed for a model, and for nothing else")
        return self

    @property
    def kind(self) -> str:
        return "model" if self.url is None else "server"

    @property
    def origin(self) -> str:
        """Where it came from: `org/name@commit`, `/folder@sha256:…` or the URL."""
        return self.url or f"{self.model}@{self.revision}"


@dataclass(frozen=True)
class RewardModelPlan:
    """What one reward model of the run is to be: its id and everything that sets it apart."""

    reward_model_id: str
    kind: str
    flip_rate: float
    train_share: float
    length_bias: float
    trainable_layers: int
    learning_rate: float
    epochs: int


class RewardModelSettings(_Settings):
    """The family of reward models and how each is trained (METHOD: Bradley–Terry with a regulariser).

    A step is `batch_pairs` pairs, in `gradient_accumulation` parts one after the other in each of `processes`, which
    share the training of a reward model with `trainable_layers = -1`; others are trained in one process.
    """

    flip_rates: tuple[Share, ...] = (0.0, 0.1, 0.2, 0.3, 0.4)
    others: tuple[OtherRewardModel, ...] = ()
    added: tuple[AddedRewardModel, ...] = ()
    trainable_layers: Layers = 0
    epochs: Count = 8
    batch_pairs: Count = 32
    learning_rate: LearningRate = 1e-3
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    regularisation: Annotated[float, Field(ge=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    gradient_accumulation: Count = 1
    gradient_checkpointing: bool = False
    processes: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _fit_what_is_trained(self) -> Self:
        parts = self.gradient_accumulation * self.processes
        if parts > self.batch_pairs:
            raise ValueError(
                f"gradient_accumulation × processes is {parts}: a step of {self.batch_pairs} batch_pairs has no pair "
                "for each part; give more batch_pairs, or fewer of them"
            )
        if self.processes > 1 and ALL_LAYERS not in self.depths:
            raise ValueError(
                f"processes is {self.processes}, and only reward models with trainable_layers = -1, all, are trained "
                "by several; give one such, or leave processes out"
            )
        if self.gradient_checkpointing and set(self.depths) == {0}:
            raise ValueError(
                "gradient_checkpointing saves memory where layers are trained, and every reward model here trains its "
                "head only; give trainable_layers other than 0, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        names = [f"{rate:.2f}" for rate in self.flip_rates]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"flip_rates has to hold two or more rates that differ by 0.01, got {self.flip_rates}")
        others = [other.reward_model_id for other in self.others]
        twice = sorted({name for name in others if others.count(name) > 1})
        if twice:
            raise ValueError(f"others has {twice[0]} more than once; shares have to differ by 0.01, numbers by 1")
        if self.trainable_layers in {other.trainable_layers for other in self.others}:
            raise ValueError(f"others has a depth of {self.trainable_layers}, which is the family's trainable_layers")
        if len(set(self.ids)) < len(self.ids):
            raise ValueError(f"added has a name that another reward model has; there are {list(self.ids)}")
        return self

    @property
    def plans(self) -> tuple[RewardModelPlan, ...]:
        """All that the run trains, in the order of the profile: first the flip rates, then the others."""
        flips = [self._plan(f"flip-{rate:.2f}", "flip", flip_rate=rate) for rate in self.flip_rates]
        others = [
            self._plan(other.reward_model_id, **other.model_dump(exclude={"number"}, exclude_none=True))
            for other in self.others
        ]
        return (*flips, *others)

    def _plan(self, reward_model_id: str, kind: str, **changed: Any) -> RewardModelPlan:
        family = {
            "flip_rate": 0.0,
            "train_share": 1.0,
            "length_bias": 0.0,
            "trainable_layers": self.trainable_layers,
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
        }
        return RewardModelPlan(reward_model_id, kind, **{**family, **changed})

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all reward models of the run, sorted, as the warehouse's axes have them."""
        return tuple(sorted([*self.trained_ids, *(added.name for added in self.added)]))

    @property
    def trained_ids(self) -> tuple[str, ...]:
        """Ids of those that the run trains, sorted: PPO can be run against them."""
        return tuple(sorted(plan.reward_model_id for plan in self.plans))

    @property
    def texts_at_once(self) -> int:
        """Texts that a process reads together in training, at most: both sides of its part of a step."""
        return 2 * -(-self.batch_pairs // (self.gradient_accumulation * self.processes))

    @property
    def depths(self) -> tuple[int, ...]:
        """The values of `trainable_layers` that there are among the reward models."""
        return tuple(sorted({plan.trainable_layers for plan in self.plans}))


class TestSettings(_Settings):
    """How many responses each test prompt gets, of the initial policy and of it at other temperatures.

    The initial policy answers the RM-test prompts and, `rm_test_responses` times too, their paraphrases. Every one of
    `source_temperatures` is a further source of `source_responses` responses to each RM-test prompt.
    """

    rm_test_responses: Annotated[int, Field(ge=2, le=64)] = 8
    rl_test_samples: Annotated[int, Field(ge=2, le=4096)] = 16
    source_temperatures: tuple[Temperature, ...] = (0.5, 1.5)
    source_responses: Annotated[int, Field(ge=1, le=64)] = 2

    @model_validator(mode="after")
    def _sources_are_distinct(self) -> Self:
        if len({f"{temperature:.2f}" for temperature in self.source_temperatures}) < len(self.source_temperatures):
            raise ValueError(f"source_temperatures have to differ by 0.01, got {self.source_temperatures}")
        return self


Algorithm = Literal["ppo", "reinforce++", "rloo", "grpo"]


class OpenRLHFSettings(_Settings):
    """How OpenRLHF is run: see `pipeline/openrlhf_run.py`.

    `gpus` of one machine; prompts of at most `max_prompt_tokens`; a process that prints nothing for `silence_limit_s`
    seconds is taken to hang, and ended.
    """

    gpus: Annotated[int, Field(ge=1, le=1024)] = 8
    max_prompt_tokens: Count = 1024
    silence_limit_s: Annotated[float, Field(gt=0, le=604_800)] = 3600.0


class PPOSettings(_Settings):
    """PPO against every reward model: see `pipeline/models/ppo.py`. A step is one batch of rollouts and its updates.

    With `engine = "openrlhf"` OpenRLHF does it, by PPO or by each of `algorithms`, in processes of its own.
    """

    engine: Literal["in_process", "openrlhf"] = "in_process"
    algorithms: tuple[Algorithm, ...] = ("ppo",)
    openrlhf: OpenRLHFSettings = OpenRLHFSettings()
    steps: Count = 10
    checkpoints: tuple[Count, ...] = (5, 10)
    test_samples: Annotated[int, Field(ge=1, le=4096)] = 2
    kl_coefficient: Annotated[float, Field(ge=0)] = 0.0
    sweep: tuple[Annotated[float, Field(ge=0)], ...] = ()
    sweep_reward_models: tuple[str, ...] = ()
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
    kl_limit: Annotated[float, Field(gt=0)] = 300.0

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.trainable_layers == 0:
            raise ValueError("trainable_layers has to be 1 or more, or -1 for all: PPO trains the policy's own blocks")
        if list(self.checkpoints) != sorted(set(self.checkpoints)) or self.checkpoints[-1:] != (self.steps,):
            raise ValueError(f"checkpoints has to be ascending steps that end with {self.steps}")
        if self.minibatches > self.batch_responses:
            raise ValueError(f"minibatches has to be at most batch_responses, {self.batch_responses}")
        if self.batch_responses % self.samples_per_prompt:
            raise ValueError(f"batch_responses has to be a multiple of samples_per_prompt, {self.samples_per_prompt}")
        if self.kl_coefficient in self.sweep or len(set(self.sweep)) < len(self.sweep):
            raise ValueError("sweep has to hold distinct KL coefficients other than kl_coefficient")
        if not self.algorithms or len(set(self.algorithms)) < len(self.algorithms):
            raise ValueError(f"algorithms has to name one or more, each once, got {list(self.algorithms)}")
        if self.engine == "in_process" and self.algorithms != ("ppo",):
            raise ValueError(
                f"engine 'in_process' knows ppo alone, got {list(self.algorithms)}; give engine 'openrlhf'"
            )
        return self


class Extended(_Settings):
    """A run that another one goes on from: its N, and the code that made what is taken over (None: not finished)."""

    run_id: Annotated[str, Field(min_length=1, max_length=255)]
    rl_test_samples: Count
    code_version: str | None = None


class Config(_Settings):
    """Everything that decides what a run makes.

    `extends` are the runs that this one goes on from, the first one first: see `pipeline/extend.py`.
    """

    profile: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    policy: PolicySettings = PolicySettings()
    prompts: PromptSettings = PromptSettings()
    preferences: PreferenceSettings = PreferenceSettings()
    reward_models: RewardModelSettings = RewardModelSettings()
    test: TestSettings = TestSettings()
    ppo: PPOSettings | None = None
    extends: tuple[Extended, ...] = ()

    @model_validator(mode="after")
    def _samples_grow(self) -> Self:
        counts = [*(run.rl_test_samples for run in self.extends), self.test.rl_test_samples]
        if counts != sorted(counts):
            raise ValueError(f"rl_test_samples has to be at least that of every run in extends, got {counts}")
        return self

    @model_validator(mode="after")
    def _sweep_names_reward_models(self) -> Self:
        known = self.reward_models.trained_ids
        unknown = [name for name in (self.ppo.sweep_reward_models if self.ppo else ()) if name not in known]
        if unknown:
            raise ValueError(f"ppo.sweep_reward_models has {unknown[0]!r}; the profile's reward models are {known}")
        return self

    @property
    def best_of_n(self) -> tuple[int, ...]:
        """Strengths n = 1, 2, 4, … up to N samples per prompt, and N itself."""
        N = self.test.rl_test_samples
        return tuple(sorted({2**k for k in range(N.bit_length()) if 2**k <= N} | {N}))

    @property
    def rl_test_rounds(self) -> tuple[range, ...]:
        """Numbers of the samples of an RL-test prompt, in the rounds in which they are drawn and scored.

        There is one round, and one more for every run with fewer samples that this one extends: its responses stay.
        """
        ends = sorted({*(run.rl_test_samples for run in self.extends), self.test.rl_test_samples})
        return tuple(range(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def profile_names() -> list[str]:
    """Names of the profiles that come with the package."""
    folder = resources.files("pipeline") / "profiles"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_profile(name: str, seed: int | None = None, sampler: str | None = None) -> Config:
    """The profile of that name, or in that TOML file; `seed` and `sampler` replace the profile's own.

    Raises InvalidConfig that names the setting, what was got and what is wanted.
    """
    path = Path(name)
    if name in profile_names():
        text = (resources.files("pipeline") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"profile {name}: cannot be read ({error}); give the path of a TOML file") from error
    else:
        raise InvalidConfig(
            f"profile {name!r} does not exist; use one of {profile_names()} or the path of a .toml file"
        )
    try:
        settings = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a list in a list in a list …
        raise InvalidConfig(f"profile {name}: not TOML: {error}") from error
    settings.setdefault("profile", path.stem)
    if seed is not None:
        settings["seed"] = seed
    if sampler is not None:
        policy = settings.setdefault("policy", {})
        if isinstance(policy, dict):
            policy["sampler"] = sampler
    return validated(settings, f"profile {name}")


def validated(settings: object, origin: str) -> Config:
    """Settings as a Config; raises InvalidConfig in one line that names the setting."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        wrong = Wrong.of(error)
        raise InvalidConfig(f"{origin}: {wrong.name or 'settings'}: {wrong.message}; got {wrong.got}") from error


@dataclass(frozen=True)
class Wrong:
    """The first thing that a validation refused: where it is, what is wrong with it, and what was got."""

    where: tuple[str | int, ...]
    message: str
    value: Any

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        first = error.errors()[0]
        return cls(first["loc"], first["msg"].removeprefix("Value error, "), first["input"])

    @property
    def name(self) -> str:
        """`test.rl_test_samples`; empty where it is the whole."""
        return ".".join(map(str, self.where))

    @property
    def got(self) -> str:
        return _shown(self.value)

    @property
    def line(self) -> str:
        """What is wrong, with what was got if that is short."""
        return f"{self.message}; got {self.got}" if isinstance(self.value, str | int | float) else self.message


def _shown(value: object) -> str:
    """A value that was refused, as an error shows it: its beginning, if it is long."""
    try:
        return f"{value!r:.200}"
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
