"""One golden–proxy pair: both reward models, their figures, and what best-of-n picks under each."""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from app import access, frames, wording
from app.access import Snapshot
from app.charts.scores import scores
from app.formats import escape, interval, number
from app.offers import Options
from app.state import Selection
from app.widgets import columns, figure, figures, page_state
from warehouse.measures import Measure

_LIMITS = (3, 10, 30)


def show(snapshot: Snapshot, chosen: Selection, options: Options, pairs: pl.DataFrame, measure: Measure) -> None:
    """Draw the chosen pair, or how to choose one."""
    with st.container(key="drilldown"):
        st.subheader("One pair")
        _choose(chosen, options, access.reward_models(snapshot, options.run))
        if not chosen.has_pair:
            st.caption("Choose a golden and a proxy, or click a point or a cell of the figures.")
            return
        golden, proxy = str(chosen.golden), str(chosen.proxy)
        _figures(frames.row_of(pairs, golden, proxy), measure)
        _scores(snapshot, chosen, options, golden, proxy)
        n = wording.samples_of(chosen, options)
        if n is not None:
            _picks(access.picks(snapshot, options.run, golden, proxy, int(n)), chosen, n)


def _choose(chosen: Selection, options: Options, reward_models: pl.DataFrame) -> None:
    left, right = st.columns(2)
    for column, field, label, other in (
        (left, "golden", "Golden", chosen.proxy),
        (right, "proxy", "Proxy", chosen.golden),
    ):
        name = getattr(chosen, field)
        column.selectbox(
            label,
            [offered for offered in options.reward_models if offered != other],
            index=None,
            placeholder="Choose a reward model",
            **page_state.bound(
                chosen, field, name, then=partial(figure.forget_clicks, figures.SCATTER, figures.MATRIX)
            ),
        )
        if name is not None:
            with column.container(border=True):
                st.markdown(f"**{escape(name)}**")
                st.caption(wording.reward_model_line(frames.reward_model(reward_models, name)))


def _figures(row: dict[str, Any], measure: Measure) -> None:
    with st.container(key="pair-figures", horizontal=True, gap="medium"):
        st.metric(measure.axis, number(row["value"], measure.digits), width="content", help=measure.help)
        st.metric("NDR", number(row["ndr"], 3), width="content", help="Share of the golden's own gain that is kept.")
        st.metric("NDR, 95% interval", interval(row["ndr_low"], row["ndr_high"]), width="content")
        st.metric("Regret", number(row["regret"], 3), width="content", help="1 − NDR: what is lost.")


def _scores(snapshot: Snapshot, chosen: Selection, options: Options, golden: str, proxy: str) -> None:
    cube, prompts = access.test_responses(snapshot, options.run, chosen)
    responses = frames.pair_scores(cube, prompts, golden, proxy)
    figure.show(
        "scores",
        scores(responses, golden, proxy),
        responses,
        title="Scores of the test set's responses",
        note="In standard deviations of each reward model; on the dashed line both say the same.",
        alt=f"Score of {golden} against score of {proxy}, one mark a response",
        file_name=f"{options.run}-scores-{golden}-{proxy}",
        columns=columns.scores(golden, proxy),
        facts={"run_id": options.run, "golden": golden, "proxy": proxy},
    )


def _picks(picks: pl.DataFrame, chosen: Selection, n: float) -> None:
    with st.container(key="picks"):
        st.markdown(f"#### What best-of-{n:g} picks")
        st.caption(wording.picks_line(frames.picks_summary(picks, chosen.rl_categories), n))
        limit = st.segmented_control("Prompts shown", _LIMITS, default=_LIMITS[0], required=True, key="picks.limit")
        for row in frames.picks_shown(picks, chosen.rl_categories, limit or _LIMITS[0]).to_dicts():
            _pick(row)


def _pick(row: dict[str, Any]) -> None:
    """One prompt with both picks. Text of prompts and models goes through `st.text`: never read as Markdown or HTML."""
    with st.container(border=True):
        st.caption(f"{escape(row['category'])} · {escape(row['subset'])} · {wording.loss(row)}")
        st.text(row["prompt"])
        if row["golden_pick"] == row["proxy_pick"]:
            _response("Both pick", row["golden_pick"], row["golden_of_golden_pick"], row["proxy_of_proxy_pick"])
            return
        left, right = st.columns(2, gap="medium")
        with left:
            _response("Golden picks", row["golden_pick"], row["golden_of_golden_pick"], row["proxy_of_golden_pick"])
        with right:
            _response("Proxy picks", row["proxy_pick"], row["golden_of_proxy_pick"], row["proxy_of_proxy_pick"])


def _response(label: str, text: str, golden_score: float, proxy_score: float) -> None:
    st.markdown(f"**{label}** :gray[· golden score {number(golden_score)} · proxy score {number(proxy_score)}]")
    st.text(text or "(an empty response)")
