"""`righttree measure --outcome NAME`: how well measures predict an outcome of the reward models, as text or JSON.

The names in the JSON, whose `schema` is `outcome`, are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import InvalidConfig
from warehouse.formats import count, percent
from warehouse.metrics.catalogue import CORRELATION_WORDS, MEASURES, measure_named
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import TestSet
from warehouse.stats.bootstrap import Estimate
from warehouse.study.correlation import cautions
from warehouse.study.outcomes import CORRELATIONS, FEWEST, Board, Outcome, Prediction, predict_all
from warehouse.terminals import on_one_line

Result = dict[str, Any]

SCHEMA, SCHEMA_VERSION = "outcome", 1
PLAIN = "accuracy"
"""The measure that all others are compared with."""

_MEANING = (
    "true outcome: how well the measure, on a test set of this size, predicts the outcome without its own error, as",
    "  far as that error is known",
    "the measure itself: the same with unlimited RM-test prompts",
    "plain: the correlation of the figures as they are",
)
_CELL = 24


def report(run_id: str, cube: ScoreCube, outcome: Outcome, test_set: TestSet, choice: argparse.Namespace) -> str:
    """What to print. Raises UnknownName and InvalidChoice, and InvalidConfig for options that do not go together."""
    if choice.export:
        raise InvalidConfig("--export writes pairs of reward models; for an outcome print --json into a file")
    names, second = _measures(choice)
    board = predict_all(cube, outcome, names, second, test_set=test_set, replicates=choice.replicates, seed=choice.seed)
    result = as_json(run_id, cube, board, choice)
    return json.dumps(result) if choice.json else _text(on_one_line(result))


def _measures(choice: argparse.Namespace) -> tuple[tuple[str, ...], str]:
    """The measures to print, and the one that the others are compared with."""
    if choice.compare:
        names = tuple(name.strip() for name in choice.compare.split(","))
        if len(names) != 2:
            raise InvalidConfig(f"--compare {choice.compare!r}: give two measures, as in --compare spearman,accuracy")
        return (measure_named(names[0]).name, measure_named(names[1]).name), names[1]
    names = tuple(MEASURES) if choice.measure == "all" else (measure_named(choice.measure).name,)
    return names, PLAIN if choice.measure == "all" else names[0]


def as_json(run_id: str, cube: ScoreCube, board: Board, choice: argparse.Namespace) -> Result:
    """The public form of the board: plain lists and numbers, null where a figure is undefined."""
    first = next(iter(board.predictions.values()))
    roles = cube.roles
    goldens = [name for name, is_golden in zip(cube.reward_models, roles.goldens, strict=True) if is_golden]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "outcome": first.outcome.name,
        "reward_models": len(first.reward_models),
        "known_errors": first.outcome.known_errors,
        "reliability": first.outcome.reliability,
        "goldens": goldens,
        "source": choice.source,
        "paraphrase": choice.paraphrase,
        "rm_test_prompts": first.prompts_used,
        "replicates": first.replicates,
        "seed": first.seed,
        "second": board.second,
        "measures": [_measure(prediction, board) for prediction in board.predictions.values()],
    }


def _measure(prediction: Prediction, board: Board) -> Result:
    name = prediction.measure
    points = zip(
        prediction.reward_models,
        *(_numbers(values) for values in (prediction.value_K, prediction.low_K, prediction.high_K)),
        prediction.outcome.value_K.tolist(),
        (error or None for error in prediction.outcome.error_K.tolist()),
        strict=True,
    )
    keys = ("reward_model", "value", "low", "high", "outcome", "standard_error")
    return {
        "measure": name,
        **{figure: _correlation(prediction, board, figure) for figure in CORRELATIONS},
        "points": [dict(zip(keys, point, strict=True)) for point in points],
    }


def _correlation(prediction: Prediction, board: Board, figure: str) -> Result:
    own = prediction.correlations[figure]
    without = zip(prediction.reward_models, _numbers(prediction.without[figure]), strict=True)
    compared = board.differences.get(figure, {}).get(prediction.measure)
    return {
        **_estimate(own),
        "sample": _estimate(own.sample),
        "measure_itself": _estimate(own.measure_itself),
        "p_value": own.p_value,
        "without": dict(without) if own.value is not None else {},
        "influential": prediction.influential(figure),
        "difference": None if compared is None else {**_estimate(compared.estimate), "p_value": compared.p_value},
        "groups": [] if compared is None else list(compared.groups),
    }


def _estimate(estimate: Estimate) -> Result:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


# Text -----------------------------------------------------------------------------------------------------------------


def _text(result: Result) -> str:
    measures = result["measures"]
    lines = _heading(result)
    if result["reward_models"] < FEWEST:
        models = count(result["reward_models"], "reward model")
        lines.append(f"{models} with this outcome, fewer than {FEWEST}: nothing can be said about others")
    elif len(measures) == 1:
        lines += ["", f"  {'':<9} {_cells(('true outcome', 'the measure itself', 'plain'))}"]
        for name in CORRELATIONS:
            figure = measures[0][name]
            cells = (_interval(figure), _interval(figure["measure_itself"]), _interval(figure["sample"]))
            lines.append(f"  {name:<9} {_cells(cells)}")
        lines += ["", *_influence(measures[0]), *_MEANING]
    else:
        lines += ["", *_board(result), "", *_MEANING]
        lines.append(
            f"differences from {result['second']} are of plain τ, paired; intervals and p hold for all at once"
        )
    return "\n".join([*lines, "", *_points(measures[0])] if len(measures) == 1 else lines)


def _heading(result: Result) -> list[str]:
    measures = result["measures"]
    what = measures[0]["measure"] if len(measures) == 1 else count(len(measures), "measure")
    known, models = result["known_errors"], result["reward_models"]
    errors = "its own error is unknown, so nothing is taken off"
    if known:
        errors = f"standard errors of {known}, so {percent(result['reliability'] or 0.0)} of its variance is no error"
    goldens = result["goldens"]
    truth = goldens[0] if len(goldens) == 1 else f"each of {count(len(goldens), 'golden')} in turn, averaged"
    return [
        f"{what} against outcome {result['outcome']}, run {result['run']}",
        f"{count(models, 'reward model')}; {errors}",
        f"{count(result['rm_test_prompts'], 'RM-test prompt')}, responses of {result['source']}; the truth: {truth}",
        "95 % intervals by Student’s t from leaving out each reward model and drawing prompts again, "
        f"{result['replicates']} replicates",
        *cautions(models, 0),
    ]


def _influence(measure: Result) -> list[str]:
    kendall, symbol = measure["kendall"], CORRELATION_WORDS["kendall"].symbol
    lines = []
    if kendall["p_value"] is not None:
        lines.append(f"no prediction at all: p = {kendall['p_value']:.3f} (permutation test)")
    without = [value for value in kendall["without"].values() if value is not None]
    if without and kendall["influential"]:
        name = kendall["influential"]
        lines.append(
            f"with one reward model left out, plain {symbol} is from {_number(min(without))} to "
            f"{_number(max(without))}; the most influential is {name} ({_number(kendall['without'][name])} without it)"
        )
    return lines


def _board(result: Result) -> list[str]:
    ordered = sorted(result["measures"], key=lambda measure: -(measure["kendall"]["value"] or -2.0))
    lines = [f"  {'':<15} {_cells(('Kendall τ', 'without its weightiest', 'difference of plain τ'))} {'p':<6} groups"]
    for measure in ordered:
        kendall = measure["kendall"]
        difference = kendall["difference"] or {"value": None, "p_value": None}
        name = kendall["influential"]
        without = "" if name is None else f"{_number(kendall['without'][name])} ({name})"
        own = measure["measure"] == result["second"]
        cells = (_interval(kendall), without, "" if own else _interval(difference))
        p_value = "" if difference["p_value"] is None else f"{difference['p_value']:.3f}"
        letters = "".join(chr(ord("a") + group - 1) for group in kendall["groups"])
        lines.append(f"  {measure['measure']:<15} {_cells(cells)} {p_value:<6} {letters}".rstrip())
    return lines


def _points(measure: Result) -> list[str]:
    digits = MEASURES[measure["measure"]].digits
    width = max(len(point["reward_model"]) for point in measure["points"])
    lines = [f"  {'reward model':<{max(width, 12)}}  {measure['measure']:>26}  outcome"]
    for point in sorted(measure["points"], key=lambda point: -point["outcome"]):
        value = _interval(point, digits)
        error = "" if point["standard_error"] is None else f" ± {point['standard_error']:g}"
        lines.append(f"  {point['reward_model']:<{max(width, 12)}}  {value:>26}  {point['outcome']:g}{error}")
    return lines


def _cells(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:<{_CELL}}" for cell in cells)


def _interval(estimate: Result, digits: int = 3) -> str:
    if estimate["value"] is None:
        return "undefined"
    low, high = _number(estimate["low"], digits), _number(estimate["high"], digits)
    return f"{_number(estimate['value'], digits)}  [{low}, {high}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:z.{digits}f}"
