"""The subcommands of `righttree`: each module adds its own, with their options and what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

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
