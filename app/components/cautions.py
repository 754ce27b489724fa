"""What a page with correlations says before it shows them: what to beware of, and what each figure is."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from app.components import estimates
from warehouse.study import Evaluation


def show(evaluations: Iterable[Evaluation], reward_models: int) -> None:
    """Draw the cautions that apply to these correlations."""
    for line in estimates.cautions(evaluations, reward_models):
        st.caption(f":material/info: {line}")


def explain() -> None:
    """Draw a line for each figure of a correlation."""
    st.caption(estimates.explained())
