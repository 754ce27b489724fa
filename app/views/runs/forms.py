"""Starting a run: a profile, the few settings of it that are changed often, and what is wrong with them.

Adding to a run: reward models, samples or PPO, as a new run that computes only what is missing.

Importing: files from the user's machine become a run of the warehouse, or one line says what is wrong with them.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.access import warehouse
from app.components import formats, links, page_state, trouble
from app.components.formats import escape
from app.views.runs import data, text
from app.views.runs import text as runs_text
from pipeline.runs.jobs import InvalidSetting
from warehouse.schema import CATEGORIES


def start(opened: bool) -> None:
    """Draw the form, folded up unless `opened`; nothing where one may only read."""
    if data.is_read_only():
        return
    with st.expander(
        "Start a run", expanded=opened, icon=":material/play_arrow:", key="start", on_change="rerun"
    ) as box:
        if box.open:
            _start_form()


@st.fragment
def _start_form() -> None:
    with trouble.shown():
        profile = st.segmented_control(
            "Profile",
            data.profiles(),
            default=data.profiles()[0],
            required=True,
            key="start.profile",
            help="How large the study is. What is not below stays as the profile has it.",
        )
        st.caption(escape(data.about(profile)))
        changes, notes = _settings(profile)
        found = None
        try:
            found = data.estimate(profile, changes)
        except InvalidSetting as wrong:
            place = notes.get(wrong.setting, st)
            place.error(f"{text.setting(wrong.setting)}: {escape(str(wrong))}", icon=":material/error:")
        if found is not None:
            st.caption(text.estimated(found, data.free_bytes()))
        other = warehouse.at_work()
        if other is not None:
            st.caption(text.has_to_wait(other))
        if st.button("Start", disabled=found is None, key="start.go"):
            with st.spinner("Starting …"):
                data.start(profile, changes)
            st.rerun()


def _settings(profile: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings as they stand in the form, and a place under each for what is wrong with it."""
    own = data.settings(profile)
    found: dict[str, Any] = {}
    notes = {}
    names = ("seed", "rl_test_samples", "ppo_steps")
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            found[name] = st.number_input(
                text.setting(name), value=getattr(own, name), step=1, **_about_start(profile, name)
            )
            notes[name] = st.empty()
    left, right = st.columns(2)
    with left:
        rates = st.text_input(
            text.setting("flip_rates"),
            value=", ".join(f"{rate:g}" for rate in own.flip_rates),
            **_about_start(profile, "flip_rates"),
        )
        found["flip_rates"] = [rate.strip() for rate in rates.split(",") if rate.strip()]
        notes["flip_rates"] = st.empty()
    with right:
        found["categories"] = st.pills(
            text.setting("categories"),
            CATEGORIES,
            default=own.categories,
            selection_mode="multi",
            **_about_start(profile, "categories"),
        )
        notes["categories"] = st.empty()
    return found, notes


def _about_start(profile: str, name: str) -> dict[str, Any]:
    """Key and help of a field; another profile brings its own values."""
    return {"key": f"start.{profile}.{name}", "help": text.SETTINGS[name].help}


_KINDS = {
    "size": ("size", "0.25, 0.5"),
    "depth": ("depth", "2, all"),
    "seed": ("seed_number", "1, 2"),
    "length": ("length", "0.5"),
}
_OF_ALL = {"learning_rate": "1e-4", "epochs": "4"}


def extend(run_id: str) -> None:
    """Draw the form for one run, folded up; nothing where one may only read."""
    if data.is_read_only():
        return
    with st.expander("Add to this run", icon=":material/add:", key=f"extend-{run_id}", on_change="rerun") as box:
        if box.open:
            _extend_form(run_id)


@st.fragment
def _extend_form(run_id: str) -> None:
    with trouble.shown():
        st.caption(runs_text.EXTENDED)
        additions, notes = _additions(run_id)
        found = None
        if additions:
            try:
                found = data.extended(run_id, additions)
            except InvalidSetting as wrong:
                notes.get(wrong.setting, st).error(escape(str(wrong)), icon=":material/error:")
        if found is not None:
            st.caption(runs_text.estimated(found, data.free_bytes()))
        if st.button("Add", disabled=found is None, key=f"extend-{run_id}.go"):
            with st.spinner("Starting …"):
                data.extend(run_id, additions)
            st.rerun()


