"""The few settings that pages and commands change, each by one name. Changed settings are validated as a profile is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.config.profiles import Config, FirstError, load_profile, profile_names, profile_text
from pipeline.config.reward_models import OtherRewardModel
from pipeline.config.sections import PPOSettings
from pipeline.errors import InvalidSetting

NO_PPO = 0
"""The number of steps that leaves the training of policies out."""

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
    """Values of these settings; `ppo_steps` is `NO_PPO` if no policy is trained."""

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

    Other `ppo_steps` keep the checkpoints before the last step and add the last step; an algorithm with `steps` of its
    own keeps those. Other `categories` or `flip_rates` leave out the reward models, and policies, that need one of the
    removed. Raises InvalidSetting, in one line, for the first setting that is wrong.
    """
    _check(profile)
    config = load_profile(profile)
    settings = config.model_dump(mode="json")
    _leave_out(_impossible(config, changes), settings)
    for name, value in changes.items():
        if name not in _PLACES:
            raise InvalidSetting(f"{name}: no such setting; use one of {list(_PLACES)}", name)
        if name == "ppo_steps":
            settings["ppo"] = with_steps(settings["ppo"], value)
        else:
            *sections, field = _PLACES[name]
            (settings[sections[0]] if sections else settings)[field] = value
    return checked(settings)


def _impossible(config: Config, changes: Mapping[str, Any]) -> set[str]:
    """Ids of a profile's reward models that cannot be made after the changes, which may be invalid."""
    models = config.reward_models
    try:
        categories = TypeAdapter(list[str]).validate_python(changes.get("categories", config.prompts.categories))
        rates = TypeAdapter(list[float]).validate_python(changes.get("flip_rates", models.flip_rates))
    except ValidationError:
        return set()  # refused later
    gone = {other.reward_model_id for other in models.others if other.category not in (None, *categories)}
    gone |= {f"flip-{rate:.2f}" for rate in models.flip_rates} - {f"flip-{rate:.2f}" for rate in rates}
    return gone | {other.reward_model_id for other in models.others if gone.intersection(other.members or ())}


def _leave_out(names: set[str], settings: dict[str, Any]) -> None:
    """Take these reward models out of a profile's settings, also where they are listed."""
    if not names:
        return
    models, ppo = settings["reward_models"], settings["ppo"]
    others = [OtherRewardModel.model_validate(other) for other in models["others"]]
    models["others"] = [other.model_dump(mode="json") for other in others if other.reward_model_id not in names]
    for section in (ppo, *ppo["each"].values()) if ppo else ():
        for setting in ("reward_models", "sweep_reward_models"):
            left = [name for name in section.get(setting, ()) if name not in names]
            if left:  # an empty list would mean all
                section[setting] = left


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
        # the only other cause: all reward models that the profile lists for policies are among the removed
        raise InvalidSetting(first.line, wrong[0] if wrong else "flip_rates") from error


def _check(profile: str) -> None:
    """A name that came from a page must not open any other file."""
    if profile not in profile_names():
        raise InvalidSetting(f"profile {profile!r} does not exist; use one of {profile_names()}", "profile")


def with_steps(settings: dict[str, Any] | None, steps: Any) -> dict[str, Any] | None:
    """Settings of optimisers with another number of steps; None for `NO_PPO`."""
    if steps == NO_PPO:
        return None
    settings = settings or PPOSettings().model_dump(mode="json")
    if not isinstance(steps, int):
        return {**settings, "steps": steps}  # refused by the validation

    def ending(checkpoints: Sequence[int]) -> list[int]:
        return [*(step for step in checkpoints if step < steps), steps]

    each = {
        algorithm: {**own, "checkpoints": ending(own["checkpoints"])} if _follows(own) else own
        for algorithm, own in settings["each"].items()
    }
    return {**settings, "steps": steps, "checkpoints": ending(settings["checkpoints"]), "each": each}


def _follows(own: Mapping[str, Any]) -> bool:
    """Whether an algorithm has checkpoints of its own, but the steps of all."""
    return "checkpoints" in own and "steps" not in own
