"""Settings of the optimisation of policies, in this process or by OpenRLHF."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.fields import Count, SettingsModel

Algorithm = Literal["ppo", "reinforce++", "rloo", "grpo"]


class OpenRLHFSettings(SettingsModel):
    """How OpenRLHF is run: see `pipeline/backends/openrlhf/run.py`.

    `gpus` of one machine; prompts of at most `max_prompt_tokens`; a process that prints nothing for `silence_limit_s`
    seconds is taken to hang, and ended.
    """

    gpus: Annotated[int, Field(ge=1, le=1024)] = 8
    max_prompt_tokens: Count = 1024
    silence_limit_s: Annotated[float, Field(gt=0, le=604_800)] = 3600.0


class PPOSettings(SettingsModel):
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
