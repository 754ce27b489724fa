"""What the dashboard asks of a run of best-of-n, by the reads and measures that its pages call, timed one by one.

What a page keeps is kept: the scores, the values of the policies, a measure's values prompt by prompt. A changed
control then costs what it changes, and every round asks for what was never asked before.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.apart import here
from tests.warehouse.study.simulate import evaluate_each
from warehouse import reads, store
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.schema import CATEGORIES
from warehouse.study import PromptValues, TestSet, prepare

_MEASURES = ("spearman", "kendall", "pearson", "bo_r", "ndcg", "mrr")


@dataclass
class Timed:
    """Seconds of each round of an action, its greatest memory, and why it could not be done, if it could not."""

    name: str
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    refused: str = ""

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


class Explorer:
    """A session that looks at one run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, run_id: str, rounds: int) -> None:
        self.timed: list[Timed] = []
        self._connection, self._run, self._rounds = connection, run_id, rounds

    def explore(self) -> None:
        """Open the run, then change one control after the other."""
        ask = self._ask
        ask("what can be chosen: sources, prompts, strengths", lambda _: self._choices(), 1)
        cube: ScoreCube = ask("scores of the RM-test responses", lambda _: self._cube(), 1)
        if cube is None:
            return
        _, P, R = cube.scores_MPR.shape
        samples: ScoreCube = ask("scores of the RL-test samples", lambda _: self._samples(), 1)
        if samples is None:
            return
        self._kept = samples
        values: PolicyValues = ask("values of the policies at the greatest strength", lambda _: self._values(0), 1)
        prepared: PromptValues = ask("accuracy, prompt by prompt", lambda _: prepare(cube, "accuracy"), 1)
        if values is None or prepared is None:
            return

        def evaluate(test_set: TestSet, made: PromptValues, of: PolicyValues = values, **more: Any) -> Any:
            return evaluate_each(cube, of, [test_set], measure=made.measure.name, prepared=[made], **more)

        def measured(test_set: TestSet, measure: str = "accuracy") -> Any:
            return evaluate(test_set, prepare(cube, measure, test_set))

        ask("accuracy against NDR, with intervals", lambda _: evaluate(TestSet(), prepared), 1)
        ask("changed: categories", lambda k: evaluate(TestSet(categories=(CATEGORIES[k % 4],)), prepared))
        ask("changed: prompts", lambda k: evaluate(TestSet(prompts=P // 2 + k), prepared))
        ask("changed: RL-test categories", lambda k: evaluate(TestSet(), prepared, rl_categories=(CATEGORIES[k % 4],)))
        ask("changed: responses per prompt", lambda k: measured(TestSet(responses=max(2, R - 1 - k))))
        ask("changed: annotation noise", lambda k: measured(TestSet(noise=0.1 + 0.05 * k)))
        ask("changed: measure", lambda k: measured(TestSet(), _MEASURES[k % len(_MEASURES)]))
        ask("changed: strength", lambda k: evaluate(TestSet(), prepared, self._values(1 + k)))
        ask("changed: a pair laid open", lambda k: self._picks(*cube.reward_models[k : k + 2]))
        ask("changed: a word searched for", lambda k: self._search(("number", "write", "which")[k % 3]))
        ask("all strengths at once (Overoptimisation)", lambda _: self._curves(), 1)

    def _ask(self, name: str, action: Callable[[int], Any], rounds: int | None = None) -> Any:
        """The result of the last round; None where the machine refused."""
        timed = Timed(name)
        self.timed.append(timed)
        found = None
        for number in range(rounds or self._rounds):
            del found
            try:
                measured = here(action, number)
            except (MemoryError, duckdb.OutOfMemoryException):
                timed.refused = "more memory than a step may hold"
                return None
            timed.seconds.append(measured.seconds)
            timed.peak_bytes = max(timed.peak_bytes, measured.peak_bytes)
            found = measured.found
            print(f"{name}: {measured.seconds:.2f} s, {measured.peak_bytes / 2**30:.2f} GiB", file=sys.stderr)
            del measured
        return found

    def _choices(self) -> None:
        reads.scores.sources(self._connection, self._run)
        reads.runs.prompts(self._connection, self._run)
        reads.policies.strengths(self._connection, self._run)

    def _cube(self) -> ScoreCube:
        return reads.scores.score_cube(self._connection, self._run)

    def _values(self, below: int) -> PolicyValues:
        strengths = reads.policies.strengths(self._connection, self._run)["strength"].to_list()
        return reads.values.policy_values(
            self._connection, self._run, "bon", strengths[-1 - below % len(strengths)], samples=lambda: self._kept
        )

    def _picks(self, golden: str, proxy: str) -> Any:
        n = self._kept.scores_MPR.shape[2]
        return reads.responses.picks(self._connection, self._run, golden, proxy, n, limit=1_000_000, samples=self._kept)

    def _samples(self) -> ScoreCube:
        return reads.scores.initial_scores(self._connection, self._run, "rl_test")

    def _search(self, word: str) -> Any:
        return reads.responses.search_prompts(self._connection, self._run, "rl_test", text=word)

    def _curves(self) -> Any:
        return reads.values.value_curves(self._connection, self._run, "bon", samples=lambda: self._kept)


def explored(home: Path, run_id: str, rounds: int) -> list[Timed]:
    """All actions on the published warehouse."""
    with store.open_read_only(home) as connection:
        explorer = Explorer(connection, run_id, rounds)
        explorer.explore()
    return explorer.timed
