"""What OpenRLHF 0.11 prints of a step, as points of a training curve.

After every global step its trainer logs `✨ Global step 3: {'policy_loss': -0.01, …}`, a Python dict of floats, behind
the logger's own prefix and, as the trainer is a Ray actor, behind Ray's, which may be coloured. Names that the
in-process PPO records too become its names; the others stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEP = re.compile(r"Global step (\d+): \{(.*)\}")
_FIGURE = re.compile(r"'([^']+)': ([^,}]+)")
_ERROR = re.compile(r"^(?:\(.*? pid=\d+.*?\) )?(\w+(?:\.\w+)*(?:Error|Exception|Interrupt)\b.*)")
_NAMES: Mapping[str, str] = {
    "rollout/reward_mean": "reward",
    "rollout/reward_std": "reward_std",
    "rollout/response_length_mean": "response_tokens",
    "policy_loss": "policy_loss",
    "critic_loss": "value_loss",
    "ppo_clip_ratio": "clip_share",
    "ppo_kl": "update_kl",
}
_TRUNCATED = "rollout/truncated_rate"


@dataclass(frozen=True)
class Step:
    """Figures of the step that ended as the `number`-th, counted from 1."""

    number: int
    figures: Mapping[str, float]


def plain(line: str) -> str:
    """A line without colours."""
    return _ANSI.sub("", line).strip()


def step_in(line: str) -> Step | None:
    """The step that a line tells of; None for any other line."""
    found = _STEP.search(plain(line))
    if found is None:
        return None
    figures: dict[str, float] = {}
    for name, value in _FIGURE.findall(found[2]):
        try:
            figures[_NAMES.get(name, name)] = float(value)
        except ValueError:  # no figure, as a text would be
            continue
    if _TRUNCATED in figures:
        figures["finished_share"] = 1.0 - figures.pop(_TRUNCATED)
    return Step(int(found[1]), figures)


def error_in(line: str) -> str | None:
    """The last line of a Python traceback, `RuntimeError: CUDA error…`; None for any other line."""
    found = _ERROR.match(plain(line))
    return found[1] if found else None
