"""All settings of a run in one frozen object, with what follows from them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.config.data import PreferenceSettings, PromptSettings, TestSettings
from pipeline.config.fields import Count, SettingsModel
from pipeline.config.optimization import PPOSettings
from pipeline.config.policy import PolicySettings
from pipeline.config.reward_models import RewardModelSettings


class Extended(SettingsModel):
    """A run that another one goes on from: its N, and the code that made what is taken over (None: not finished)."""

    run_id: Annotated[str, Field(min_length=1, max_length=255)]
    rl_test_samples: Count
    code_version: str | None = None


class Config(SettingsModel):
    """Everything that decides what a run makes.

    `extends` are the runs that this one goes on from, the first one first: see `pipeline/runs/extend.py`.
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
