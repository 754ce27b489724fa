"""Hostile input that aims at a run's settings: profiles as files, and what a page's form sends."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from random import Random

from pipeline.config import Config, load_profile, profile_names, validated
from pipeline.runs import jobs
from tests.reliability.hostile.cases import hostile_text, hostile_value, mutated, refused

PROFILES = {
    name: (resources.files("pipeline") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    for name in profile_names()
}
_VALUES = ("nan", "inf", "-inf", "-1", "0", "9" * 30, "9" * 5000, "1e308", "1e-320", "0.30000000000000004", "true")
_VALUES += ('""', '"../../x"', '"a\\u0000b"', "'''\n\n'''", "[]", "[[]]", "{}", "{a = 1}", "1979-05-27T07:32:00Z")
_VALUES += ("[0.1, 0.1]", "[1, 2, 3]", '["Chat", "Chat"]', "[" * 90 + "]" * 90, "[" * 5000 + "]" * 5000)
_SETTINGS = ("seed", "rl_test_samples", "ppo_steps", "flip_rates", "categories", "policy", "ppo", "__class__")


def load_file(rng: Random, place: Path) -> bool:
    """A profile of the package with some values replaced by hostile ones, or mutated byte by byte."""
    text = PROFILES[rng.choice(sorted(PROFILES))]
    path = place / "profile.toml"
    path.write_bytes(_replaced(rng, text).encode() if rng.random() < 0.6 else mutated(rng, text.encode()))
    found: list[Config] = []
    if refused(lambda: found.append(load_profile(str(path)))) is not None:
        return False
    _check_whole(found[0])
    return True


def _replaced(rng: Random, text: str) -> str:
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    for place in rng.sample(places, rng.randint(1, 3)):
        value = rng.choice([*_VALUES, lines[rng.choice(places)].partition("=")[2]])
        lines[place] = f"{lines[place].partition('=')[0]}={value}"
    return "\n".join(lines)


def change_settings(rng: Random, place: Path) -> bool:
    """Settings as a page's session might send them."""
    changes = {rng.choice(_SETTINGS): hostile_value(rng) for _ in range(rng.randint(1, 3))}
    profile = rng.choice([*PROFILES, hostile_text(rng)])
    found: list[Config] = []
    if refused(lambda: found.append(jobs.configured(profile, changes))) is not None:
        return False
    _check_whole(found[0])
    return True


def _check_whole(config: Config) -> None:
    """A config that was accepted means the same once it was written, and what is worked out from it exists."""
    assert validated(config.model_dump(mode="json"), "again") == config
    assert Config.model_validate_json(config.model_dump_json()) == config
    assert config.best_of_n[0] == 1
    assert len(config.reward_models.ids) == len(set(config.reward_models.ids)) >= 2
