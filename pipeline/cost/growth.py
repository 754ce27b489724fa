"""What it takes to grow a finished run: more reward models by `righttree extend`, more prompts in a new run.

Seconds are scaled from those that the run itself took, as its row of table `run` has them: so they are the same on
every machine, and those of the machine that made the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from pipeline.config import Config, validated
from pipeline.cost.estimate import Finished, in_place, of_new
from pipeline.errors import PipelineError

MOST_ADDED = 20
"""Reward models that one command adds at most."""

_FEWEST_PROMPTS = 2
"""Of a category and purpose."""


@dataclass(frozen=True)
class Growth:
    """A run as it was, and what more of it takes."""

    run_id: str
    old: Finished

    @staticmethod
    def of(run: Mapping[str, Any]) -> Growth | None:
        """Of a row of table `run`; None if its settings are no profile, as those of an import."""
        try:
            config = validated(json.loads(run["config"]), "the run's settings")
            stages = json.loads(run["timings"])
        except (PipelineError, ValueError):
            return None
        return Growth(run["run_id"], Finished(f"run {run['run_id']}", config, stages, dict)) if stages else None

    def command(self, reward_models: int, most_flipped: float = 1.0) -> str | None:
        """The command that adds this number of reward models, their flip rates spread over those not used yet."""
        rates = self._rates(reward_models, most_flipped)
        options = " ".join(f"--flip-rate {rate:.2f}" for rate in rates or ())
        return f"righttree extend {self.run_id} {options}" if rates else None

    def seconds_of_models(self, reward_models: int, most_flipped: float = 1.0) -> float | None:
        """How long adding this number takes; None if the run's stages cannot tell, or it is more than can be added."""
        rates = self._rates(reward_models, most_flipped)
        grown = self._grown({"reward_models": {"flip_rates": [*self._used(), *rates]}}) if rates else None
        return in_place(self.old, grown).wall_s if grown else None

    def per_category(self, rm_times: float, rl_times: float) -> dict[str, int]:
        """The settings of a run with `rm_times` the RM-test and `rl_times` the RL-test prompts of this one."""
        prompts = self.old.config.prompts
        both = (("rm_test_per_category", rm_times), ("rl_test_per_category", rl_times))
        return {name: ceil(round(times * getattr(prompts, name), 6)) for name, times in both}

    def has_prompts(self, rm_times: float, rl_times: float) -> bool:
        """Whether the run's source of prompts has enough prompts for that."""
        return self._seconds_of_new(self.per_category(rm_times, rl_times), ()) is not None

    def seconds_of_new(self, rm_times: float, rl_times: float, reward_models: int = 0) -> float | None:
        """How long a new run with more prompts and reward models takes; None if unknown.

        It is linear in the prompts of either side, so that it can be told of more prompts than there are.
        """
        rates = self._rates(reward_models)
        now = self._seconds_of_new(self.per_category(1.0, 1.0), rates)
        if now is None or len(rates) < reward_models:
            return None
        seconds = now
        for side, times in (("rm_test_per_category", rm_times), ("rl_test_per_category", rl_times)):
            whole = self.per_category(1.0, 1.0)
            other = whole[side] // 2 if whole[side] >= 2 * _FEWEST_PROMPTS else 2 * whole[side]
            then = self._seconds_of_new(whole | {side: other}, rates)
            if then is None:
                return None
            seconds += (times - 1.0) * (now - then) * whole[side] / (whole[side] - other)
        return seconds

    def _seconds_of_new(self, prompts: Mapping[str, int], rates: Sequence[float]) -> float | None:
        grown = self._grown({"prompts": prompts, "reward_models": {"flip_rates": [*self._used(), *rates]}})
        try:
            return of_new(self.old, grown).wall_s if grown else None
        except PipelineError:
            return None

    def _used(self) -> list[float]:
        return list(self.old.config.reward_models.flip_rates)

    def _rates(self, amount: int, most_flipped: float = 1.0) -> Sequence[float]:
        """New flip rates in whole percent, evenly spread; empty if there are not enough."""
        used = {f"{rate:.2f}" for rate in self._used()}
        most = round(100 * min(max(self._used()), most_flipped))
        free = [percent / 100 for percent in range(most) if f"{percent / 100:.2f}" not in used]
        if not 0 < amount <= min(MOST_ADDED, len(free)):
            return ()
        places = np.linspace(0, len(free) - 1, amount + 2)[1:-1] if amount + 2 <= len(free) else range(amount)
        return [free[round(float(place))] for place in places]

    def _grown(self, changes: Mapping[str, Mapping[str, Any]]) -> Config | None:
        settings = self.old.config.model_dump(mode="json")
        try:
            return validated({**settings, **{name: settings[name] | dict(new) for name, new in changes.items()}}, "")
        except PipelineError:
            return None
