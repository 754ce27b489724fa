"""The Measures page against an outcome of the reward models that was measured elsewhere: Elo after DPO, a win rate, …

Each reward model is a point, so that correlations are over reward models, not over pairs.
"""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.frames import correlation_of, figures_of
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.charts import outcomes as charts
from app.charts.leaderboard import leaderboard
from app.components import columns, estimates, figure, formats, words
from app.components.formats import count, escape, interval, number, percent
from app.components.page_state import bound
from app.offers import Options
from app.state import Selection, Source
from app.views.measures.data import PLAIN_ITSELF
from warehouse.claims.verdict import compared
from warehouse.study import MEASURES, TestSet
from warehouse.study.outcomes import CORRELATIONS, FEWEST, Board, Prediction, predict_all

PLAIN = "accuracy_pair"
_NORMAL = 1.96
_NDR = "NDR"


def choice(chosen: Selection, names: tuple[str, ...]) -> None:
    """Draw what measures are set against: NDR, or one of the run's outcomes; nothing without outcomes."""
    if names:
        st.segmented_control(
            "Against",
            (_NDR, *names),
            required=True,
            format_func=lambda name: name if name == _NDR else f"outcome {name}",
            help="What a measure should predict: what policies lose (NDR), or what was measured elsewhere of policies "
            "that were trained with each reward model.",
            **bound(chosen, "outcome", chosen.outcome or _NDR, unset=_NDR),
        )


