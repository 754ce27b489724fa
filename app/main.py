"""The dashboard's entry point: page set-up and navigation. Run by `righttree app`, or `streamlit run app/main.py`."""

from __future__ import annotations

import streamlit as st
from altair.utils import schemapi

from app.components import style
from app.views.explore import page as explore_page
from app.views.measures import page as measures_page
from app.views.overoptimisation import page as overoptimisation_page
from app.views.overview import page as overview_page
from app.views.responses import page as responses_page
from app.views.reward_models import page as reward_models_page
from app.views.runs import page as runs_page
from app.views.test_sets import page as test_sets_page

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
        st.Page(overview_page.show, title="Overview", icon=":material/flag:", url_path="overview", default=True),
        st.Page(explore_page.show, title="Explore", icon=":material/scatter_plot:", url_path="explore"),
        st.Page(measures_page.show, title="Measures", icon=":material/leaderboard:", url_path="measures"),
        st.Page(test_sets_page.show, title="Test sets", icon=":material/grid_on:", url_path="test-sets"),
        st.Page(
            overoptimisation_page.show,
            title="Overoptimisation",
            icon=":material/trending_down:",
            url_path="overoptimisation",
        ),
        st.Page(reward_models_page.show, title="Reward models", icon=":material/grading:", url_path="reward-models"),
        st.Page(responses_page.show, title="Responses", icon=":material/forum:", url_path="responses"),
        st.Page(runs_page.show, title="Runs", icon=":material/list_alt:", url_path="runs"),
    ],
    position="top",
)
style.show()
page.run()
