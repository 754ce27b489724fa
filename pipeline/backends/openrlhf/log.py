"""Reads OpenRLHF 0.11's output: the figures of each step become points of a training curve.

After every global step its trainer logs `✨ Global step 3: {'policy_loss': -0.01, …}`, a Python dict of floats, behind
the logger's prefix and, as the trainer is a Ray actor, behind Ray's, which may be coloured. Figures that the in-process
PPO records too get its names; the others keep theirs, with these exceptions:

- `reward`, `truncated` and `response_length` are left out: they are `rollout/…` once more, averaged over micro batches.
- `kl` becomes `kl_per_token`: it is the mean over a response's tokens, by the command's estimator, and ours is of a
  whole response. With a KL coefficient of 0 it and `logprobs_diff` are left out: OpenRLHF then logs 0, not measured.
- With a truncation score the logged rewards contain it, so they are `penalised_reward` and `penalised_reward_std`.

Its rewards are computed in bfloat16. The scores of checkpoints are the run's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config import PPOSettings
from pipeline.context import ProgressReport
from pipeline.runs.live_curve import LiveCurve

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEP = re.compile(r"Global step (\d+): \{(.*)\}")
_FIGURE = re.compile(r"'([^']+)': ([^,}]+)")
_ERROR = re.compile(
    r"^(?:\(.*? pid=\d+.*?\) )*"  # Ray's actor, and vLLM's process in it
    r"(?:ERROR [\d:. -]+ \[?\S+:\d+\] )?"  # a logger
    r"(\w+(?:\.\w+)*(?:Error|Exception|Interrupt)\b.*)"
)
_SUBMITTED = re.compile(r"Job '.*' submitted successfully")
_NAMES: Mapping[str, str] = {
    "rollout/reward_mean": "reward",
    "rollout/reward_std": "reward_std",
    "rollout/response_length_mean": "response_tokens",
    "policy_loss": "policy_loss",
    "critic_loss": "value_loss",
    "ppo_clip_ratio": "clip_share",
    "ppo_kl": "update_kl",
    "kl": "kl_per_token",
}
_TWICE = frozenset({"reward", "truncated", "response_length"})
_FROM_INITIAL = frozenset({"kl_per_token", "logprobs_diff"})
_TRUNCATED = "rollout/truncated_rate"
_MUST_BE_FINITE = ("reward", "penalised_reward", "policy_loss", "value_loss")
_LONGEST_REASON = 300


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
        if name in _TWICE:
            continue
        try:
            figures[_NAMES.get(name, name)] = float(value)
        except ValueError:  # a text
            continue
    if _TRUNCATED in figures:
        figures["finished_share"] = 1.0 - figures.pop(_TRUNCATED)
    return Step(int(match[1]), figures)


def measured(
    figures: Mapping[str, float], *, kl_coefficient: float, truncation_score: float | None
) -> dict[str, float]:
    """The figures under names that say what they are with these settings, without those that were not measured."""
    real = {name: value for name, value in figures.items() if kl_coefficient > 0 or name not in _FROM_INITIAL}
    if truncation_score is not None:
        real = {f"penalised_{name}" if name in ("reward", "reward_std") else name: real[name] for name in real}
    return real


def error_in(line: str) -> str | None:
    """The last line of a Python traceback, `RuntimeError: CUDA error…`, also in a log; None for any other line."""
    match = _ERROR.match(plain(line))
    return match[1] if match else None


class Diverged(Exception):
    """A reward or a loss that is not finite."""


class LastWords:
    """What explains a failure, of the lines that a trainer printed."""

    def __init__(self) -> None:
        self._first_error: str | None = None
        self._last_error: str | None = None
        self._last = "it printed nothing"

    @property
    def text(self) -> str:
        """The first error, which is the cause of those after it, and the last one; or else the last line."""
        first, last = self._first_error, self._last_error
        if first is None or last is None:
            return self._last[:_LONGEST_REASON]
        return first[:_LONGEST_REASON] + (f"; in the end {last[: _LONGEST_REASON // 2]}" if last != first else "")

    def line(self, text: str) -> None:
        """Take note of a line."""
        if plain(text):
            self._last = plain(text)
            error = error_in(text)
            if error is not None:
                self._first_error, self._last_error = self._first_error or error, error

    def forget_errors(self) -> None:
        """What was printed before did not end it."""
        self._first_error = self._last_error = None


class Listener:
    """Reads a trainer's lines: its steps go into the curve and the progress; `last_words` explain a failure.

    `settings` and `kl_coefficient` are those of the policy; they say what the figures mean.
    """

    def __init__(
        self, curve: LiveCurve, progress: ProgressReport, settings: PPOSettings, kl_coefficient: float
    ) -> None:
        self._curve, self._progress, self._settings = curve, progress, settings
        self._kl_coefficient = kl_coefficient
        points = curve.frame()["step"]
        self.steps_done = int(points.max()) + 1 if len(points) else 0  # type: ignore[arg-type]
        self.advanced = 0
        self.submitted = False
        """Whether a cluster accepted the job."""
        self._resumed = False
        self._words = LastWords()

    @property
    def last_words(self) -> str:
        """Why it failed, by what was printed since the last step."""
        return self._words.text

    def line(self, text: str) -> None:
        """Raises Diverged for a step with a figure that is not finite."""
        step = step_in(text)
        if step is not None:
            self._add(step)
        else:
            self._words.line(text)
            self.submitted = self.submitted or _SUBMITTED.search(plain(text)) is not None

    def _add(self, step: Step) -> None:
        self._words.forget_errors()
        if not self._resumed:
            self._curve.begin(step.number - 1)  # drops what a stopped process reported of this step and later ones
            self._resumed = True
        figures = measured(
            step.figures, kl_coefficient=self._kl_coefficient, truncation_score=self._settings.truncation_score
        )
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        self._curve.add(step.number - 1, finite)
        self.steps_done = step.number
        new = max(0, min(step.number, self._settings.steps) - self.advanced)
        self.advanced += new
        self._progress.advance(new)
        wrong = next((name for name in _MUST_BE_FINITE if name in figures and name not in finite), None)
        if wrong is not None:
            raise Diverged(f"{wrong} is {figures[wrong]} in step {step.number}")
