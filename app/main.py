"""The dashboard's entry point: page set-up and navigation. Run by `righttree app`, or `streamlit run app/main.py`."""

from __future__ import annotations

from importlib import import_module

import streamlit as st
from altair.utils import schemapi

from app.components import page_state, style
from app.views import PAGES

# A tree of two branches, drawn here: a named icon would be fetched from the web.
_ICON = """<svg viewBox="0 0 24 24" xmlns="http://www.w3.org/2000/svg" fill="none" stroke="#2f7f9f" stroke-width="2.4"
stroke-linecap="round"><path d="M12 22V11M12 15l-5-5M12 12l5-5"/><circle cx="6" cy="8" r="2.6" fill="#2f7f9f"/>
<circle cx="18" cy="5.5" r="2.6" fill="#c97a2e" stroke="#c97a2e"/></svg>"""

# Altair checks every piece of a chart against Vega-Lite's schema as it is made, a fifth of a page's time. The tests
# check whole charts, so the dashboard does not; notebooks that import righttree keep the check.
schemapi.disable_debug_mode()

st.set_page_config(page_title="righttree", page_icon=_ICON, layout="wide")  # first: else the page's icon is fetched
_pages = {
    listed.name: st.Page(
        import_module(f"app.views.{listed.name}.page").show,
        title=listed.title,
        icon=f":material/{listed.icon}:",
        url_path=listed.path or None,
        default=not listed.path,
    )
    for listed in PAGES
}


def _default_page() -> None:
    """The default page has the empty path; for its own name Streamlit would say that there is no such page."""
    st.switch_page(_pages["overview"], query_params=page_state.parameters())


_by_path = st.Page(_default_page, title="Overview", url_path="overview", visibility="hidden")
page = st.navigation([*_pages.values(), _by_path], position="top")


def _title() -> None:
    """Name page and run in the browser's tab."""
    of_run = f" · {shown}" if (shown := page_state.shown_run()) else ""
    st.set_page_config(page_title=f"{page.title}{of_run} · righttree", page_icon=_ICON)


before = page_state.shown_run()
_title()
style.show()
page.run()
if page_state.shown_run() != before:
    _title()
