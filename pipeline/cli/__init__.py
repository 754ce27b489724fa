"""The subcommands of `righttree`: each module adds its own, with their options and what they do."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import InvalidConfig, InvalidSetting
from warehouse import files
from warehouse.terminals import on_one_line

AddCommand = Callable[[str, str, str, Callable[[argparse.Namespace], int]], argparse.ArgumentParser]
"""Adds a subcommand: its name, what it does, an example, and its function, which returns the exit code."""


def add_option(
    parser: argparse._ActionsContainer,
    name: str,
    metavar: str,
    about: str,
    kind: Callable[[str], Any] = str,
    **settings: Any,
) -> None:
    """Add an option that takes a value of a type; its default goes into its help, unless `about` says it already."""
    default = settings.get("default")
    about += "" if default in (None, ()) or "(default" in about else f" (default: {default})"
    parser.add_argument(name, metavar=metavar, type=kind, help=about, **settings)


def check_target(option: str, path: Path | None) -> None:
    """Raise InvalidConfig, before anything is computed, for a file that cannot be written: `option` is what named it.

    Its folder is missing, or it is itself a folder, a pipe or a device.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise InvalidConfig(f"{option} {path}: there is no folder {path.parent}; make it first")
    kind = "a folder" if path.is_dir() else files.special(path)
    if kind:
        raise InvalidConfig(f"{option} {path}: it is {kind}; name a file")


def in_options(error: Exception | str, parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """An error that names a setting, with the option in its place that sets it.

    `rank_bins is 9; …` becomes `--rank-bins is 9; …`. A name with an underscore is a setting's wherever it is; another
    one only at the begin of a part of the message, and if `words`, the command line, have the option. An InvalidSetting
    says whose setting is wrong, so that its option stands before a message that does not name it.
    """
    message = on_one_line(str(error))
    setting_of = error.setting.rpartition(".")[2] if isinstance(error, InvalidSetting) else None
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    for action in parser._actions:
        options = [name for name in action.option_strings if name.startswith("--")]
        option = next((name for name in options if name in given), "")
        for name in (action.dest, *_ALSO.get(action.dest, ())):
            setting = rf"(?:[a-z_]+\.)*{name}(?:\.[0-9]+)*"
            if option:
                message = re.sub(rf"(^|: |, ){setting}(?=: | is |=)", rf"\1{option}", message)
            if "_" in name and options:
                message = re.sub(
                    rf"(?<!column )(?<![\w'\"`./-]){setting}(?![\w'\"`./-])", option or options[0], message
                )
        if option and action.dest == setting_of and option not in message:
            message = f"{option}: {message}"
    return message


_ALSO = {"kl": ("KL",), "strength": ("n",), "others": ("reward_models",)}
"""Other names that errors have for the setting of an option."""
