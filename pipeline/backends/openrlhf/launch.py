"""How OpenRLHF is started: by an interpreter of its own environment, here or as a job of a Ray cluster.

`RIGHTTREE_OPENRLHF_PYTHON` names the interpreter, in whose environment OpenRLHF is installed (it pins its own versions
of everything). With `RIGHTTREE_OPENRLHF_RAY`, the address of a cluster's dashboard, the command is submitted to it: the
interpreter and the run's folder have to be at the same paths on its machines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.backends.openrlhf.arguments import MODULE, VERSION, Places, train_ppo_arguments
from pipeline.config import Config
from pipeline.errors import InvalidConfig, ModelUnavailable

PYTHON = "RIGHTTREE_OPENRLHF_PYTHON"
RAY = "RIGHTTREE_OPENRLHF_RAY"
_ASK = "from importlib.metadata import version; print(version('openrlhf'))"
_ANSWER_S = 120
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,-]*")


@dataclass(frozen=True)
class Launch:
    """The interpreter, and the cluster's address, None for this machine."""

    python: str
    ray_address: str | None = None

    def command(self, arguments: Sequence[str], job: str) -> tuple[list[str], list[str] | None]:
        """The command, a list of arguments, and what stops its work elsewhere; `job` names it there.

        Raises InvalidConfig where an argument would not reach a job as it is: Ray hands it to a shell.
        """
        train = [self.python, "-m", MODULE, *arguments]
        if self.ray_address is None:
            return train, None
        changed = next((argument for argument in train if not _PLAIN.fullmatch(argument)), None)
        if changed is not None:
            raise InvalidConfig(
                f"{changed!r} cannot be given to a job of Ray: use paths of letters, digits and _./:=@%+,- alone"
            )
        ray = [self.python, "-m", "ray.scripts.scripts", "job"]
        to = [f"--address={self.ray_address}"]
        return [*ray, "submit", *to, f"--submission-id={job}", "--", *train], [*ray, "stop", *to, job]


def launch() -> Launch:
    """As the environment says. Raises ModelUnavailable where there is no such OpenRLHF."""
    python = os.environ.get(PYTHON, "")
    found = shutil.which(python) if python else None
    remedy = f"install it in an environment of its own and set {PYTHON} to that environment's python"
    if found is None:
        said = f"{PYTHON} is {python!r}, which is no program" if python else f"{PYTHON} is not set"
        raise ModelUnavailable(f"engine 'openrlhf' needs OpenRLHF {VERSION}: {said}; {remedy}")
    try:
        asked = subprocess.run([found, "-c", _ASK], capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(f"engine 'openrlhf': {found} does not answer ({error}); {remedy}") from error
    version = asked.stdout.strip()
    if asked.returncode or version != VERSION:
        raise ModelUnavailable(
            f"engine 'openrlhf' needs OpenRLHF {VERSION}, got {version or 'none'} in {found}; {remedy}"
        )
    return Launch(found, os.environ.get(RAY) or None)


def require_engine(config: Config) -> None:
    """Raises, before a run is started, what OpenRLHF would raise at the end of it: it is not here, or cannot follow."""
    if config.ppo is None or config.ppo.engine != "openrlhf":
        return
    launch()
    for algorithm in config.ppo.algorithms:
        train_ppo_arguments(config, some_places(algorithm), algorithm=algorithm)


def some_places(algorithm: str) -> Places:
    """Places that stand for those of a run, to see whether its settings can be followed, or what they come to."""
    critic = "REWARD_MODEL" if algorithm == "ppo" else None
    return Places("POLICY", "REWARD_MODEL", Path("/RUN/prompts.jsonl"), Path("/RUN/checkpoints"), critic)
