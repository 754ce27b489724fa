"""A Dockerfile's steps, and its build in a folder: every absolute path of the image is one below that folder.

What is not done: the base image is not pulled, users are not made, layers are not kept. The environment that is built
sees packages of the one that runs the tests, which `make` installed by the same constraints: those of the base install
or all of them. So what the Dockerfile installs beside the project itself is found and not downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
_PLACES = re.compile(r"(?<![\w./])/(?=(?:opt|build|data|home)\b)")


@dataclass(frozen=True)
class Stage:
    """One `FROM`: its image or the stage that it goes on from, and its steps as (instruction, rest of the line)."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str | None:
        """What the last step of a kind says; None where there is none."""
        return next((rest for found, rest in reversed(self.steps) if found == instruction), None)

    def command(self, instruction: str) -> list[str]:
        """The arguments of a CMD, ENTRYPOINT or HEALTHCHECK in its exec form."""
        said = self.last(instruction)
        assert said is not None, f"{self.name} has no {instruction}"
        return [str(argument) for argument in json.loads(said[said.index("[") :])]


def stages(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in their order."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    found: dict[str, Stage] = {}
    for line in filter(str.strip, lines):
        instruction, rest = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = rest.split()
            stage = found[name] = Stage(base, name)
        else:
            stage.steps.append((instruction, rest))
    return found


def ignored() -> list[str]:
    """The patterns of `.dockerignore`."""
    return [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


class Build:
    """A folder in which stages are built, one after another, with what the environment is after the last step.

    `packages` is the site-packages folder whose packages the built environment sees, `arguments` are the build's.
    """

    def __init__(self, folder: Path, packages: Path, arguments: Mapping[str, str]) -> None:
        self.folder = self.place = folder
        self.packages, self.arguments = packages, arguments
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RIGHTTREE_HOME")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the image has `python`
        self.environment = {**kept, "PATH": path}

    def below(self, text: str) -> str:
        """A step's text with the image's paths in the folder."""
        return _PLACES.sub(f"{self.folder}/", text)

    def do(self, stage: Stage, run: bool = True) -> str:
        """Do the steps of a stage, those of RUN if asked for; returns what they printed."""
        printed = []
        for instruction, rest in stage.steps:
            text = self.below(rest)
            if instruction == "WORKDIR":
                self.place = Path(text)
                self.place.mkdir(parents=True, exist_ok=True)
            elif instruction == "ARG":
                name, _, default = text.partition("=")
                self.environment[name] = self.arguments.get(name, default)
            elif instruction == "ENV":
                self._set(dict(pair.split("=", 1) for pair in shlex.split(text)))
            elif instruction == "COPY" and not text.startswith("--from="):
                self._copy(text.split())
            elif instruction == "RUN" and run:
                printed += [self._shell(command) for command in text.split("&&")]
        return "".join(printed)

    def _set(self, values: Mapping[str, str]) -> None:
        self.environment |= {name: Template(value).substitute(self.environment) for name, value in values.items()}

    def _copy(self, paths: Sequence[str]) -> None:
        *sources, target = paths
        names = [pattern.removeprefix("**/") for pattern in ignored()]
        for source in sources:
            found, place = ROOT / source, self.place / (source if target == "./" else target)
            if found.is_dir():
                shutil.copytree(found, place, ignore=shutil.ignore_patterns(*names), dirs_exist_ok=True)
            else:
                shutil.copy2(found, place)

    def _shell(self, command: str) -> str:
        done = self.run(["sh", "-ec", command])
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if "-m venv" in command:
            (site,) = (Path(command.split()[-1]) / "lib").glob("python*/site-packages")
            (site / "of-the-tests.pth").write_text(f"{self.packages}\n")
        return done.stdout

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A command in the environment and the folder as they are now."""
        return subprocess.run(
            command, cwd=self.place, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
