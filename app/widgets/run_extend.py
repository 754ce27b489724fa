"""Adding to a run: reward models, samples or PPO, as a new run that computes only what is missing."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import access_runs, run_wording
from app.formats import escape
from app.widgets import trouble
from pipeline.jobs import InvalidSetting

_KINDS = {
    "size": ("size", "0.25, 0.5"),
    "depth": ("depth", "2, all"),
    "seed": ("seed_number", "1, 2"),
    "length": ("length", "0.5"),
}
_OF_ALL = {"learning_rate": "1e-4", "epochs": "4"}


def show(run_id: str) -> None:
    """Draw the form for one run, folded up; nothing where one may only read."""
    if access_runs.is_read_only():
        return
    with st.expander("Add to this run", icon=":material/add:", key=f"extend-{run_id}", on_change="rerun") as box:
        if box.open:
            _form(run_id)


@st.fragment
def _form(run_id: str) -> None:
    with trouble.shown():
        st.caption(run_wording.EXTENDED)
        additions, notes = _additions(run_id)
        found = None
        if additions:
            try:
                found = access_runs.extended(run_id, additions)
            except InvalidSetting as wrong:
                notes.get(wrong.setting, st).error(escape(str(wrong)), icon=":material/error:")
        if found is not None:
            st.caption(run_wording.estimated(found, access_runs.free_bytes()))
        if st.button("Add", disabled=found is None, key=f"extend-{run_id}.go"):
            with st.spinner("Starting …"):
                access_runs.extend(run_id, additions)
            st.rerun()


def _additions(run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the form adds to the run, and a place under each field for what is wrong with it."""
    own = access_runs.run_settings(run_id)
    found: dict[str, Any] = {}
    notes = {}
    rates_in, samples_in, steps_in = st.columns(3)
    with rates_in:
        rates = st.text_input(
            run_wording.setting("more_flip_rates"), placeholder="0.15, 0.25", **_about(run_id, "more_flip_rates")
        )
        found["flip_rates"] = [rate.strip() for rate in rates.split(",") if rate.strip()]
        notes["flip_rates"] = st.empty()
    with samples_in:
        found["rl_test_samples"] = st.number_input(
            run_wording.setting("rl_test_samples"),
            value=own.rl_test_samples,
            step=1,
            **_about(run_id, "rl_test_samples"),
        )
        notes["rl_test_samples"] = st.empty()
    with steps_in:
        found["ppo_steps"] = st.number_input(
            run_wording.setting("ppo_steps"),
            value=own.ppo_steps,
            step=1,
            disabled=own.ppo_steps > 0,
            **_about(run_id, "more_ppo_steps" if own.ppo_steps else "ppo_steps"),
        )
        notes["ppo_steps"] = st.empty()
    found["others"], notes["others"] = _others(run_id)
    there = {"flip_rates": [], "others": [], "rl_test_samples": own.rl_test_samples, "ppo_steps": own.ppo_steps}
    return {name: value for name, value in found.items() if value != there[name]}, notes


def _others(run_id: str) -> tuple[list[str], Any]:
    """Reward models of other kinds, each as the command line has it, and the place for what is wrong with them."""
    values = {}
    for column, (kind, (name, example)) in zip(st.columns(len(_KINDS)), _KINDS.items(), strict=True):
        values[kind] = column.text_input(run_wording.setting(name), placeholder=example, **_about(run_id, name))
    changes = {}
    for column, (name, example) in zip(st.columns(len(_KINDS)), _OF_ALL.items(), strict=False):
        changes[name] = column.text_input(run_wording.setting(name), placeholder=example, **_about(run_id, name))
    more = "".join(f",{name}={value.strip()}" for name, value in changes.items() if value.strip())
    others = [
        f"{kind}={value.strip()}{more}" for kind, text in values.items() for value in text.split(",") if value.strip()
    ]
    return others, st.empty()


def _about(run_id: str, name: str) -> dict[str, Any]:
    return {"key": f"extend-{run_id}.{name}", "help": run_wording.SETTINGS[name].help}
