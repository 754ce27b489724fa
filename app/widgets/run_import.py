"""Importing: files from the user's machine become a run of the warehouse, or one line says what is wrong with them."""

from __future__ import annotations

import streamlit as st

from app import access_runs, formats, run_wording
from app.formats import escape
from app.widgets import links, page_state, trouble

_TIMES = "import.times"
_DONE = "import.done"


def show() -> None:
    """Draw the form, folded up; nothing where one may only read."""
    if access_runs.is_read_only():
        return
    with st.expander("Import scores or a run", icon=":material/upload:", key="import", on_change="rerun") as box:
        if box.open:
            _form()


@st.fragment
def _form() -> None:
    times = st.session_state.setdefault(_TIMES, 0)
    st.caption(run_wording.IMPORTED)
    files = st.file_uploader(
        "Files",
        [ending.removeprefix(".") for ending in access_runs.UPLOADED],
        accept_multiple_files=True,
        max_upload_size=access_runs.MOST_UPLOADED_BYTES // 2**20,
        key=f"import.files.{times}",  # a new one is empty again
        help=f"Up to {formats.size(access_runs.MOST_UPLOADED_BYTES)} together. Several files make one run.",
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
                done = access_runs.import_uploads(
                    [(file.name, file.getvalue()) for file in files], name.strip() or None
                )
            st.session_state[_TIMES], st.session_state[_DONE] = times + 1, done
            page_state.keep_run(done.run_id)
            st.rerun()
    last = st.session_state.get(_DONE)
    if last is not None and not files:
        st.success(f"**{escape(last.run_id)}**: {escape(last.counts)}.", icon=":material/check:")
        links.to("explore", "Explore it", run=last.run_id)
