"""What every stage is given: the run, its settings, progress and seeds, the engine, and the base model, loaded once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from pipeline.config import Config
from pipeline.parts import Parts, Work
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Told
from pipeline.scoring.added import Scoring, opened

if TYPE_CHECKING:
    from pipeline.backends.vllm import VllmSampler
    from pipeline.models.language_model import LanguageModel
    from pipeline.models.sampler import Request, Sample


__all__ = ["Context", "Engine", "Plan", "Work", "here"]

T = TypeVar("T")


def here(context: Context, plan: Plan) -> Work:
    """The default engine: make the missing parts in this process, one after the other."""
    parts = plan(context)
    if parts.missing:
        parts.load()
    context.progress.plan(parts.total, parts.unit, parts.there)
    for name in parts.missing:
        parts.make(name)
    return Work(parts.total, parts.unit)


class Context:
    """Shared by the stages of one run in one process."""

    def __init__(self, run: RunDirectory, progress: Told, engine: Engine = here) -> None:
        self.run = run
        self.progress = progress
        self._engine = engine
        self._vllm: VllmSampler | None = None
        self._servers: dict[str, Scoring] = {}
        self._held: tuple[str, Any] | None = None

    @property
    def config(self) -> Config:
        return self.run.config

    def seed(self, *names: str | int) -> int:
        """A seed for one purpose, from the run's seed and the purpose's names; stable across machines and versions."""
        words = [zlib.crc32(str(name).encode()) for name in names]
        return int(np.random.SeedSequence([self.config.seed, *words]).generate_state(1, np.uint32)[0])

    def rng(self, *names: str | int) -> np.random.Generator:
        return np.random.default_rng(self.seed(*names))

    def make(self, plan: Plan) -> Work:
        """Make the missing parts of a stage, by the run's engine."""
        return self._engine(self, plan)

    @cached_property
    def base_model(self) -> LanguageModel:
        """The initial policy, which is the reward models' base too."""
        from pipeline.models.language_model import load

        self.progress.say(f"loading {self.config.policy.model}")
        return load(self.config.policy.model, self.config.threads)

    def hold(self, name: str, load: Callable[[], T]) -> T:
        """A reward model with all weights of a model, by its id: the one that was held before is let go of first."""
        if self._held is None or self._held[0] != name:
            self._let_go()
            self._held = name, load()
        return cast("T", self._held[1])

    def _let_go(self) -> None:
        if self._held is not None:
            from pipeline.models.language_model import free_memory

            self._held = None
            free_memory()

    def added(self, name: str) -> Scoring:
        """A reward model of the run that was made elsewhere: a server, opened once, or a model to hold."""
        settings = next(added for added in self.config.reward_models.added if added.name == name)

        def load() -> Scoring:
            self.progress.say(f"opening {name}: {settings.origin}")
            return opened(settings, self.base_model)

        if settings.url is None:
            return self.hold(name, load)
        if name not in self._servers:
            self._servers[name] = load()
        return self._servers[name]

    def sample(
        self, policy: LanguageModel, requests: Sequence[Request], seed: int, with_log_p: bool = False
    ) -> list[Sample]:
        """One response per request by the profile's sampler; vLLM's engine, once started, is kept until `close`.

        `with_log_p`: with the tokens' log-probabilities, from a sampler whose model is not the one that is read here.
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
        """Let go of the base model and all that was started, so that others have the GPU; asked, it is loaded again."""
        from pipeline.models.language_model import free_memory

        self.close()
        self._servers.clear()
        self._held = None
        self.__dict__.pop("base_model", None)
        free_memory()

    def close(self) -> None:
        """End what was started besides this process."""
        if self._vllm is not None:
            self._vllm.close()
            self._vllm = None


Plan = Callable[[Context], Parts]
"""A function of a stage's module: what the stage has to make, given the tables that the run has."""

Engine = Callable[[Context, Plan], Work]
"""Makes the missing parts of a plan."""
