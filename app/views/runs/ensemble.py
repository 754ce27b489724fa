"""The form on a run's card that makes a new run with an ensemble of the run's scorers, from their stored scores."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.access import warehouse
from app.components import links, page_state, trouble
from app.components.formats import count, escape
from app.views.runs import data
from warehouse.metrics.ensembles import WAYS

_WAYS: Mapping[str, str] = dict(zip(WAYS, ("Mean", "Worst", "Mean less disagreement"), strict=True))
_ROLES: Mapping[str, str] = {"both": "Golden and proxy", "golden": "Golden only", "proxy": "Proxy only"}
_DONE = "ensemble.done"


def form(run_id: str) -> None:
    """Draw the form; nothing where this visitor may not change anything, or for fewer than two scorers."""
    snapshot = warehouse.snapshot()
    if data.is_read_only() or snapshot is None:
        return
    scorers = warehouse.reward_models(snapshot, run_id)["reward_model_id"].to_list()
    if len(scorers) < 2:
        return
    with st.expander(
        "Make an ensemble", icon=":material/group_work:", key=f"ensemble-{run_id}", on_change="rerun"
    ) as box:
        if box.open:
            _form(run_id, scorers)


def _form(run_id: str, scorers: list[str]) -> None:
    st.caption(
        "Several scorers together as one more, made from their stored scores, in a new run. Each member is "
        "standardised first, over the initial policy's responses to the RM-test prompts."
    )
    members = st.multiselect("Members", scorers, key=f"ensemble.members.{run_id}", placeholder="Two or more")
    left, middle, right = st.columns(3)
    how = left.selectbox(
        "Their scores become",
        WAYS,
        format_func=_WAYS.__getitem__,
        key=f"ensemble.how.{run_id}",
        help="The mean of the standardised scores, the lowest of them, or the mean less their standard deviation.",
    )
    weight = middle.number_input(
        "Standard deviations taken off",
        0.0,
        10.0,
        1.0,
        0.25,
        disabled=how != "uncertainty",
        key=f"ensemble.weight.{run_id}",
        help="How much disagreement between the members counts against a response.",
    )
    role = right.selectbox(
        "Role", tuple(_ROLES), format_func=_ROLES.__getitem__, key=f"ensemble.role.{run_id}", help="What it may be."
    )
    name = st.text_input("Name", placeholder=f"ensemble-{how}", key=f"ensemble.name.{run_id}", help="Its id.").strip()
    if st.button("Make it", disabled=len(members) < 2, key=f"ensemble.go.{run_id}"):
        with trouble.shown():
            with st.spinner("Combining the scores …"):
                done = data.ensemble(
                    run_id, members, how, weight=weight, name=name or None, role=None if role == "both" else role
                )
            st.session_state[_DONE] = (run_id, done)
            page_state.keep_run(done.run_id)
            st.rerun()
    of_run, done = st.session_state.get(_DONE, ("", None))
    if of_run == run_id and done is not None:
        left_out = f" Left out: {count(len(done.left_out), 'policy')} that cannot be valued." if done.left_out else ""
        st.success(f"**{escape(done.run_id)}** has **{escape(done.scorer)}**.{left_out}", icon=":material/check:")
        links.to("explore", "Explore it", run=done.run_id)
