"""The Choose page by an outcome measured elsewhere: the answer, the ranking, and how measures rank the same."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from app.access import frames, warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.charts import choice as charts
from app.charts.export import Chart
from app.components import figure
from app.components.formats import SHORT, count, escape
from app.views.choose import text
from warehouse import reads
from warehouse.claims import choosing
from warehouse.claims import choosing_by_outcome as claims
from warehouse.study import MEASURES
from warehouse.study.choice.answer import Question
from warehouse.study.choice.by_outcome import OutcomeAnswer

_OUTCOME = "The outcome"
_WHOLE = ",.0f"
_RANKED = frames.floats("value", "low", "high", "together_low", "together_high")


def show(snapshot: Snapshot, run_id: str, question: Question, name: str) -> None:
    """Draw the page below its title. Raises InvalidChoice and UnknownName."""
    answer = answered(snapshot, run_id, question, name)
    order, title = answer.order, escape(name)
    with st.container(border=True, key="answer"):
        st.markdown(text.bold(claims.headline(answer, escape), escape(order.names[0])))
        beside = (claims.predicts(answer, escape), claims.left_out(answer, escape))
        st.markdown("\n".join(f"- {sentence}" for sentence in beside if sentence))
    st.caption(
        f"Run **{escape(run_id)}** · {count(len(order.names), 'reward model')} · outcome {title} · "
        f"{_errors(answer.outcome.known_errors)}"
    )
    drawn = partial(_show, run_id, name)
    frame = ranking(answer)
    drawn(
        "ranking",
        charts.ranked(frame.head(frames.MOST_DRAWN), name, [], format_=_WHOLE if claims.is_large(answer) else SHORT),
        frame,
        title=f"Reward models by {title}",
        note=_how_to_read(answer),
        alt_text=f"{name} of each reward model with its interval, the best first",
    )
    if answer.outcome.known_errors > 1:
        pairs, names = chances(answer), list(order.names[: frames.MOST_DRAWN])
        drawn(
            "chances",
            charts.chances(
                frames.drawn(pairs, names, ("reward_model", "other")), names, what="A has more: probability"
            ),
            pairs,
            title="How probable is it that A beats B?",
            note=f"The probability that A has more of {title} than B, measured without error: the posterior of the "
            "difference under a flat prior. Hover, or open the table, for the p-value, all pairs at once.",
            alt_text="Probability that the row's reward model beats the column's",
        )
    if answer.predictions:
        ranks, names = measure_ranks(answer), list(order.names[: frames.MOST_DRAWN])
        columns = ranks["part"].unique(maintain_order=True).to_list()
        drawn(
            "measures",
            charts.ranks(ranks.filter(pl.col("reward_model").is_in(names)), names, columns),
            ranks,
            title="How do measures rank the same reward models?",
            note="Rank of each reward model, 1 the best, by the outcome and by each measure; a dash: it has no figure, "
            "as it is the golden itself. The measure that predicts the outcome best, by Kendall τ, comes first. "
            "The table has the τ of each with its interval.",
            alt_text="Rank of each reward model by the outcome and by each measure",
        )


@heavy(32, "Comparing the reward models …")
def answered(snapshot: Snapshot, run_id: str, question: Question, name: str) -> OutcomeAnswer:
    """The answer by an outcome. Raises InvalidChoice and UnknownName."""
    cube = partial(warehouse.score_cube, snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        return reads.choice.answer_by_outcome(connection, run_id, name, question, cube=cube)


def ranking(answer: OutcomeAnswer) -> pl.DataFrame:
    """One row a reward model, the best first: its outcome, intervals, groups, and how sure the first beats it."""
    order = answer.order
    rows = [
        {
            "rank": place + 1,
            "reward_model": name,
            **frames.figures_of("value", order.estimates[place]),
            "together_low": order.together[place].low,
            "together_high": order.together[place].high,
            "group": choosing.letters(order.groups[place]),
            "first": name in order.may_be_best,
            "first_beats_it": _known(order.beats_MM[0, place]) if place else None,
        }
        for place, name in enumerate(order.names)
    ]
    schema: dict[str, type[pl.DataType]] = {"rank": pl.Int64, "reward_model": pl.String, **_RANKED, "group": pl.String}
    return pl.DataFrame(rows, schema={**schema, "first": pl.Boolean, "first_beats_it": pl.Float64})


def chances(answer: OutcomeAnswer) -> pl.DataFrame:
    """One row an ordered pair: `reward_model, other, beats, p`; null where an error is unknown."""
    order = answer.order
    figures = {"beats": order.beats_MM, "p": order.p_MM}
    return frames.pair_rows(order.names, ~np.isnan(order.beats_MM), figures, ("reward_model", "other"))


def measure_ranks(answer: OutcomeAnswer) -> pl.DataFrame:
    """Ranks by the outcome, then by each measure, the best predictor first.

    Columns `reward_model, part, rank, measured`, and of the measure `tau, tau_low, tau_high`.
    """
    rows: list[dict[str, Any]] = [
        {"reward_model": name, "part": _OUTCOME, "rank": place + 1, "measured": estimate.value}
        for place, (name, estimate) in enumerate(zip(answer.order.names, answer.order.estimates, strict=True))
    ]
    for measure in answer.best_predictors:
        tau = frames.figures_of("tau", answer.predictions[measure].correlations["kendall"], "tau_low", "tau_high")
        values = zip(answer.order.names, answer.ranks(measure), answer.values(measure), strict=True)
        rows += [
            {"reward_model": name, "part": MEASURES[measure].title, "rank": rank, "measured": value, **tau}
            for name, rank, value in values
        ]
    schema: dict[str, type[pl.DataType]] = {"reward_model": pl.String, "part": pl.String, "rank": pl.Int64}
    return pl.DataFrame(rows, schema={**schema, **frames.floats("measured", "tau", "tau_low", "tau_high")})


def _how_to_read(answer: OutcomeAnswer) -> str:
    if not answer.outcome.known_errors:
        return "This outcome has no standard errors, so there are no intervals and no groups."
    return (
        "Thin: the 95% interval that holds for all reward models at once; thick: of each alone. Reward models with a "
        "letter in common cannot be told apart (all pairs at once, Romano–Wolf); those that may be the best are opaque."
    )


def _errors(known: int) -> str:
    return f"{count(known, 'standard error')}, normal and independent" if known else "no standard errors"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _show(
    run_id: str, name: str, key: str, chart: Chart, frame: pl.DataFrame, *, title: str, note: str, alt_text: str
) -> None:
    figure.show(
        f"outcome-{key}",
        chart,
        frame,
        title=title,
        note=note,
        alt=alt_text,
        file_name=f"{run_id}-choose-outcome-{key}",
        facts={"run_id": run_id, "outcome": name},
    )
