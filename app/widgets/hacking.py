"""Reward hacking made visible: prompts on which the proxy's favourite sample is the golden's worst, with the texts."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import access_curves, access_responses, curve_frames, curve_wording
from app.access import Snapshot
from app.formats import escape
from app.state import OveroptimisationChoice
from app.widgets import page_state
from app.widgets.curve_controls import SHOWN
from warehouse.measures.worst_picks import share_hacked
from warehouse.reads import INITIAL


def show(snapshot: Snapshot, run_id: str, chosen: OveroptimisationChoice) -> None:
    """Draw the examples of the chosen pair, or of the one that has most."""
    st.subheader("Where the proxy likes best what the golden likes least", anchor=False)
    found, samples = access_curves.hacked(snapshot, run_id, chosen.rl_category)
    names = samples.reward_models
    golden, proxy = curve_frames.most_hacked(found, names, chosen.golden, chosen.proxy)
    g, m = names.index(golden), names.index(proxy)
    share = share_hacked(found, g, m)
    if chosen.golden is None or chosen.proxy is None:
        st.caption("Of the pair with most such prompts; choose golden and proxy for another.")
    counted, prompts = int(found.count_MM[g, m]), int(found.prompts_MM[g, m])
    st.markdown(curve_wording.hacked(golden, proxy, share, found.chance, counted, prompts))
    places = found.hacked_MMP[g, m].nonzero()[0].tolist()
    if not places:
        return
    st.segmented_control(
        "Examples shown",
        SHOWN,
        required=True,
        help="At most so many.",
        **page_state.bound(chosen, "shown", chosen.shown),
    )
    for place in places[: chosen.shown]:
        _example(snapshot, run_id, samples.prompts[place], int(found.picks_MP[g, place]), int(found.picks_MP[m, place]))


def _example(snapshot: Snapshot, run_id: str, prompt_id: str, golden_pick: int, proxy_pick: int) -> None:
    prompt = access_responses.prompt(snapshot, run_id, prompt_id)
    texts = access_responses.responses_to(snapshot, run_id, prompt_id, INITIAL)
    with st.container(border=True, key=f"rows-hacked-{prompt_id}"):
        st.caption(f"{escape(prompt['category'])} · {escape(prompt['subset'])} · {escape(prompt_id)}")
        st.text(prompt["text"])
        for column, label, sample in zip(
            st.columns(2, gap="medium"),
            ("Proxy's favourite, the golden's worst", "Golden's favourite"),
            (proxy_pick, golden_pick),
            strict=True,
        ):
            with column:
                st.markdown(f"**{label}**")
                st.text(texts.filter(pl.col("sample") == sample)["text"][0] or curve_wording.EMPTY)
