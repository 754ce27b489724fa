"""The table behind the figures, with its download."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import frames, wording
from app.formats import UNDEFINED
from app.selection import Options, Selection


def show(pairs: pl.DataFrame, chosen: Selection, options: Options, measure_title: str) -> None:
    """Draw all pairs as rows; the download also says in every row what was chosen."""
    st.subheader("The table behind it")
    st.dataframe(
        pairs.drop("defined"),
        hide_index=True,
        column_config={
            "golden": "Golden",
            "proxy": "Proxy",
            "golden_flip_rate": st.column_config.NumberColumn("Golden: labels flipped", format="percent"),
            "proxy_flip_rate": st.column_config.NumberColumn("Proxy: labels flipped", format="percent"),
            "error": st.column_config.NumberColumn(measure_title, format="%.3f"),
            "ndr": st.column_config.NumberColumn("NDR", format="%.3f"),
            "ndr_low": st.column_config.NumberColumn("NDR, 95% from", format="%.3f"),
            "ndr_high": st.column_config.NumberColumn("to", format="%.3f"),
            "regret": st.column_config.NumberColumn("Regret", format="%.3f", help="1 − NDR"),
        },
        placeholder=UNDEFINED,
        key="pairs",
        alt="All golden–proxy pairs with the measure, NDR and regret",
    )
    st.download_button(
        "Download as CSV",
        frames.to_csv(pairs, wording.facts(chosen, options)),
        file_name=wording.file_name(chosen, options),
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
