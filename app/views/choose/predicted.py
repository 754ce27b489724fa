"""The last section of the Choose page: the regret of a reward model, predicted before any policy is optimised."""

from __future__ import annotations

from functools import partial
from math import isnan

import polars as pl
import streamlit as st

from app.access import frames, warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.charts import predicted as charts
from app.charts.style import titled
from app.components import figure, page_state
from app.components.formats import escape, number
from app.state import ChooseChoice
from warehouse.errors import WarehouseError
from warehouse.metrics.catalogue import MEASURES, QUANTITIES, optimizer_words
from warehouse.reads import predicted as reads
from warehouse.reads.predicted import OfOptimizer
from warehouse.study.predicted import words
from warehouse.study.predicted.known import FEATURES
from warehouse.study.predicted.regret import LEVEL, PREDICTORS, PredictedRegret

Results = list[tuple[OfOptimizer, PredictedRegret]]

TITLE = "Predicted regret of a reward model without policies"

_FRAME: dict[str, type[pl.DataType]] = {
    "optimizer": pl.String,
    "reward_model": pl.String,
    "kind": pl.String,
    **frames.floats("feature", "measured", "value", "low", "high"),
    "no_prediction": pl.String,
}


def show(snapshot: Snapshot, run_id: str, chosen: ChooseChoice) -> None:
    """Draw the section."""
    st.header(TITLE, anchor=False)
    try:
        predicted = predictions(snapshot, run_id, chosen.golden)
    except WarehouseError as error:
        st.caption(escape(str(error)))
        return
    results = [(each, each.result) for each in predicted if each.result is not None]
    names = results[0][1].known.reward_models if results else ()
    if not results:
        st.caption(escape("; ".join(f"{at(each)}: {each.why}" for each in predicted)))
        return
    name = chosen.predicted if chosen.predicted in names else default(results)
    st.selectbox(
        "Reward model to predict",
        names,
        help="Whose policies are predicted. If it has policies, they are not used, and what they keep is shown beside "
        "the prediction. Default: the first one that lacks policies.",
        width=320,
        **page_state.bound(chosen, "predicted", name),
    )
    lines = [f"{at(each)}: {each.why}" for each in predicted if each.result is None]
    for each, result in results:
        lines.append(" ".join([words.sentence(result, name, at(each)), words.new_kind(result, name)]).strip())
    st.markdown("\n".join(f"- {escape(line)}" for line in lines))
    drawn = [(each, result) for each, result in results if result.predicts]
    if drawn:
        _chart(run_id, chosen, name, drawn)
        st.markdown("**How such predictions did**, where what policies keep is known")
        st.dataframe(records(drawn), hide_index=True, width="stretch")


def _chart(run_id: str, chosen: ChooseChoice, name: str, drawn: Results) -> None:
    measure = MEASURES[FEATURES[0]].title
    tables, panels = [], []
    for each, result in drawn:
        tables.append(frame(each, result))
        titles = (measure, QUANTITIES[result.known.quantity].title)
        panels.append(titled(charts.scatter(tables[-1], name, titles, LEVEL), at(each)))
    figure.show(
        "predicted",
        panels,
        pl.concat(tables),
        title="What policies keep, by what the RM test says",
        note=f"Points: reward models with policies, {words.averaged(drawn[0][1], name, escape)}. Diamond: the "
        f"prediction for {escape(name)} with its {LEVEL:.0%} interval; a dashed line where nothing could be predicted. "
        f"{words.BY} {words.PROMISE} {words.SUPPORT} The table has each reward model’s prediction, made without it.",
        alt=f"NDR of each reward model against {measure}, and what is predicted for {name}",
        level=3,
        file_name=f"{run_id}-choose-predicted",
        facts={"run_id": run_id, "goldens": ", ".join(chosen.golden) or "default", "level": LEVEL},
    )


@heavy(16, "Predicting regret …")
def predictions(snapshot: Snapshot, run_id: str, goldens: tuple[str, ...]) -> list[OfOptimizer]:
    """The predictions of a run. Raises UnknownName and InvalidChoice."""
    samples, cube = partial(warehouse.rl_scores, snapshot, run_id), partial(warehouse.score_cube, snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        return reads.predictions(connection, run_id, goldens, samples=samples, cube=cube)


def at(each: OfOptimizer) -> str:
    """By what the policies were optimised: `best-of-16`."""
    return optimizer_words(each.optimizer).at.format(f"{each.strength:g}")


def default(results: Results) -> str:
    """The first reward model that lacks policies of some optimiser, else the first."""
    for _, result in results:
        for name, has_policy in zip(result.known.reward_models, result.known.has_policy_M, strict=True):
            if not has_policy:
                return name
    return results[0][1].known.reward_models[0]


def frame(each: OfOptimizer, result: PredictedRegret) -> pl.DataFrame:
    """One row a reward model: the main measure, what was measured, the prediction without it, or why it is missing."""
    known, main_M = result.known, result.each.feature_KUM[0, 0]
    rows = []
    for m, name in enumerate(known.reward_models):
        guess = result.guess(name)
        rows.append(
            {
                "optimizer": at(each),
                "reward_model": name,
                "kind": known.kinds[m],
                "feature": None if isnan(main_M[m]) else float(main_M[m]),
                "measured": guess.measured,
                "value": guess.value,
                "low": guess.low,
                "high": guess.high,
                "no_prediction": words.why_not(result, name) or None,
            }
        )
    return pl.DataFrame(rows, schema=_FRAME)


def records(results: Results) -> pl.DataFrame:
    """How each predictor did, by optimiser and by what was left out."""
    rows = []
    for each, result in results:
        for kind in (False, True):
            for predictor in PREDICTORS:
                record = result.record(predictor, kind=kind)
                if not record.predicted + record.outside + (0 if kind else record.few):
                    continue  # all are of one kind, or nothing is left to learn from
                rows.append(
                    {
                        "Policies": at(each),
                        "Left out": "each kind" if kind else "each reward model",
                        "Predicted by": words.PREDICTOR_WORDS[predictor],
                        "Error (root mean square)": number(record.error) if record.predicted else "–",
                        "Intervals that held": f"{record.covered} of {record.predicted}",
                        "Median width": number(record.width) if record.predicted else "–",
                        "Outside": record.outside,
                        "Too few": record.few,
                    }
                )
    return pl.DataFrame(rows)
