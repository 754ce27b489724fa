"""Settings of the reward models: the family with its flip rates, its variants, and models trained elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, field_validator, model_validator

from pipeline.config.sections import ALL_LAYERS, Count, Distinct, DistinctInIds, Layers, LearningRate, Section, Share

KINDS: Mapping[str, str] = {
    "size": "train_share",
    "depth": "trainable_layers",
    "seed": "number",
    "length": "length_bias",
    "category-flip": "flipped_category",
    "margin-flip": "flip_rate",
    "only-category": "only_category",
    "ensemble": "members",
}
"""The kinds of variants, each with the setting that it changes."""

CategoryName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9 ._-]{0,63}$")]
"""A category of the run's prompts, or of the pairs in the profile's files, which may have their own."""

_SECRET = re.compile(r"token|key|secret|passw|pwd|auth|cred|jwt|bearer|sig", re.IGNORECASE)
"""Names of values in a URL that let somebody in."""


class OtherRewardModel(Section):
    """A reward model that differs from the family in one setting, and in its seed as every one does.

    - `size`: `train_share` of the training pairs; a smaller share is a subset of a larger one.
    - `depth`: its own `trainable_layers`.
    - `seed`: only the random draws; `number` distinguishes several.
    - `length`: `length_bias` is the share of its training labels replaced by "the longer response is chosen".
    - `category-flip`: `flip_rate` of the training labels of `flipped_category` are flipped, and no others.
    - `margin-flip`: `flip_rate` of its training labels are flipped, those of the closest pairs: the ones whose scores
      differ least under a model trained on the same pairs without flips.
    - `only-category`: trained on the pairs of `only_category` alone.
    - `ensemble`: the mean of the `members`, ids of other reward models of the run with trainable_layers 0, each in
      standard deviations of its scores; a head itself. `number` distinguishes ensembles of equally many.

    For the other kinds `flip_rate` adds label noise; `learning_rate` and `epochs` replace the family's.
    """

    kind: Literal["size", "depth", "seed", "length", "category-flip", "margin-flip", "only-category", "ensemble"]
    train_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    trainable_layers: Layers | None = None
    number: Annotated[int, Field(ge=1, le=999)] | None = None
    length_bias: Annotated[float, Field(gt=0, le=1)] | None = None
    flipped_category: CategoryName | None = None
    only_category: CategoryName | None = None
    members: Annotated[tuple[str, ...], Distinct, Field(min_length=2)] | None = None
    flip_rate: Share = 0.0
    learning_rate: LearningRate | None = None
    epochs: Count | None = None

    @model_validator(mode="after")
    def _changes_what_its_kind_says(self) -> Self:
        own, settings = KINDS[self.kind], [name for name in KINDS.values() if name != "flip_rate"]
        given = {name for name in settings if getattr(self, name) is not None}
        optional = {"number"} if self.kind == "ensemble" else set()
        if given - optional != {own} - {"flip_rate"}:
            raise ValueError(f"kind {self.kind!r} needs {own}, and no other of {settings}")
        if self.kind.endswith("-flip") and f"{self.flip_rate:.2f}" == "0.00":
            raise ValueError(f"kind {self.kind!r} needs a flip_rate of at least 0.01")
        if self.members and (self.flip_rate or self.learning_rate or self.epochs):
            raise ValueError("kind 'ensemble' is not trained: leave out flip_rate, learning_rate and epochs")
        return self

    @property
    def category(self) -> str | None:
        """The category that it treats in its own way."""
        return self.flipped_category or self.only_category

    @property
    def reward_model_id(self) -> str:
        """Readable id, fit for a file name.

        E.g. `size-0.25`, `depth-2`, `depth-all`, `seed-1`, `length-0.50`, `length-0.50-flip-0.10`, `flip-safety-0.40`
        (one category), `flip-close-0.20` (the closest pairs), `only-chat-hard`, `ensemble-4`, `ensemble-4-1`.
        """
        if self.members is not None:
            return f"ensemble-{len(self.members)}" + (f"-{self.number}" if self.number else "")
        category = re.sub(r"[^a-z0-9]+", "-", (self.category or "").lower()).strip("-")
        if self.kind.endswith("-flip"):
            return f"flip-{category or 'close'}-{self.flip_rate:.2f}"
        changed = category or getattr(self, KINDS[self.kind])
        value = f"{changed:.2f}" if isinstance(changed, float) else "all" if changed == ALL_LAYERS else changed
        noise = f"-flip-{self.flip_rate:.2f}" if self.flip_rate else ""
        return f"{self.kind.removesuffix('-category')}-{value}{noise}"


class AddedRewardModel(Section):
    """A reward model trained elsewhere, which only scores: a Hugging Face `model`, or a server at a `url`.

    `revision` pins the model: the commit of a hub id, `sha256:…` of a folder's files, and after `+` that of the base of
    an adapter. `attributes` are the outputs of the model that make its score, by name or number, with their weights;
    none: its only output. `timeout_s` and `tries` apply to each request to a server.
    """

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$")]
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    revision: Annotated[str, Field(min_length=1, max_length=160)] | None = None
    attributes: tuple[tuple[str, float], ...] = ()
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
        parts = urlsplit(url)  # raises ValueError for unclosed brackets; so does `port` if it is no number
        plain = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not plain:
            raise ValueError("has to be http://… or https://… with a host, in ASCII without spaces")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no user name or password: it is published with the run")
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        if secret := next(filter(_SECRET.search, names), None):
            raise ValueError(f"must hold no secret, as {secret} seems to be: it is published with the run")
        return url

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.model is None) == (self.url is None):
            raise ValueError("give a model or a url, and not both")
        if (self.model is None) != (self.revision is None):
            raise ValueError("a model needs a revision, a url has none")
        if self.attributes and (self.url is not None or not any(weight for _, weight in self.attributes)):
            raise ValueError("attributes are outputs of a model, at least one with a weight other than 0")
        return self

    @property
    def kind(self) -> str:
        return "model" if self.url is None else "server"

    @property
    def origin(self) -> str:
        """Where it came from: `org/name@commit`, `/folder@sha256:…`, `…#helpfulness=1`, or the URL."""
        attributes = ",".join(f"{name}={weight:g}" for name, weight in self.attributes)
        return self.url or f"{self.model}@{self.revision}" + (f"#{attributes}" if attributes else "")


@dataclass(frozen=True)
class RewardModelPlan:
    """How one reward model of the run is trained: its id and everything that distinguishes it from the others.

    One with `members` is their ensemble and is not trained.
    """

    reward_model_id: str
    kind: str
    trainable_layers: int
    learning_rate: float
    epochs: int
    flip_rate: float = 0.0
    train_share: float = 1.0
    length_bias: float = 0.0
    flipped_category: str | None = None
    only_category: str | None = None
    members: tuple[str, ...] = ()


class RewardModelSettings(Section):
    """The family of reward models and how each is trained (Bradley–Terry loss with a regulariser).

    With `engine = "openrlhf"`, OpenRLHF trains them, all layers and without a regulariser, in its own processes.

    A step is `batch_pairs` pairs, split over `processes` and there into `gradient_accumulation` consecutive parts. Only
    reward models with `trainable_layers = -1` are trained by several processes.
    """

    engine: Literal["in_process", "openrlhf"] = "in_process"
    flip_rates: Annotated[tuple[Share, ...], DistinctInIds, Field(min_length=2)] = (0.0, 0.1, 0.2, 0.3, 0.4)
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
                f"gradient_accumulation × processes is {parts}: a step of {self.batch_pairs} batch_pairs has fewer "
                "pairs than parts; raise batch_pairs or lower the others"
            )
        if self.processes > 1 and ALL_LAYERS not in self.depths:
            raise ValueError(
                f"processes is {self.processes}, and only reward models with trainable_layers = -1 (all) are trained "
                "by several processes; add one or leave processes out"
            )
        if self.gradient_checkpointing and set(self.depths) == {0}:
            raise ValueError(
                "gradient_checkpointing saves memory where layers are trained, but every reward model here trains only "
                "its head; set trainable_layers or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _openrlhf_can_train_them(self) -> Self:
        if self.engine == "openrlhf" and self.depths != (ALL_LAYERS,):
            raise ValueError(
                f"engine 'openrlhf' trains whole models, and trainable_layers are {list(self.depths)}: set "
                "trainable_layers = -1 for all, and leave out ensembles"
            )
        if self.engine == "openrlhf" and self.regularisation:
            raise ValueError(
                f"regularisation is {self.regularisation:g}, and engine 'openrlhf' has none in its loss: set it to 0"
            )
        if self.engine == "openrlhf" and self.batch_pairs % (self.processes * self.gradient_accumulation):
            raise ValueError(
                f"batch_pairs is {self.batch_pairs}, and engine 'openrlhf' needs a multiple of processes × "
                f"gradient_accumulation, {self.processes} × {self.gradient_accumulation}"
            )
        return self

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        others = [other.reward_model_id for other in self.others]
        twice = sorted({name for name in others if others.count(name) > 1})
        if twice:
            raise ValueError(
                f"others has {twice[0]} more than once; shares and rates have to differ by 0.01, numbers by 1"
            )
        if self.trainable_layers in {other.trainable_layers for other in self.others}:
            raise ValueError(f"others has a depth of {self.trainable_layers}, which is the family's trainable_layers")
        if len(set(self.ids)) < len(self.ids):
            raise ValueError(f"added has the name of another reward model; the names are {list(self.ids)}")
        return self

    @model_validator(mode="after")
    def _others_can_be_made(self) -> Self:
        depths = {plan.reward_model_id: plan.trainable_layers for plan in self.plans if not plan.members}
        for other in self.others:
            for member in other.members or ():
                if depths.get(member) != 0:
                    heads = [name for name, layers in depths.items() if layers == 0]
                    raise ValueError(
                        f"others has an ensemble with the member {member!r}; use reward models of the run that train "
                        f"only their head: {heads}"
                    )
            if other.kind == "margin-flip" and self.trainable_layers == ALL_LAYERS:
                raise ValueError(
                    "others has a margin-flip, whose pairs are ranked by a model trained on stored features: the "
                    "family's trainable_layers must not be -1 (all)"
                )
        return self

    @property
    def plans(self) -> tuple[RewardModelPlan, ...]:
        """All reward models that the run makes, in the order of the profile: the flip rates, then the others."""
        family: dict[str, Any] = {name: getattr(self, name) for name in ("trainable_layers", "learning_rate", "epochs")}
        flips = [RewardModelPlan(f"flip-{rate:.2f}", "flip", flip_rate=rate, **family) for rate in self.flip_rates]
        others = [
            RewardModelPlan(other.reward_model_id, **family | other.model_dump(exclude={"number"}, exclude_none=True))
            for other in self.others
        ]
        return (*flips, *(replace(plan, trainable_layers=0) if plan.members else plan for plan in others))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all reward models of the run, sorted, as the warehouse's axes have them."""
        return tuple(sorted([*self.trained_ids, *(added.name for added in self.added)]))

    @property
    def trained_ids(self) -> tuple[str, ...]:
        """Ids of the reward models that the run trains, and of ensembles, sorted. Policies can be trained on these."""
        return tuple(sorted(plan.reward_model_id for plan in self.plans))

    @property
    def texts_at_once(self) -> int:
        """Most texts that a process reads together in training: both sides of its part of a step."""
        return 2 * -(-self.batch_pairs // (self.gradient_accumulation * self.processes))

    @property
    def depths(self) -> tuple[int, ...]:
        """The distinct `trainable_layers` of the reward models, ascending."""
        return tuple(sorted({plan.trainable_layers for plan in self.plans}))