def _additions(run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the form adds to the run, and a place under each field for what is wrong with it."""
    own = data.run_settings(run_id)
    found: dict[str, Any] = {}
    notes = {}
    rates_in, samples_in, steps_in = st.columns(3)
    with rates_in:
        rates = st.text_input(
            runs_text.setting("more_flip_rates"),
            placeholder="0.15, 0.25",
            **_about_extension(run_id, "more_flip_rates"),
        )
        found["flip_rates"] = [rate.strip() for rate in rates.split(",") if rate.strip()]
        notes["flip_rates"] = st.empty()
    with samples_in:
        found["rl_test_samples"] = st.number_input(
            runs_text.setting("rl_test_samples"),
            value=own.rl_test_samples,
            step=1,
            **_about_extension(run_id, "rl_test_samples"),
        )
        notes["rl_test_samples"] = st.empty()
    with steps_in:
        found["ppo_steps"] = st.number_input(
            runs_text.setting("ppo_steps"),
            value=own.ppo_steps,
            step=1,
            disabled=own.ppo_steps > 0,
            **_about_extension(run_id, "more_ppo_steps" if own.ppo_steps else "ppo_steps"),
        )
        notes["ppo_steps"] = st.empty()
    found["others"], notes["others"] = _others(run_id)
    there = {"flip_rates": [], "others": [], "rl_test_samples": own.rl_test_samples, "ppo_steps": own.ppo_steps}
    return {name: value for name, value in found.items() if value != there[name]}, notes


def _others(run_id: str) -> tuple[list[str], Any]:
    """Reward models of other kinds, each as the command line has it, and the place for what is wrong with them."""
    values = {}
    for column, (kind, (name, example)) in zip(st.columns(len(_KINDS)), _KINDS.items(), strict=True):
        values[kind] = column.text_input(runs_text.setting(name), placeholder=example, **_about_extension(run_id, name))
    changes = {}
    for column, (name, example) in zip(st.columns(len(_KINDS)), _OF_ALL.items(), strict=False):
        changes[name] = column.text_input(
            runs_text.setting(name), placeholder=example, **_about_extension(run_id, name)
        )
    more = "".join(f",{name}={value.strip()}" for name, value in changes.items() if value.strip())
    others = [
        f"{kind}={value.strip()}{more}" for kind, text in values.items() for value in text.split(",") if value.strip()
    ]
    return others, st.empty()


def _about_extension(run_id: str, name: str) -> dict[str, Any]:
    return {"key": f"extend-{run_id}.{name}", "help": runs_text.SETTINGS[name].help}


_TIMES = "import.times"
_DONE = "import.done"


def import_files() -> None:
    """Draw the form, folded up; nothing where one may only read."""
    if data.is_read_only():
        return
    with st.expander("Import scores or a run", icon=":material/upload:", key="import", on_change="rerun") as box:
        if box.open:
            _import_form()


@st.fragment
def _import_form() -> None:
    times = st.session_state.setdefault(_TIMES, 0)
    st.caption(text.IMPORTED)
    files = st.file_uploader(
        "Files",
        [ending.removeprefix(".") for ending in data.UPLOADED],
        accept_multiple_files=True,
        max_upload_size=data.MOST_UPLOADED_BYTES // 2**20,
        key=f"import.files.{times}",  # a new one is empty again
        help=f"Up to {formats.size(data.MOST_UPLOADED_BYTES)} together. Several files make one run.",
    )
    name = st.text_input(
        "Name of the run",
        key=f"import.name.{times}",
        placeholder="made from the time, or the exported run's own",
        help="Letters, digits, '-', '_' and '.'.",
    )
    if st.button("Import", disabled=not files, key="import.go"):
        with trouble.shown():
            with st.spinner("Reading …"):
                done = data.import_uploads([(file.name, file.getvalue()) for file in files], name.strip() or None)
            st.session_state[_TIMES], st.session_state[_DONE] = times + 1, done
            page_state.keep_run(done.run_id)
            st.rerun()
    last = st.session_state.get(_DONE)
    if last is not None and not files:
        st.success(f"**{escape(last.run_id)}**: {escape(last.counts)}.", icon=":material/check:")
        links.to("explore", "Explore it", run=last.run_id)
