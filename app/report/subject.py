"""A reward model of a run with what it is judged by: what every part of a report card starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import polars as pl

from warehouse import reads
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import ScoreCube
from warehouse.reads.choice import task_of
from warehouse.stats.bootstrap import Estimate
from warehouse.store import Connection
from warehouse.study.choice.answer import Question, Task

Section = dict[str, Any]
Part = TypeVar("Part")

_SIDES = ("rm_test", "rl_test")


@dataclass(frozen=True)
class Subject:
    """A reward model of a run with what it is judged by; `cube` and `samples` are None where no scores were stored.

    `place` is its number among the scorers. `undefined` collects what has no figure, and why.
    """

    connection: Connection
    run_id: str
    name: str
    task: Task
    cube: ScoreCube | None
    samples: ScoreCube | None
    undefined: list[Section] = field(default_factory=list)

    @property
    def scorers(self) -> tuple[str, ...]:
        return tuple(self.models["reward_model_id"])

    @property
    def models(self) -> pl.DataFrame:
        return reads.runs.reward_models(self.connection, self.run_id)

    @property
    def place(self) -> int:
        return self.scorers.index(self.name)

    @property
    def judges(self) -> list[int]:
        """Numbers of the goldens that judge it: all but itself."""
        return [golden for golden in self.task.sides.goldens if golden != self.place]

    def lacks(self, what: str, why: str, number: int | None = None, of: int | None = None) -> None:
        """Note what has no figure: on how many (`number`) of how many prompts or the like; None: on all."""
        self.undefined.append({"what": what, "why": why, "count": number, "of": of})

    def attempt(self, what: str, compute: Callable[[], Part]) -> Part | None:
        """The part, or None where the run does not have what it takes, which is noted."""
        try:
            return compute()
        except InvalidChoice as error:
            self.lacks(what, str(error))
            return None


def subject(
    connection: Connection, run_id: str | None, name: str, goldens: tuple[str, ...] = (), seed: int = 0
) -> Subject:
    """The reward model of a run (None: the default one). Raises UnknownName, and InvalidChoice if nothing judges it."""
    run_id = reads.runs.named_or_default(connection, run_id)
    names = tuple(reads.runs.reward_models(connection, run_id)["reward_model_id"])
    if name not in names:
        raise UnknownName(f"run {run_id!r} has no reward model {name!r}; it has {', '.join(names)}")
    try:
        task = task_of(connection, run_id, Question(goldens=goldens), seed, least=1)
    except InvalidChoice as error:
        if goldens:
            raise
        raise InvalidChoice(f"{error}; or name the scorer that is the truth with --golden") from error
    if names.index(name) not in task.sides.candidates:
        judged = ", ".join(names[m] for m in task.sides.candidates)
        raise InvalidChoice(f"{name!r} counts as the truth here, so nothing judges it; report on one of {judged}")
    cube, samples = (_scores(connection, run_id, side) for side in _SIDES)
    about = Subject(connection, run_id, name, task, cube, samples)
    if not about.judges:
        raise InvalidChoice(f"{name!r} has nothing to be judged by; a report takes another scorer, such as labels")
    return about


def figure(estimate: Estimate | None) -> Section:
    """A figure and the ends of its 95 % interval; null where undefined."""
    if estimate is None:
        return {"value": None, "low": None, "high": None}
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _scores(connection: Connection, run_id: str, split: str) -> ScoreCube | None:
    try:
        return reads.scores.initial_scores(connection, run_id, split)
    except InvalidChoice:
        return None
