"""The forms of the Runs page: start a run, add to a finished or stopped one, import files as a new one.

A form checks its fields as they change: what is wrong appears below the field, and the button stays disabled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.access import uploads as uploads_route
from app.access import warehouse
from app.components import formats, links, page_state, trouble
from app.components.formats import escape
from app.views.runs import columns, data, text
from pipeline.runs import jobs
from warehouse.exchange import INCOMPLETE, Choices
from warehouse.schema import CATEGORIES

_KINDS = {
    "size": ("size", "0.25, 0.5"),
    "depth": ("depth", "2, all"),
    "seed": ("seed_number", "1, 2"),
    "length": ("length", "0.5"),
}
"""Kinds of further reward models, as the command line names them: the field of each and an example."""

_OF_ALL = {"learning_rate": "1e-4", "epochs": "4"}
"""Settings of all further reward models, and an example of each."""

_UPLOADS = "import.uploads"
_DONE = "import.done"
_FAILED = "import.failed"


def start(*, opened: bool) -> None:
    """Draw the form that starts a run, folded up unless `opened`."""
    _folded("Start a run", ":material/play_arrow:", "start", _start_form, opened=opened)


def extend(run_id: str) -> None:
    """Draw the form that adds to a run."""
    _folded("Add to this run", ":material/add:", f"extend-{run_id}", partial(_extend_form, run_id))


def import_files() -> None:
    """Draw the form that imports files."""
    _folded("Import scores or a run", ":material/upload:", "import", _import_form)


def _folded(label: str, icon: str, key: str, form: Callable[[], None], *, opened: bool = False) -> None:
    """Draw a form in an expander; nothing where this visitor may not change anything."""
    if data.is_read_only():
        return
    with st.expander(label, expanded=opened, icon=icon, key=key, on_change="rerun") as box:
        if box.open:
            form()


class _Fields:
    """The fields of a form: their values by setting, and a place below each for what is wrong with it.

    `named` is the entry of `text.SETTINGS` that names a field, where it is not the setting's own.
    """

    def __init__(self, form: str) -> None:
        self.values: dict[str, Any] = {}
        self._form = form
        self._notes: dict[str, DeltaGenerator] = {}

    def number(self, column: DeltaGenerator, setting: str, value: int, *, named: str = "", **how: Any) -> None:
        """A whole number."""
        self.values[setting] = column.number_input(value=value, step=1, **self._about(named or setting), **how)
        self._notes[setting] = column.empty()

    def several(self, column: DeltaGenerator, setting: str, *, named: str = "", **how: Any) -> None:
        """Values separated by commas."""
        self.values[setting] = _separated(self.line(column, named or setting, **how))
        self._notes[setting] = column.empty()

    def line(self, column: DeltaGenerator, named: str, **how: Any) -> str:
        """A line of text, which is no setting by itself."""
        return str(column.text_input(**self._about(named), **how)).strip()

    def choices(self, column: DeltaGenerator, setting: str, offered: Sequence[str], chosen: Sequence[str]) -> None:
        """Some of what is offered."""
        how = {"selection_mode": "multi", "default": chosen, **self._about(setting)}
        self.values[setting] = column.pills(options=offered, **how)
        self._notes[setting] = column.empty()

    def submit(
        self, button: str, key: str, estimate: Callable[[], jobs.Estimate] | None, begin: Callable[[], object]
    ) -> None:
        """Draw the estimate, or what is wrong, and the button that begins; `estimate` None: nothing to begin yet."""
        needs = None
        try:
            needs = estimate() if estimate else None
        except jobs.InvalidSetting as wrong:
            place = self._notes[wrong.setting] if wrong.setting in self._notes else st.container()
            place.error(text.invalid(wrong.setting, str(wrong)), icon=":material/error:")
        if needs is not None:
            st.caption(text.estimated(needs, data.free_bytes()))
        running = jobs.executing(warehouse.home())
        if running is not None:
            st.caption(text.has_to_wait(running))
        if st.button(button, disabled=needs is None, key=key):
            with st.spinner("Starting …"):
                begin()
            st.rerun()

    def _about(self, named: str) -> dict[str, Any]:
        label, about = text.SETTINGS[named]
        return {"label": label, "key": f"{self._form}.{named}", "help": about}


@st.fragment
def _start_form() -> None:
    with trouble.shown():
        profile = st.segmented_control(
            "Profile",
            data.profiles(),
            default=data.profiles()[0],
            required=True,
            key="start.profile",
            help="The size of the study. Settings that are not shown here are those of the profile.",
        )
        st.caption(escape(jobs.profile_about(profile)))
        own = jobs.profile_settings(profile)
        fields = _Fields(f"start.{profile}")  # another profile brings its own values
        for column, name in zip(st.columns(3), ("seed", "rl_test_samples", "ppo_steps"), strict=True):
            fields.number(column, name, getattr(own, name))
        left, right = st.columns(2)
        fields.several(left, "flip_rates", value=", ".join(f"{rate:g}" for rate in own.flip_rates))
        fields.choices(right, "categories", CATEGORIES, own.categories)
        arguments = (profile, fields.values)
        fields.submit("Start", "start.go", partial(data.estimate, *arguments), partial(data.start, *arguments))


@st.fragment
def _extend_form(run_id: str) -> None:
    with trouble.shown():
        st.caption(text.EXTENDED)
        own = jobs.run_settings(warehouse.home(), run_id)
        fields = _Fields(f"extend-{run_id}")
        rates, samples, steps = st.columns(3)
        fields.several(rates, "flip_rates", named="more_flip_rates", placeholder="0.15, 0.25")
        fields.number(samples, "rl_test_samples", own.rl_test_samples)
        has_ppo = own.ppo_steps > 0
        named = "more_ppo_steps" if has_ppo else "ppo_steps"
        fields.number(steps, "ppo_steps", own.ppo_steps, named=named, disabled=has_ppo)
        fields.values["others"] = _other_reward_models(fields)
        unchanged = {"rl_test_samples": own.rl_test_samples, "ppo_steps": own.ppo_steps}
        additions = {name: value for name, value in fields.values.items() if value != unchanged.get(name, [])}
        estimate = partial(data.estimate_extension, run_id, additions) if additions else None
        fields.submit("Add", f"extend-{run_id}.go", estimate, partial(data.extend, run_id, additions))


def _other_reward_models(fields: _Fields) -> list[str]:
    """Reward models of other kinds, each as the command line writes it: `size=0.25,epochs=4`."""
    places = st.columns(len(_KINDS))
    values = {
        kind: fields.line(column, named, placeholder=example)
        for column, (kind, (named, example)) in zip(places, _KINDS.items(), strict=True)
    }
    changes = {
        named: fields.line(column, named, placeholder=example)
        for column, (named, example) in zip(st.columns(len(_KINDS)), _OF_ALL.items(), strict=False)
    }
    more = "".join(f",{named}={value}" for named, value in changes.items() if value)
    return [f"{kind}={value}{more}" for kind, line in values.items() for value in _separated(line)]


def _separated(line: str) -> list[str]:
    return [value.strip() for value in line.split(",") if value.strip()]


@st.fragment
def _import_form() -> None:
    uploads = st.session_state.setdefault(_UPLOADS, 0)
    st.caption(text.IMPORTED)
    files = st.file_uploader(
        "Files",
        [ending.removeprefix(".") for ending in data.UPLOADED],
        accept_multiple_files=True,
        max_upload_size=data.MOST_UPLOADED_BYTES // 2**20,
        key=f"import.files.{uploads}",  # a new key empties the field
        help=f"Up to {formats.size(data.MOST_UPLOADED_BYTES)} in total. Several files become one run.",
    )
    name = st.text_input(
        "Name of the run",
        key=f"import.name.{uploads}",
        placeholder="default: the date and time",
        help="Letters, digits, '-', '_' and '.'.",
    )
    choices = _import_choices(uploads)
    uploaded = [(file.name, file.getvalue()) for file in files]
    given = columns.assigned(uploaded, [file.file_id for file in files], uploads) if files else None
    if st.button("Import", disabled=given is None, key="import.go"):
        with trouble.keeping(_FAILED):
            with st.spinner("Importing …"):
                done = data.import_uploads(uploaded, name.strip() or None, choices, given)
            st.session_state[_UPLOADS], st.session_state[_DONE] = uploads + 1, done
            uploads_route.forget(file.file_id for file in files)
            page_state.keep_run(done.run_id)
            st.rerun()
    trouble.show_kept(_FAILED)
    imported = st.session_state.get(_DONE)
    if imported is not None and not files:
        st.success(f"**{escape(imported.run_id)}**: {escape(imported.counts)}.", icon=":material/check:")
        for line in (*imported.notes, imported.warning):
            if line:
                st.info(f"{escape(line)}.")
        links.to("explore", "Explore it", run=imported.run_id)


def _import_choices(uploads: int) -> Choices:
    """What to do with incomplete scores, and which scorers are the truth."""
    left, right = st.columns(2)
    incomplete = left.selectbox(
        "Scores that not every scorer has",
        INCOMPLETE,
        format_func=text.INCOMPLETE.__getitem__,
        key=f"import.incomplete.{uploads}",
        help="What is left out is counted and listed in a file.",
    )
    golden = right.text_input(
        "Golden only",
        key=f"import.golden.{uploads}",
        placeholder="human, verifier",
        help="Scorers that are the truth, such as human grades; all others are then proxies only. Default: each reward "
        "model is golden in turn, labels are golden only.",
    )
    return Choices(incomplete, tuple(_separated(golden)))
