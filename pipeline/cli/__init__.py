"""The subcommands of `righttree` by what they are for: each module adds its own, options and what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol


class Command(Protocol):
    """Adds a subcommand: its name, what it does in a line, and what does it, which returns the exit code."""

    def __call__(
        self, name: str, does: str, handler: Callable[[argparse.Namespace], int], /
    ) -> argparse.ArgumentParser: ...
