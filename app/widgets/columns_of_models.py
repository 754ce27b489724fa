"""How the columns of the table of reward models are called and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

_FIGURE = "%.3f"

COLUMNS: Mapping[str, Any] = {
    "reward_model": "Reward model",
    "kind": "Kind",
    "flip_rate": st.column_config.NumberColumn("Labels flipped", format="percent"),
    "flipped_pairs": st.column_config.NumberColumn("Pairs flipped"),
    "length_bias": st.column_config.NumberColumn("Length bias", format=_FIGURE),
    "train_pairs": st.column_config.NumberColumn("Training pairs"),
    "trainable_layers": st.column_config.NumberColumn("Layers trained", help="0: the head only; −1: all"),
    "seed": st.column_config.NumberColumn("Seed", format="%d"),
    "validation_accuracy": st.column_config.NumberColumn("Validation accuracy", format=_FIGURE),
    "validation_low": st.column_config.NumberColumn("95% from", format=_FIGURE, help="Wilson's interval"),
    "validation_high": st.column_config.NumberColumn("to", format=_FIGURE),
    "reward_variance": st.column_config.NumberColumn("Reward variance", format=_FIGURE),
    "variance_low": st.column_config.NumberColumn("95% from ", format=_FIGURE, help="Bootstrap over prompts"),
    "variance_high": st.column_config.NumberColumn("to ", format=_FIGURE),
    "length_correlation": st.column_config.NumberColumn("Length ρ", format=_FIGURE),
    "length_low": st.column_config.NumberColumn("95% from  ", format=_FIGURE, help="Bootstrap over prompts"),
    "length_high": st.column_config.NumberColumn("to  ", format=_FIGURE),
    "mean_agreement": st.column_config.NumberColumn(
        "Mean agreement", format=_FIGURE, help="Share of pairs ordered as the others do, averaged over the others"
    ),
}
