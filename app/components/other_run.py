"""What a page says where another run is meant than the one it would show: it offers to open one, and shows no figures.

Also the offer of a run that was published while the page was open. Callbacks take the run that is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app.access import warehouse
from app.components import links, trouble
from app.components.formats import escape
from app.views.runs import data
from warehouse import reads

Open = Callable[[str], None]


def not_here(run_id: str, default: str, open_run: Open) -> None:
    """A link, or the session, names a run whose results are not in the data folder."""
    st.title(f"Run {escape(run_id)} is not here")
    state = next((run.state for run in warehouse.list_runs() if run.run_id == run_id), None)
    if state is not None:
        st.markdown(f"It has no results yet: it is {state}. They can be explored when it is published.")
        links.to("runs", "To the Runs page")
    else:
        st.markdown("The link names a run that is not in this data folder: it was deleted, or computed elsewhere.")
        if not data.is_read_only():
            if run_id == reads.runs.RECORDED:
                _restore()
            else:
                st.caption("If you have its export, import it on the Runs page and open the link again.")
    _offer([default], "instead", open_run)


def fits(fitting: Sequence[str], shown: str, unfit: Sequence[str], open_run: Open) -> None:
    """A link that names no run holds choices that the run shown does not have, and others do."""
    st.title("Which run is this link for?")
    st.markdown(f"It names no run. In **{escape(shown)}**, part of it has no meaning:")
    st.warning(trouble.left_out(unfit), icon=":material/link_off:")
    st.markdown("It fits these runs:")
    _offer(fitting, "", open_run)
    _offer([shown], "without these choices", open_run)


def new(title: str, *, show: Callable[[], None], dismiss: Callable[[], None]) -> None:
    """A run was published since the session began."""
    with st.container(border=True, key="new-run"):
        st.markdown(f"New run: **{escape(title)}**")
        with st.container(horizontal=True):
            st.button("Show it", key="new-run.show", on_click=show)
            st.button("Not now", key="new-run.dismiss", on_click=dismiss, type="tertiary")


def _offer(run_ids: Sequence[str], how: str, open_run: Open) -> None:
    for run_id in run_ids:
        label = f"Open {escape(run_id)} {how}".strip()
        st.button(label, key=f"open-run.{run_id}", on_click=open_run, args=(run_id,))


def _restore() -> None:
    if st.button("Restore the recorded run", key="restore", type="primary", help="It comes with righttree."):
        with trouble.shown():
            with st.spinner("Restoring …"):
                data.restore()
            st.rerun()
