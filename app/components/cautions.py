"""What a page with correlations says before it shows them: what to beware of, and what each figure is."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import streamlit as st

from app.components import estimates
from app.components.formats import escape
from warehouse.claims.policies.endings import cut_off
from warehouse.study import Evaluation


def show(evaluations: Iterable[Evaluation], reward_models: int) -> None:
    """Draw the cautions that apply to these correlations."""
    for line in estimates.cautions(evaluations, reward_models):
        st.caption(f":material/info: {line}")


def explain() -> None:
    """Draw a line for each figure of a correlation."""
    st.caption(estimates.explained())


def show_endings(endings: pl.DataFrame) -> None:
    """Draw a warning where too few of the policies' responses end (`access.warehouse.endings`)."""
    for line in cut_off(endings, escape):
        st.warning(line, icon=":material/content_cut:")
