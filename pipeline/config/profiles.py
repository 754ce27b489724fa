"""A run's settings as one frozen object, and the profiles (TOML files) that hold them.

`smoke` runs every stage in a minute; `quick` is the default for two cores. A profile is data: copy one, change it, and
pass its path to `righttree run --profile`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pipeline.config.reward_models import RewardModelSettings
from pipeline.config.sections import (
    Count,
    PolicySettings,
    PPOSettings,
    PreferenceSettings,
    PromptSettings,
    Section,
    TestSettings,
)
from pipeline.errors import InvalidConfig, InvalidSetting, without_secrets
from warehouse.files import special

_FOLDER = resources.files("pipeline") / "profiles"


class Extended(Section):
    """A run that another one extends: its N, and the code version of the results that are reused (None: unfinished)."""

    run_id: Annotated[str, Field(min_length=1, max_length=255)]
    rl_test_samples: Count
    code_version: str | None = None


class Config(Section):
    """Everything that decides what a run computes.

    `extends` lists the runs that this one extends, oldest first: see `pipeline/runs/extend.py`.
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
    def _reward_models_name_categories(self) -> Self:
        """Where pairs come from files, their categories are known only when the files are read."""
        for other in self.reward_models.others if not self.preferences.files else ():
            if other.category is not None and other.category not in self.prompts.categories:
                raise ValueError(
                    f"others has the category {other.category!r} for {other.reward_model_id}; the run's categories are "
                    f"{list(self.prompts.categories)}"
                )
        return self

    @model_validator(mode="after")
    def _sweep_names_reward_models(self) -> Self:
        known = self.reward_models.trained_ids
        for algorithm in self.ppo.algorithms if self.ppo else ():
            settings = self.ppo.of(algorithm) if self.ppo else None
            for setting in ("reward_models", "sweep_reward_models"):
                unknown = [name for name in getattr(settings, setting) if name not in known]
                if unknown:
                    raise ValueError(f"ppo.{setting} has {unknown[0]!r}; the profile's reward models are {known}")
        return self

    @model_validator(mode="after")
    def _policies_can_be_trained_on_the_reward_models(self) -> Self:
        if self.reward_models.engine == "openrlhf" and self.ppo is not None and self.ppo.engine != "openrlhf":
            raise ValueError(
                "reward_models.engine is 'openrlhf', whose reward models share nothing with the policy: set ppo.engine "
                "to 'openrlhf' too, or leave ppo out"
            )
        return self

    @model_validator(mode="after")
    def _many_are_more(self) -> Self:
        many, usual = self.test.many_samples, self.test.rl_test_samples
        if many is None:
            return self
        if many <= usual:
            raise ValueError(f"test.many_samples has to be above rl_test_samples, {usual}; got {many}")
        if any(run.rl_test_samples != usual for run in self.extends):
            raise ValueError(f"test.many_samples is {many}: such a run cannot be extended to more rl_test_samples")
        return self

    @property
    def best_of_n(self) -> tuple[int, ...]:
        """Strengths n = 1, 2, 4, … up to the most samples of a prompt, and the usual and the greatest number itself."""
        usual = self.test.rl_test_samples
        most = self.test.many_samples or usual
        return tuple(sorted({2**k for k in range(most.bit_length()) if 2**k <= most} | {usual, most}))

    @property
    def rl_test_rounds(self) -> tuple[range, ...]:
        """Numbers of an RL-test prompt's samples, in the rounds in which they are drawn and scored.

        There is one round, one more for every extended run with fewer samples, whose responses are reused, and a last
        one from `rl_test_samples` on for the prompts with `many_samples`.
        """
        usual, many = self.test.rl_test_samples, self.test.many_samples
        ends = sorted({*(run.rl_test_samples for run in self.extends), usual, many or usual})
        return tuple(range(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def profile_names() -> list[str]:
    """Names of the profiles that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))


def profile_text(name: str) -> str:
    """The TOML of a profile that comes with the package."""
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def load_profile(name: str, seed: int | None = None, sampler: str | None = None) -> Config:
    """The profile of that name, or in that TOML file; `seed` and `sampler` replace the profile's own.

    Raises InvalidConfig, which names the setting, its value and what is allowed.
    """
    path = Path(name)
    if name in profile_names():
        text = profile_text(name)
    elif path.suffix == ".toml":
        if kind := special(path):
            raise InvalidConfig(f"profile {name}: is {kind}, not a file; give the path of a TOML file")
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
    if sampler is not None and isinstance(policy := settings.setdefault("policy", {}), dict):
        policy["sampler"] = sampler
    return validated(settings, f"profile {name}")


def validated(settings: object, origin: str) -> Config:
    """Settings as a Config; raises InvalidConfig in one line that names the setting."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        wrong = FirstError.of(error)
        raise InvalidConfig(f"{origin}: {wrong.name or 'settings'}: {wrong.message}; got {wrong.got}") from error


def valid(kind: Any, value: object, setting: str) -> Any:
    """A value as this model or annotated type. Raises InvalidSetting for `setting`, in one line."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong = FirstError.of(error)
        raise InvalidSetting(f"{wrong.name or setting}: {wrong.line}", setting) from error


@dataclass(frozen=True)
class FirstError:
    """The first value that a validation refused: where it is, what is wrong with it, and the value itself."""

    where: tuple[str | int, ...]
    message: str
    value: Any

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        first = error.errors(include_url=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "too_short":  # pydantic's own words are about tuples
            message = f"give at least {first['ctx']['min_length']}"
        return cls(first["loc"], message, first["input"])

    @property
    def name(self) -> str:
        """`test.rl_test_samples`; empty if several settings contradict each other."""
        return ".".join(map(str, self.where))

    @property
    def got(self) -> str:
        """The value as text, at most 200 characters, without what a URL keeps secret."""
        try:
            return f"{without_secrets(repr(self.value)):.200}"
        except ValueError:  # Python does not print integers of more than 4,300 digits
            return "a number of thousands of digits"

    @property
    def line(self) -> str:
        """What is wrong, and the value if it is a single one."""
        return f"{self.message}; got {self.got}" if isinstance(self.value, str | int | float) else self.message
