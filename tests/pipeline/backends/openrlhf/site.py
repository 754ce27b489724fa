"""An environment for tests in which a trainer stands in for OpenRLHF's, between OpenRLHF's own code out of its wheel.

What OpenRLHF's trainer does as a program before it trains, reading and checking the command line, is taken from the
source of its module, which needs the standard library alone.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from pipeline.backends.openrlhf.launch import MODULE, VERSION
from tests.pipeline.backends.openrlhf.wheel import source_of


def main_block(wheel: Path, module: str = MODULE) -> list[ast.stmt]:
    """What a trainer does as a program."""
    tests = [node for node in ast.parse(source_of(wheel, module)).body if isinstance(node, ast.If)]
    (main,) = (node for node in tests if ast.unparse(node.test) == "__name__ == '__main__'")
    return main.body


def up_to(body: list[ast.stmt], statement: str) -> ast.Module:
    """The statements before this one."""
    (end,) = (i for i, node in enumerate(body) if ast.unparse(node) == statement)
    return ast.Module(body[:end], type_ignores=[])


def site(wheel: Path, trainer: Path, folder: Path) -> Path:
    """An interpreter in whose environment `python -m openrlhf.cli.train_ppo_ray` is the trainer in that file.

    What it imports as `openrlhf.launch` is OpenRLHF's own reading and checking of the command line, and
    `openrlhf.utils.logging_utils` is its own log.
    """
    for name, text in {
        "openrlhf/__init__.py": "",
        "openrlhf/cli/__init__.py": "",
        "openrlhf/cli/train_ppo_ray.py": trainer.read_text(encoding="utf-8"),
        "openrlhf/utils/__init__.py": "",
        "openrlhf/utils/config.py": source_of(wheel, "openrlhf.utils.config"),
        "openrlhf/utils/logging_utils.py": source_of(wheel, "openrlhf.utils.logging_utils"),
        "openrlhf/launch.py": "import argparse\nfrom datetime import datetime\n"
        + ast.unparse(up_to(main_block(wheel), "train(args)")),
        f"openrlhf-{VERSION}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: openrlhf\nVersion: {VERSION}\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return python
