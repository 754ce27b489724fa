"""What a stage is given, and what it gives back.

A heavy stage describes its work as `Parts`; an engine makes the missing ones: this process (`make_here`) or tasks on a
cluster. A part depends only on its own name, the run's seed and the tables of earlier stages, so it has the same rows
whoever makes it and in whatever order.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from pipeline.config import Config
from pipeline.runs import RunDirectory
from pipeline.runs.progress import ProgressReport
from pipeline.scoring.added import Scoring, opened, settings_of

if TYPE_CHECKING:
    from pipeline.backends.vllm import VllmSampler
    from pipeline.models.language_model import LanguageModel
    from pipeline.models.sampler import Request, Sample

T = TypeVar("T")


@dataclass(frozen=True)
class StageResult:
    """What a finished stage notes in its marker: how many units of what, and which engine made them."""

    units: int
    unit: str
    engine: str = "local"


@dataclass(frozen=True)
class Parts:
    """The parts of a stage that are still missing, and how to make one.

    `total` counts the units of the whole stage; `missing` gives the units in each missing part by its name.
    `make(name)` writes a part, whole or not at all, and advances the progress. `load` is what the local engine does
    before the first part, so that loading a model does not count in the rate.
    """

    total: int
    unit: str
    missing: Mapping[Any, int]
    make: Callable[[Any], None]
    load: Callable[[], object] = lambda: None

    @property
    def already_done(self) -> int:
        """Units of the parts that earlier attempts made."""
        return self.total - sum(self.missing.values())


def make_here(context: Context, plan: Plan) -> StageResult:
    """The default engine: makes the missing parts in this process, one after the other."""
    parts = plan(context)
    if parts.missing:
        parts.load()
    context.progress.plan(parts.total, parts.unit, parts.already_done)
    for name in parts.missing:
        parts.make(name)
    return StageResult(parts.total, parts.unit)


class Context:
    """Shared by the stages of one run in one process."""

    def __init__(self, run: RunDirectory, progress: ProgressReport, engine: Engine = make_here) -> None:
        self.run = run
        self.progress = progress
        self._engine = engine
        self._vllm: VllmSampler | None = None
        self._servers: dict[str, Scoring] = {}
        self._whole_model: tuple[str, Any] | None = None

    @property
    def config(self) -> Config:
        return self.run.config

    def seed(self, *names: str | int) -> int:
        """A seed for one purpose, from the run's seed and the purpose's names; stable across machines and versions."""
        words = [zlib.crc32(str(name).encode()) for name in names]
        return int(np.random.SeedSequence([self.config.seed, *words]).generate_state(1, np.uint32)[0])

    def rng(self, *names: str | int) -> np.random.Generator:
        """A random generator with that seed."""
        return np.random.default_rng(self.seed(*names))

    def make(self, plan: Plan) -> StageResult:
        """Make the missing parts of a stage with the run's engine."""
        return self._engine(self, plan)

    @cached_property
    def base_model(self) -> LanguageModel:
        """The initial policy, which is also the base of the reward models."""
        from pipeline.models.language_model import load

        self.progress.say(f"loading {self.config.policy.model}")
        return load(self.config.policy.model, self.config.threads)

    def whole_model(self, name: str, load: Callable[[], T]) -> T:
        """A reward model by its id, loaded once; only one at a time is in memory, as each is a whole model."""
        if self._whole_model is None or self._whole_model[0] != name:
            if self._whole_model is not None:
                from pipeline.models.language_model import free_memory

                self._whole_model = None
                free_memory()
            self._whole_model = name, load()
        return cast("T", self._whole_model[1])

    def added(self, name: str) -> Scoring:
        """A reward model of the run that was trained elsewhere: a connection to its server, or the loaded model."""
        settings = next((added for added in self.config.reward_models.added if added.name == name), None)

        def load() -> Scoring:
            if settings is None:  # by OpenRLHF, in this run
                folder = self.run.work_path("reward_models", name)
                self.run.check(folder, f"reward_model/reward_models-{name}.parquet", "stages/reward_models.json")
                return opened(settings_of(model=str(folder), name=name, dtype="float32"))
            self.progress.say(f"opening {name}: {settings.origin}")
            return opened(settings, self.base_model)

        if settings is None or settings.url is None:
            return self.whole_model(name, load)
        if name not in self._servers:
            self._servers[name] = load()
        return self._servers[name]

    def sample(
        self, policy: LanguageModel, requests: Sequence[Request], seed: int, with_log_p: bool = False
    ) -> list[Sample]:
        """One response per request from the profile's sampler; vLLM's engine, once started, runs until `close`.

        `with_log_p` asks vLLM, which samples from a copy of the model, for the tokens' log-probabilities.
        """
        settings = self.config.policy
        if settings.sampler == "transformers":
            from pipeline.models.sampler import sample

            return sample(policy, requests, settings.max_new_tokens, seed)
        if self._vllm is None or self._vllm.policy is not policy:
            from pipeline.backends.vllm import VllmSampler

            self.close()
            self.progress.say(f"starting vLLM with {policy.name}")
            self._vllm = VllmSampler(policy, settings.batch_responses, settings.max_new_tokens)
        return self._vllm.sample(requests, settings.max_new_tokens, seed, with_log_p)

    def release(self) -> None:
        """Free the GPU for other processes: unload every model and stop what was started; all is reloaded on use."""
        from pipeline.models.language_model import free_memory

        self.close()
        self._servers.clear()
        self._whole_model = None
        self.__dict__.pop("base_model", None)
        free_memory()

    def close(self) -> None:
        """Stop vLLM, if it was started."""
        if self._vllm is not None:
            self._vllm.close()
            self._vllm = None


Plan = Callable[[Context], Parts]
"""A stage's function that finds its missing parts from the tables that the run has."""

Engine = Callable[[Context, Plan], StageResult]
"""Makes the missing parts of a plan."""
