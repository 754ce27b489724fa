"""Profiles: TOML files of settings, loaded and validated, with an error in one line for the first wrong setting."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from pipeline.config.study import Config
from pipeline.errors import InvalidConfig, InvalidSetting

_FOLDER = resources.files("pipeline") / "profiles"


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
    if sampler is not None:
        policy = settings.setdefault("policy", {})
        if isinstance(policy, dict):  # the validation refuses anything else
            policy["sampler"] = sampler
    return validated(settings, f"profile {name}")


def validated(settings: object, origin: str) -> Config:
    """Settings as a Config; raises InvalidConfig in one line that names the setting."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        wrong = Wrong.of(error)
        raise InvalidConfig(f"{origin}: {wrong.name or 'settings'}: {wrong.message}; got {wrong.got}") from error


def valid(kind: Any, value: object, setting: str) -> Any:
    """A value as this model or annotated type. Raises InvalidSetting, in one line, that blames `setting`."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong = Wrong.of(error)
        raise InvalidSetting(f"{wrong.name or setting}: {wrong.line}", setting) from error


@dataclass(frozen=True)
class Wrong:
    """The first thing that a validation refused: its place, what is wrong with it, and its value as text."""

    where: tuple[str | int, ...]
    message: str
    value: Any

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        first = error.errors(include_url=False)[0]
        return cls(first["loc"], first["msg"].removeprefix("Value error, "), first["input"])

    @property
    def name(self) -> str:
        """`test.rl_test_samples`; empty where several settings together are wrong."""
        return ".".join(map(str, self.where))

    @property
    def got(self) -> str:
        """The value as text, at most 200 characters."""
        try:
            return f"{self.value!r:.200}"
        except ValueError:  # Python does not print integers of more than 4,300 digits
            return "a number of thousands of digits"

    @property
    def line(self) -> str:
        """What is wrong, with the value if it is a single one."""
        return f"{self.message}; got {self.got}" if isinstance(self.value, str | int | float) else self.message
