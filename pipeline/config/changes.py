"""The few settings that pages and commands change, each by one name. Changed settings are validated as a profile is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.config.profiles import Config, FirstError, load_profile, profile_names, profile_text
from pipeline.config.sections import PPOSettings
from pipeline.errors import InvalidSetting

NO_PPO = 0
"""The number of PPO steps that leaves PPO out."""

_PLACES: Mapping[str, tuple[str, ...]] = {
    "seed": ("seed",),
    "rl_test_samples": ("test", "rl_test_samples"),
    "ppo_steps": ("ppo", "steps"),
    "flip_rates": ("reward_models", "flip_rates"),
    "others": ("reward_models", "others"),
    "categories": ("prompts", "categories"),
}
"""Where each setting is in a profile."""


@dataclass(frozen=True)
class Settings:
    """Values of these settings; `ppo_steps` is `NO_PPO` without PPO."""

    seed: int
    rl_test_samples: int
    ppo_steps: int
    flip_rates: tuple[float, ...]
    categories: tuple[str, ...]


def about(profile: str) -> str:
    """What a profile is for: its first line. Raises InvalidSetting for one that does not come with the package."""
    _check(profile)
    return profile_text(profile).splitlines()[0].removeprefix("#").strip()


def of_profile(profile: str) -> Settings:
    """A profile's values. Raises InvalidSetting for one that does not come with the package."""
    _check(profile)
    return of(load_profile(profile))


def of(config: Config) -> Settings:
    """A config's values."""
    return Settings(
        seed=config.seed,
        rl_test_samples=config.test.rl_test_samples,
        ppo_steps=config.ppo.steps if config.ppo else NO_PPO,
        flip_rates=config.reward_models.flip_rates,
        categories=config.prompts.categories,
    )


def configured(profile: str, changes: Mapping[str, Any]) -> Config:
    """A profile of the package with the named settings changed.

    Other `ppo_steps` keep the checkpoints before the last step and add the last step. Raises InvalidSetting, in one
    line, for the first setting that is wrong.
    """
    _check(profile)
    settings = load_profile(profile).model_dump(mode="json")
    for name, value in changes.items():
        if name not in _PLACES:
            raise InvalidSetting(f"{name}: no such setting; use one of {list(_PLACES)}", name)
        if name == "ppo_steps":
            settings["ppo"] = with_steps(settings["ppo"], value)
        else:
            *sections, field = _PLACES[name]
            (settings[sections[0]] if sections else settings)[field] = value
    return checked(settings)


def checked(settings: Mapping[str, Any]) -> Config:
    """Changed settings as a Config. Raises InvalidSetting, in one line, for the first that is wrong."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        first = FirstError.of(error)
        wrong = [
            name
            for name, place in _PLACES.items()
            if first.where[: len(place)] == place or first.message.startswith(place[-1])
        ]
        # the only other cause: the profile's sweep names a reward model that the new flip rates do not have
        raise InvalidSetting(first.line, wrong[0] if wrong else "flip_rates") from error


def _check(profile: str) -> None:
    """A name that came from a page must not open any other file."""
    if profile not in profile_names():
        raise InvalidSetting(f"profile {profile!r} does not exist; use one of {profile_names()}", "profile")


def with_steps(settings: dict[str, Any] | None, steps: Any) -> dict[str, Any] | None:
    """PPO's settings with another number of steps; None for `NO_PPO`."""
    if steps == NO_PPO:
        return None
    settings = settings or PPOSettings().model_dump(mode="json")
    if not isinstance(steps, int):
        return {**settings, "steps": steps}  # refused by the validation
    earlier = [step for step in settings["checkpoints"] if step < steps]
    return {**settings, "steps": steps, "checkpoints": [*earlier, steps]}
