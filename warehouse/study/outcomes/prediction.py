"""How well a measure predicts an outcome over reward models, with intervals that know the errors of both.

docs/method.md, "Outcomes". Each reward model is one point: the measure's mean over goldens against its outcome. The
intervals are those of `study.correlation`, on the altered studies of `stats.resampling`: each reward model left out,
the prompts drawn again, normal errors added to the outcome once, twice and three times, from which its own error is
taken off by extrapolation, and outcomes renamed at random. The outcome's error is independent from one reward model to
the next, so that what it adds to the spread is already in what leaving out reward models shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet, chosen_prompts
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import NOTHING, Estimate, Floats
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows, rows_for
from warehouse.study.correlation import Correlation, correlation
from warehouse.study.outcomes.correlated import CORRELATIONS, altered_outcome, figures
from warehouse.study.outcomes.measured import mean_over_goldens
from warehouse.study.outcomes.outcome import FEWEST, Outcome
from warehouse.study.together import all_at_once, groups

_UNDEFINED = Correlation(value=None, low=None, high=None, replicates=0)
_FEWEST_DRAWN = 2


@dataclass(frozen=True)
class Prediction:
    """How well one measure predicts an outcome over K reward models.

    `value_K` is the measure's mean over goldens with its 95 % interval over prompts, `low_K` to `high_K`. Each of
    `correlations` is about *this test set* against the true outcome: the outcome's own error is taken off as far as it
    is known, the noise of the test set belongs to the answer; with `measure_itself` that is taken off as well.
    `without` are the plain correlations with each reward model left out, `[K]`, NaN where undefined. Below `FEWEST`
    reward models correlations are undefined.
    """

    measure: str
    outcome: Outcome
    value_K: Floats
    low_K: Floats
    high_K: Floats
    correlations: Mapping[str, Correlation]
    without: Mapping[str, Floats]
    prompts_used: int
    replicates: int
    seed: int

    @property
    def reward_models(self) -> tuple[str, ...]:
        """Names of axis K."""
        return self.outcome.reward_models

    def influential(self, name: str) -> str | None:
        """The reward model without which a plain correlation changes most; None if there is no correlation."""
        sample, without_K = self.correlations[name].sample.value, self.without[name]
        if sample is None or np.isnan(without_K).all():
            return None
        return self.reward_models[int(np.nanargmax(np.abs(without_K - sample)))]


class Difference(NamedTuple):
    """A measure's paired difference from the second measure, its p-value, and the measure's groups.

    Interval and p-value hold for all measures at once; measures with a group in common cannot be told apart.
    """

    estimate: Estimate
    p_value: float | None
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Board:
    """Several measures against one outcome, in the same altered studies.

    `differences` are those of plain correlations from that of the measure `second`, by correlation, then measure; the
    second itself has its groups alone.
    """

    predictions: Mapping[str, Prediction]
    second: str
    differences: Mapping[str, Mapping[str, Difference]]


def predict(
    cube: ScoreCube,
    outcome: Outcome,
    measure: str = "accuracy",
    *,
    test_set: TestSet | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Prediction:
    """One measure on a test set against an outcome; arguments and what is raised as in `predict_all`."""
    board = predict_all(cube, outcome, (measure,), measure, test_set=test_set, replicates=replicates, seed=seed)
    return board.predictions[measure]


def predict_all(
    cube: ScoreCube,
    outcome: Outcome,
    measures: Sequence[str],
    second: str,
    *,
    test_set: TestSet | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Mapping[str, PromptValues] | None = None,
) -> Board:
    """Every measure on a test set against an outcome, and each compared with the `second` one.

    The truth is each of the cube's goldens in turn; `prepared` are values of all prompts by measure. Raises
    UnknownName and InvalidChoice for choices that the scores cannot satisfy, and InvalidChoice if fewer than two
    proxies have an outcome.
    """
    choice = test_set or TestSet()
    prompts = chosen_prompts(cube, choice)
    names = tuple(dict.fromkeys((*measures, second)))
    ready = dict(prepared or {})
    if missing := [name for name in names if name not in ready]:
        ready |= prepare_all(cube, missing, choice)
    roles = cube.roles
    judged_K = _judged(cube, outcome)
    chosen = outcome.of([cube.reward_models[k] for k in judged_K])
    K = len(judged_K)
    rows = rows_for((True,) * K, (True,) * K, replicates, seed)
    outcome_BK = altered_outcome(chosen, rows, seed)
    predictions: dict[str, Prediction] = {}
    by_measure: dict[str, Mapping[str, Figure]] = {}
    for name in names:
        measured = mean_over_goldens(ready[name], prompts, roles=roles, judged_K=judged_K, rows=rows, seed=seed)
        by_measure[name] = figures(measured.values_BK, measured.defined_BK, outcome_BK, rows)
        low_K, high_K = bootstrap.interval(measured.drawn_DK)
        value_K = np.where(measured.defined_BK[0], measured.values_BK[0], np.nan)
        predictions[name] = Prediction(
            measure=name,
            outcome=chosen,
            value_K=value_K,
            low_K=low_K,
            high_K=high_K,
            correlations={
                figure: correlation(rows, figure, by_measure[name][figure], 1.0, NOTHING) if K >= FEWEST else _UNDEFINED
                for figure in CORRELATIONS
            },
            without={figure: _without(rows, by_measure[name][figure]) for figure in CORRELATIONS},
            prompts_used=len(prompts),
            replicates=replicates,
            seed=seed,
        )
    return Board(predictions, second, _compared(by_measure, second, rows, seed) if K >= FEWEST else {})


def _judged(cube: ScoreCube, outcome: Outcome) -> NDArray[np.int64]:
    """The numbers of the proxies that have the outcome."""
    has_one = np.array([name in outcome.reward_models for name in cube.reward_models], dtype=bool)
    judged_K = np.flatnonzero(has_one & cube.roles.pairs_MM.any(axis=0))
    if len(judged_K) < _FEWEST_DRAWN:
        raise InvalidChoice(
            f"{len(judged_K)} reward models of the run have the outcome {outcome.name!r}; a correlation takes {FEWEST}"
        )
    return judged_K


def _without(rows: Rows, figure: Figure) -> Floats:
    value, defined = figure
    return np.where(defined, value, np.nan)[rows.left_out]


def _compared(
    by_measure: Mapping[str, Mapping[str, Figure]], second: str, rows: Rows, seed: int
) -> dict[str, dict[str, Difference]]:
    compared: dict[str, dict[str, Difference]] = {}
    others = [name for name in by_measure if name != second]
    for figure in CORRELATIONS:
        of_figure = {name: by_measure[name][figure] for name in by_measure}
        value, defined = of_figure[second]
        pairs = [(of_figure[name][0] - value, of_figure[name][1] & defined) for name in others]
        together = all_at_once(rows, pairs, seed)
        alike = dict(zip(of_figure, groups(rows, list(of_figure.values()), seed), strict=True))
        by_name = dict(zip(others, zip(together.differences, together.p_values, strict=True), strict=True))
        compared[figure] = {name: Difference(*by_name.get(name, (NOTHING, None)), alike[name]) for name in by_measure}
    return compared