def show(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw every measure against the chosen outcome, then one of them point by point."""
    assert chosen.outcome is not None
    board = _board(snapshot, options.run, chosen.source(), chosen.test_set(), chosen.outcome)
    first = board.predictions[PLAIN]
    st.caption(what_is_shown(first, options))
    if len(first.reward_models) < FEWEST:
        models = count(len(first.reward_models), "reward model")
        st.info(f"{models} with this outcome, fewer than {FEWEST}: nothing can be said about others.")
    else:
        name = chosen.correlation if chosen.correlation in CORRELATIONS else CORRELATIONS[0]
        _all(board, name, options)
        st.selectbox(
            "Measure, point by point",
            options.measures,
            format_func=lambda measure: MEASURES[measure].title,
            width=320,
            **bound(chosen, "measure", chosen.measure),
        )
        st.markdown(finding(board.predictions[chosen.measure], name))
    _one(board.predictions[chosen.measure], chosen, options)


@heavy(60)
def _board(snapshot: Snapshot, run_id: str, source: Source, test_set: TestSet, outcome: str) -> Board:
    cube = warehouse.score_cube(snapshot, run_id, source)
    return predict_all(cube, warehouse.outcome(snapshot, run_id, outcome), tuple(MEASURES), PLAIN, test_set=test_set)


def _all(board: Board, name: str, options: Options) -> None:
    frame = rows(board, name)
    title = words.CORRELATIONS[name].title
    order = frame["title"].to_list()
    outcome = board.predictions[PLAIN].outcome.name
    shared: dict[str, Any] = {
        "columns": {**columns.leaderboard(title), "policies": None, "ceiling": None, "of_ceiling": None},
        "facts": {"run": options.run, "outcome": outcome},
    }
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            figure.show(
                "outcome-leaderboard",
                leaderboard(frame, order, "value", f"{title} with {outcome}"),
                frame,
                title=f"Correlation with {escape(outcome)}",
                note="Dot: about the true outcome, with its 95% interval; ring: plain. Measures with a letter in "
                "common cannot be told apart, all pairs compared at once.",
                alt=f"{title} of every measure with the outcome {outcome}, with intervals",
                file_name=f"{options.run}-outcome-leaderboard",
                **shared,
            )
        with right:
            figure.show(
                "outcome-differences",
                leaderboard(frame, order, "difference", f"Difference of {words.CORRELATIONS[name].symbol}"),
                frame,
                title="Against plain accuracy",
                note="Differences of the plain correlations on the same reward models and prompts. Intervals hold for "
                "all measures at once; right of the dashed line is better.",
                alt=f"Difference of every measure's {title} from that of accuracy on one pair, with intervals",
                file_name=f"{options.run}-outcome-differences",
                **shared,
            )


def _one(prediction: Prediction, chosen: Selection, options: Options) -> None:
    measure, outcome = MEASURES[prediction.measure], prediction.outcome.name
    name = chosen.correlation if chosen.correlation in CORRELATIONS else CORRELATIONS[0]
    facts = {"run": options.run, "outcome": outcome, "measure": prediction.measure}
    frame = points(prediction)
    left, right = st.columns(2, gap="large")
    with left:
        figure.show(
            "outcome-points",
            charts.scatter(frame, measure, outcome),
            frame,
            title="Every reward model",
            note="Bars are 95% intervals: of the measure from drawing prompts again, of the outcome from its standard "
            "error.",
            alt=f"{measure.title} against {outcome}, a point for each reward model",
            file_name=f"{options.run}-outcome-points",
            facts=facts,
        )
    whole = prediction.correlations[name].sample.value
    if whole is None:
        return
    table = without(prediction, name)
    with right:
        figure.show(
            "outcome-left-out",
            charts.left_out(table, whole, f"Plain {words.CORRELATIONS[name].symbol} without it"),
            table,
            title="Without each reward model",
            note=f"The plain correlation with one reward model left out; dashed: with all of them, {number(whole)}.",
            alt=f"Plain {name} of {measure.title} and {outcome} with each reward model left out",
            file_name=f"{options.run}-outcome-left-out",
            facts=facts,
        )


# Tables and sentences. Pure functions ---------------------------------------------------------------------------------


def rows(board: Board, name: str) -> pl.DataFrame:
    """A row per measure, the best first, in the columns of `data.rows`; `policies` is the outcome."""
    parts = []
    for measure, prediction in board.predictions.items():
        difference, p_value, groups = board.differences[name][measure]
        own = measure == board.second
        parts.append(
            {
                "policies": prediction.outcome.name,
                "measure": measure,
                "title": MEASURES[measure].title,
                **correlation_of(prediction.correlations[name]),
                "group": "".join(ascii_lowercase[group - 1] for group in groups) or None,
                **figures_of("difference", difference, "difference_low", "difference_high"),
                "p_difference": p_value,
                "verdict": PLAIN_ITSELF if own else compared(difference, p_value),
            }
        )
    texts = ("policies", "measure", "title", "group", "verdict")
    schema = {column: pl.String if column in texts else pl.Float64 for column in parts[0]}
    return pl.DataFrame(parts, schema=schema).sort("value", descending=True, nulls_last=True)


def points(prediction: Prediction) -> pl.DataFrame:
    """A row per reward model: the measure's value and the outcome with 95% intervals; the best outcome first."""
    half = _NORMAL * prediction.outcome.error_K
    frame = pl.DataFrame(
        {
            "reward_model": prediction.reward_models,
            "value": prediction.value_K,
            "low": prediction.low_K,
            "high": prediction.high_K,
            "outcome": prediction.outcome.value_K,
            "outcome_low": prediction.outcome.value_K - half,
            "outcome_high": prediction.outcome.value_K + half,
        }
    )
    return frame.with_columns(pl.col("value").fill_nan(None)).sort("outcome", descending=True)


def without(prediction: Prediction, name: str) -> pl.DataFrame:
    """The plain correlation without each reward model and its change, the greatest first."""
    whole = prediction.correlations[name].sample.value or 0.0
    frame = pl.DataFrame({"reward_model": prediction.reward_models, "value": prediction.without[name]})
    frame = frame.with_columns(pl.col("value").fill_nan(None)).with_columns(change=pl.col("value") - whole)
    return frame.sort(pl.col("change").abs(), descending=True, nulls_last=True)


def finding(prediction: Prediction, name: str) -> str:
    """How well one measure predicts the outcome, and which reward model decides."""
    own, symbol = prediction.correlations[name], words.CORRELATIONS[name].symbol
    title, outcome = MEASURES[prediction.measure].title, escape(prediction.outcome.name)
    if own.value is None:
        return f"**{title}** has no correlation with {outcome}: it is the same, or undefined, for the reward models."
    line = f"**{title}** predicts the true {outcome} with {symbol} {number(own.value)} ({interval(own.low, own.high)})"
    line += f"; plain {number(own.sample.value)}"
    if own.p_value is not None:
        line += f", p of no prediction at all {number(own.p_value, 3)}"
    defined = prediction.without[name][~np.isnan(prediction.without[name])]
    influential = prediction.influential(name)
    if influential is not None:
        left = prediction.without[name][prediction.reward_models.index(influential)]
        line += (
            f". With one reward model left out, plain {symbol} is from {number(float(defined.min()))} to "
            f"{number(float(defined.max()))}; the most influential is **{escape(influential)}** "
            f"({number(float(left))} without it)"
        )
    return f"{line}."


def what_is_shown(prediction: Prediction, options: Options) -> str:
    """One line: run, reward models, goldens, prompts, what is known of the outcome's error, and the intervals."""
    outcome = prediction.outcome
    error = "its own error is unknown, so nothing is taken off"
    if outcome.known_errors:
        error = f"{percent(outcome.reliability or 0.0)} of its variance is no error of its own"
    truth = "each of the others in turn" if options.goldens == options.proxies else formats.listed(options.goldens)
    return " · ".join(
        [
            f"Run **{escape(options.run)}**",
            f"{count(len(prediction.reward_models), 'reward model')} with outcome **{escape(outcome.name)}**, {error}",
            f"measured on {count(prediction.prompts_used, 'RM-test prompt')}, golden: {truth}",
            estimates.intervals(prediction.replicates),
        ]
    )
