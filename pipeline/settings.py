"""The few settings of a profile that are changed often, by one name each, and a profile with some of them changed.

They are data: whatever is given is validated as a profile is, and nothing of it reaches a shell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pydantic import ValidationError

from pipeline.config import Config, PPOSettings, Wrong, load_profile, profile_names
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
"""Where each of them is in a profile."""


@dataclass(frozen=True)
class Settings:
    """A profile's values of them; `ppo_steps` is `NO_PPO` where it has no PPO."""

    seed: int
    rl_test_samples: int
    ppo_steps: int
    flip_rates: tuple[float, ...]
    categories: tuple[str, ...]


def about(profile: str) -> str:
    """What a profile says of itself in its first line. Raises InvalidSetting for one that is not the package's."""
    _check(profile)
    text = (resources.files("pipeline") / "profiles" / f"{profile}.toml").read_text(encoding="utf-8")
    return text.splitlines()[0].removeprefix("#").strip()


def of_profile(profile: str) -> Settings:
    """What a profile sets them to. Raises InvalidSetting for one that is not the package's."""
    _check(profile)
    return of(load_profile(profile))


def of(config: Config) -> Settings:
    """What a config sets them to."""
    return Settings(
        seed=config.seed,
        rl_test_samples=config.test.rl_test_samples,
        ppo_steps=config.ppo.steps if config.ppo else NO_PPO,
        flip_rates=config.reward_models.flip_rates,
        categories=config.prompts.categories,
    )


def configured(profile: str, changes: Mapping[str, Any]) -> Config:
    """A profile of the package with the named settings changed.

    Raises InvalidSetting, in one line, for the first that is wrong.

    With other `ppo_steps`, the checkpoints before the last step stay and the last step becomes one.
    """
    _check(profile)
    settings = load_profile(profile).model_dump(mode="json")
    for name, value in changes.items():
        if name not in _PLACES:
            raise InvalidSetting(f"{name}: no such setting; there are {list(_PLACES)}", name)
        if name == "ppo_steps":
            settings["ppo"] = with_steps(settings["ppo"], value)
        else:
            *rooms, last = _PLACES[name]
            place = settings
            for room in rooms:
                place = place[room]
            place[last] = value
    return checked(settings)


def checked(settings: Mapping[str, Any]) -> Config:
    """Changed settings as a Config. Raises InvalidSetting, in one line, for the first that is wrong."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        wrong = Wrong.of(error)
        raise InvalidSetting(wrong.line, _name(wrong.where, wrong.message)) from error


def _check(profile: str) -> None:
    """No file is opened by a name that came from a page."""
    if profile not in profile_names():
        raise InvalidSetting(f"profile {profile!r} does not exist; use one of {profile_names()}", "profile")


def with_steps(settings: dict[str, Any] | None, steps: Any) -> dict[str, Any] | None:
    """PPO's settings with so many steps; None for `NO_PPO`."""
    if steps == NO_PPO:
        return None
    settings = settings or PPOSettings().model_dump(mode="json")
    if not isinstance(steps, int):
        return {**settings, "steps": steps}  # for the validation to refuse
    kept = [step for step in settings["checkpoints"] if step < steps]
    return {**settings, "steps": steps, "checkpoints": [*kept, steps]}


def _name(where: Sequence[str | int], message: str) -> str:
    """The setting that an error is about: by its place, or as the message begins."""
    for name, place in _PLACES.items():
        if tuple(where[: len(place)]) == place or message.startswith(place[-1]):
            return name
    return "flip_rates"  # what is left: a profile's sweep names a reward model that these rates do not make
