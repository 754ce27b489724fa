"""The figures of the Explore page: correlations, scatter and heat map of pairs, categories, and one pair in detail.

A click in the scatter or the heat map chooses the pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from app import notebook_code
from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts.pairs import CLICK, MANY, matrix, panels, scatter
from app.charts.responses import scores
from app.charts.style import interval_band
from app.components import columns, estimates, figure, glossary, page_state, style, words
from app.components.formats import escape, interval, number
from app.offers import CELLS, Options
from app.state import Selection
from app.views.explore import data, text
from app.views.explore.data import Answers
from warehouse.metrics.catalogue import QUANTITIES
from warehouse.metrics.formulas import Measure
from warehouse.study import Evaluation
from warehouse.study.regret import Quantity

SCATTER, MATRIX = "scatter", "matrix"


def show_correlations(evaluation: Evaluation, level: str) -> None:
    """Draw the tiles at the level `pooled` or `within` goldens, and below them what was left out."""
    with st.container(key="tiles"):
        of_level = words.correlations(evaluation, level)
        for column, (name, correlation) in zip(st.columns(4), of_level.items(), strict=True):
            title = words.correlation(name, level)
            with column, st.container(border=True, gap="xsmall"):
                st.metric(title, number(correlation.value), help=text.correlation_help(name, level))
                st.caption(text.interval(correlation))
                if correlation.value is not None:
                    chart = interval_band(frames.correlation_of(correlation), 0 if name == "mrr" else -1)
                    figure.draw(chart, key=f"interval.{name}", alt=f"{title} with its interval and noise ceiling")
                    st.caption(text.beside(correlation))
    st.caption(estimates.KEY)
    if left_out := text.undefined(evaluation):
        st.caption(left_out)


def scatter_and_matrix(
    pairs: pl.DataFrame, chosen: Selection, options: Options, measure: Measure, quantity: Quantity = "ndr"
) -> None:
    """Draw both figures with the chosen pair ringed; `quantity` says what stands in the column `ndr`."""
    against = QUANTITIES[quantity]
    marked = frames.marked(pairs, chosen.golden, chosen.proxy)
    points = frames.defined(marked)
    shared: dict[str, Any] = {"columns": columns.pairs(measure), "facts": words.facts(chosen, options)}
    with st.container(key="figures"):
        left, right = st.columns([7, 5], gap="large")
        with left:
            if points.is_empty():
                st.info(text.nothing_defined(chosen, options))
            else:
                figure.show(
                    SCATTER,
                    scatter(points, measure, quantity),
                    pairs,
                    title=f"{measure.title} against {against.short}",
                    note=text.points_note(are_many=points.height > MANY),
                    alt=f"{measure.title} against {against.short}, a point for each golden–proxy pair",
                    file_name=words.file_name(chosen, options, "pairs"),
                    clicked=None if points.height > MANY else (CLICK, lambda mark: _choose(mark, MATRIX)),
                    code=notebook_code.scatter(chosen, options) if quantity == "ndr" else "",
                    **shared,
                )
        with right:
            figure.show(
                MATRIX,
                matrix(marked, chosen.cells, measure),
                pairs,
                title="All pairs",
                note="Golden down, proxy across, by name. Click a cell to see its pair and its responses.",
                alt="All golden–proxy pairs",
                file_name=words.file_name(chosen, options, "matrix"),
                clicked=(CLICK, lambda mark: _choose(mark, SCATTER)),
                code=notebook_code.matrix(chosen, options) if quantity == "ndr" else "",
                **shared,
            )
            st.segmented_control(
                "Shown in the cells",
                CELLS,
                required=True,
                format_func=lambda name: against.short if name == "ndr" else measure.title,
                label_visibility="collapsed",
                **page_state.bound(chosen, "cells", chosen.cells),
            )


def by_category(
    evaluations: Mapping[str, Evaluation], models: pl.DataFrame, chosen: Selection, options: Options, measure: Measure
) -> None:
    """Draw the scatter of each category; nothing where there is one category only."""
    pairs = data.pairs_by_category(evaluations, models)
    if len(evaluations) < 2 or pairs.is_empty():
        return
    name = words.correlation(chosen.correlation, chosen.level)
    ceiling = words.correlations(next(iter(evaluations.values())), chosen.level)[chosen.correlation].ceiling.value
    figure.show(
        "categories",
        panels(pairs, text.panel_captions(evaluations, chosen.correlation, chosen.level), measure),
        pairs,
        title="Category by category",
        note=f"{measure.title} on the test prompts of one category against the same NDR, with {name} (this test set) "
        f"and its interval. Noise ceiling: {number(ceiling)}.",
        alt=f"{measure.title} against NDR, a panel for each category",
        file_name=words.file_name(chosen, options, "categories"),
        columns={"category": "Category", **columns.pairs(measure)},
        facts=words.facts(chosen, options),
        code=notebook_code.by_category(chosen, options, tuple(evaluations)),
    )


def _choose(mark: dict[str, Any], other: str) -> None:
    page_state.change(Selection, golden=mark["golden"], proxy=mark["proxy"])
    figure.forget_clicks(other)
    style.ask_to_scroll()


_LIMITS = (3, 10, 30)


def drilldown(snapshot: Snapshot, chosen: Selection, options: Options, pairs: pl.DataFrame, measure: Measure) -> None:
    """Draw the chosen pair, or say how to choose one."""
    with st.container(key="drilldown"):
        st.header("One pair")
        _choose_pair(chosen, options, warehouse.reward_models(snapshot, options.run))
        if not chosen.has_pair:
            st.caption("Choose a golden and a proxy, or click a point or a cell of the figures.")
            return
        golden, proxy = str(chosen.golden), str(chosen.proxy)
        _figures(data.row_of(pairs, golden=golden, proxy=proxy), measure)
        answers = data.answers(snapshot, options, chosen, golden, proxy)
        if answers is not None:
            rows = data.picks_within(answers.rows, chosen.rl_categories)
            _answers(answers._replace(rows=rows), chosen)
        _scores(snapshot, chosen, options, golden, proxy)
        style.scroll_if_asked()


def _choose_pair(chosen: Selection, options: Options, reward_models: pl.DataFrame) -> None:
    left, right = st.columns(2)
    for column, field, label, offered in (
        (left, "golden", "Golden", [name for name in options.goldens if name != chosen.proxy]),
        (right, "proxy", "Proxy", [name for name in options.proxies if name != chosen.golden]),
    ):
        name = getattr(chosen, field)
        column.selectbox(
            label,
            offered,
            index=None,
            placeholder="Choose a reward model",
            **page_state.bound(chosen, field, name, then=partial(figure.forget_clicks, SCATTER, MATRIX)),
        )
        if name is not None:
            with column.container(border=True):
                st.markdown(f"**{escape(name)}**")
                st.caption(text.reward_model_line(data.row_of(reward_models, reward_model_id=name)))


def _figures(row: dict[str, Any], measure: Measure) -> None:
    with st.container(key="pair-figures", horizontal=True, gap="medium"):
        st.metric(measure.axis, number(row["value"], measure.digits), width="content", help=measure.help)
        st.metric("NDR", number(row["ndr"], 3), width="content", help=glossary.explain("NDR"))
        st.metric("NDR, 95% interval", interval(row["ndr_low"], row["ndr_high"]), width="content")
        st.metric("Regret", number(row["regret"], 3), width="content", help=glossary.explain("regret"))


def _scores(snapshot: Snapshot, chosen: Selection, options: Options, golden: str, proxy: str) -> None:
    cube, prompts = data.test_responses(snapshot, options.run, chosen)
    responses = data.pair_scores(cube, prompts, golden, proxy)
    figure.show(
        "scores",
        scores(responses, golden, proxy),
        responses,
        title="Scores of the test set's responses",
        note="In standard deviations of each reward model's scores; on the dashed line both agree.",
        alt=f"Score of {golden} against score of {proxy}, a mark for each response",
        level=3,
        file_name=f"{options.run}-scores-{golden}-{proxy}",
        columns=columns.scores(golden, proxy),
        facts={"run_id": options.run, "golden": golden, "proxy": proxy},
        code=notebook_code.scores(chosen, options),
    )


def _answers(answers: Answers, chosen: Selection) -> None:
    with st.container(key="picks"):
        st.subheader(text.answers_title(answers), anchor=False)
        st.caption(text.answers_line(answers, data.picks_summary(answers.rows), chosen))
        limit = st.segmented_control("Prompts shown", _LIMITS, default=_LIMITS[0], required=True, key="picks.limit")
        for row in answers.rows.head(limit or _LIMITS[0]).to_dicts():
            _answer(row, text.sides(answers))


def _answer(row: dict[str, Any], sides: tuple[str, str]) -> None:
    """One prompt with both answers. `st.text` shows texts as they are, not as Markdown or HTML."""
    with st.container(border=True):
        st.caption(f"{escape(row['category'])} · {escape(row['subset'])} · {text.loss(row)}")
        st.text(row["prompt"])
        if row["golden_pick"] == row["proxy_pick"]:
            _response("Both", row["golden_pick"], row["golden_of_golden_pick"], row["proxy_of_proxy_pick"])
            return
        for column, side, name in zip(st.columns(2, gap="medium"), ("golden", "proxy"), sides, strict=True):
            with column:
                _response(name, row[f"{side}_pick"], row[f"golden_of_{side}_pick"], row[f"proxy_of_{side}_pick"])


def _response(label: str, response: str, golden_score: float, proxy_score: float) -> None:
    st.markdown(f"**{label}** :gray[· golden score {number(golden_score)} · proxy score {number(proxy_score)}]")
    st.text(response or "(empty response)")
