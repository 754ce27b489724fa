"""Starting a run: a profile, the few settings of it that are changed often, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import access, access_runs, run_wording
from app.formats import escape
from app.widgets import trouble
from pipeline.jobs import InvalidSetting
from warehouse.schema import CATEGORIES


def show(opened: bool) -> None:
    """Draw the form, folded up unless `opened`; nothing where one may only read."""
    if access_runs.is_read_only():
        return
    with st.expander(
        "Start a run", expanded=opened, icon=":material/play_arrow:", key="start", on_change="rerun"
    ) as box:
        if box.open:
            _form()


@st.fragment
def _form() -> None:
    with trouble.shown():
        profile = st.segmented_control(
            "Profile",
            access_runs.profiles(),
            default=access_runs.profiles()[0],
            required=True,
            key="start.profile",
            help="How large the study is. What is not below stays as the profile has it.",
        )
        st.caption(escape(access_runs.about(profile)))
        changes, notes = _settings(profile)
        found = None
        try:
            found = access_runs.estimate(profile, changes)
        except InvalidSetting as wrong:
            place = notes.get(wrong.setting, st)
            place.error(f"{run_wording.setting(wrong.setting)}: {escape(str(wrong))}", icon=":material/error:")
        if found is not None:
            st.caption(run_wording.estimated(found, access_runs.free_bytes()))
        other = access.at_work()
        if other is not None:
            st.caption(run_wording.has_to_wait(other))
        if st.button("Start", disabled=found is None, key="start.go"):
            with st.spinner("Starting …"):
                access_runs.start(profile, changes)
            st.rerun()


def _settings(profile: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings as they stand in the form, and a place under each for what is wrong with it."""
    own = access_runs.settings(profile)
    found: dict[str, Any] = {}
    notes = {}
    names = ("seed", "rl_test_samples", "ppo_steps")
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            found[name] = st.number_input(
                run_wording.setting(name), value=getattr(own, name), step=1, **_about(profile, name)
            )
            notes[name] = st.empty()
    left, right = st.columns(2)
    with left:
        rates = st.text_input(
            run_wording.setting("flip_rates"),
            value=", ".join(f"{rate:g}" for rate in own.flip_rates),
            **_about(profile, "flip_rates"),
        )
        found["flip_rates"] = [rate.strip() for rate in rates.split(",") if rate.strip()]
        notes["flip_rates"] = st.empty()
    with right:
        found["categories"] = st.pills(
            run_wording.setting("categories"),
            CATEGORIES,
            default=own.categories,
            selection_mode="multi",
            **_about(profile, "categories"),
        )
        notes["categories"] = st.empty()
    return found, notes


def _about(profile: str, name: str) -> dict[str, Any]:
    """Key and help of a field; another profile brings its own values."""
    return {"key": f"start.{profile}.{name}", "help": run_wording.SETTINGS[name].help}
