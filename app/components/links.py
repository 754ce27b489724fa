"""Links between pages that carry a choice along, without leaving the session."""

from __future__ import annotations

import streamlit as st

TITLES = {
    "choose": "Choose",
    "explore": "Explore",
    "measures": "Measures",
    "test-sets": "Test sets",
    "overoptimisation": "Overoptimisation",
    "reward-models": "Reward models",
    "responses": "Responses",
    "runs": "Runs",
}
"""Path and title of the pages that are linked to."""


def to(page: str, label: str = "", **query: str | None) -> None:
    """A link to the page of this path, with the parameters that are set; `See <title>` where no label is given."""
    parameters = {name.replace("_", "-"): value for name, value in query.items() if value is not None}
    st.page_link(
        st.Page(_elsewhere, title=TITLES[page], url_path=page),
        label=label or f"See {TITLES[page]}",
        icon=":material/arrow_forward:",
        query_params=parameters or None,
    )


def _elsewhere() -> None:
    """Stands for a page that the navigation has: a link names it by its path alone."""
