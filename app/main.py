"""The dashboard's entry point: page set-up and navigation. Run by `righttree app`, or `streamlit run app/main.py`."""

from __future__ import annotations

import streamlit as st
from altair.utils import schemapi

from app import style
from app.views import explore, measures, overoptimisation, overview, responses, reward_models, runs, test_sets

# A tree of two branches, drawn here: a named icon would be fetched from the web.
_ICON = """<svg viewBox="0 0 24 24" xmlns="http://www.w3.org/2000/svg" fill="none" stroke="#2f7f9f" stroke-width="2.4"
stroke-linecap="round"><path d="M12 22V11M12 15l-5-5M12 12l5-5"/><circle cx="6" cy="8" r="2.6" fill="#2f7f9f"/>
<circle cx="18" cy="5.5" r="2.6" fill="#c97a2e" stroke="#c97a2e"/></svg>"""

# Altair checks every piece of a chart against Vega-Lite's schema as it is made, a fifth of a page's time. The tests
# check whole charts, so the dashboard does not; notebooks that import righttree keep the check.
schemapi.disable_debug_mode()

st.set_page_config(page_title="righttree", page_icon=_ICON, layout="wide")
page = st.navigation(
    [
        st.Page(overview.show, title="Overview", icon=":material/flag:", url_path="overview", default=True),
        st.Page(explore.show, title="Explore", icon=":material/scatter_plot:", url_path="explore"),
        st.Page(measures.show, title="Measures", icon=":material/leaderboard:", url_path="measures"),
        st.Page(test_sets.show, title="Test sets", icon=":material/grid_on:", url_path="test-sets"),
        st.Page(
            overoptimisation.show,
            title="Overoptimisation",
            icon=":material/trending_down:",
            url_path="overoptimisation",
        ),
        st.Page(reward_models.show, title="Reward models", icon=":material/grading:", url_path="reward-models"),
        st.Page(responses.show, title="Responses", icon=":material/forum:", url_path="responses"),
        st.Page(runs.show, title="Runs", icon=":material/list_alt:", url_path="runs"),
    ],
    position="top",
)
style.show()
page.run()
