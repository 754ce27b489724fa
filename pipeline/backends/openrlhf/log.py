"""Reads OpenRLHF 0.11's output: the figures of each step become points of a training curve.

After every global step its trainer logs `✨ Global step 3: {'policy_loss': -0.01, …}`, a Python dict of floats, behind
the logger's prefix and, as the trainer is a Ray actor, behind Ray's, which may be coloured. Figures that the in-process
PPO records too get its names; the others keep theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.context import ProgressReport
from pipeline.runs.live_curve import LiveCurve

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
_MUST_BE_FINITE = ("reward", "policy_loss", "value_loss")


@dataclass(frozen=True)
class Step:
    """The figures of step `number`, counted from 1."""

    number: int
    figures: Mapping[str, float]


def plain(line: str) -> str:
    """A line without colours."""
    return _ANSI.sub("", line).strip()


def step_in(line: str) -> Step | None:
    """The step that a line reports; None for any other line."""
    match = _STEP.search(plain(line))
    if match is None:
        return None
    figures: dict[str, float] = {}
    for name, value in _FIGURE.findall(match[2]):
        try:
            figures[_NAMES.get(name, name)] = float(value)
        except ValueError:  # a text
            continue
    if _TRUNCATED in figures:
        figures["finished_share"] = 1.0 - figures.pop(_TRUNCATED)
    return Step(int(match[1]), figures)


def error_in(line: str) -> str | None:
    """The last line of a Python traceback, `RuntimeError: CUDA error…`; None for any other line."""
    match = _ERROR.match(plain(line))
    return match[1] if match else None


class Diverged(Exception):
    """A reward or a loss that is not finite."""


class Listener:
    """Reads a trainer's lines: its steps go into the curve and the progress; `last_words` explain a failure."""

    def __init__(self, curve: LiveCurve, progress: ProgressReport, steps: int) -> None:
        self._curve, self._progress, self._steps = curve, progress, steps
        points = curve.frame()["step"]
        self.steps_done = int(points.max()) + 1 if len(points) else 0  # type: ignore[arg-type]
        self.advanced = 0
        self._resumed = False
        self._error: str | None = None
        self._last = "it printed nothing"

    @property
    def last_words(self) -> str:
        """The last error that was printed, or else the last line."""
        return self._error or self._last

    def line(self, text: str) -> None:
        """Raises Diverged for a step with a figure that is not finite."""
        step = step_in(text)
        if step is not None:
            self._add(step)
        elif plain(text):
            self._error = error_in(text) or self._error
            self._last = plain(text)

    def _add(self, step: Step) -> None:
        if not self._resumed:
            self._curve.begin(step.number - 1)  # drops what a stopped process reported of this step and later ones
            self._resumed = True
        finite = {name: value for name, value in step.figures.items() if math.isfinite(value)}
        self._curve.add(step.number - 1, finite)
        self.steps_done = step.number
        new = max(0, min(step.number, self._steps) - self.advanced)
        self.advanced += new
        self._progress.advance(new)
        wrong = next((name for name in _MUST_BE_FINITE if name in step.figures and name not in finite), None)
        if wrong is not None:
            raise Diverged(f"{wrong} is {step.figures[wrong]} in step {step.number}")
