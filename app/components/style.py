"""CSS for what the theme cannot express: columns that wrap early, quiet labels, figures of equal width."""

from __future__ import annotations

import streamlit as st

_CSS = """
<style>
/* Columns wrap where their figures need the room; Streamlit itself does so on phones only. */
.st-key-tiles [data-testid="stColumn"] { min-width: 12.5rem; }
.st-key-figures [data-testid="stColumn"] { min-width: min(24rem, 100%); }
[class*="st-key-rows-"] [data-testid="stColumn"] { min-width: min(24rem, 100%); }
.st-key-picks [data-testid="stColumn"] { min-width: min(17rem, 100%); }
.st-key-figures [data-testid="stHorizontalBlock"] { row-gap: 1.5rem; }
[class*="st-key-panels-"] [data-testid="stColumn"] { min-width: min(13rem, 100%); }
.st-key-panels-where [data-testid="stColumn"] { min-width: min(21rem, 100%); }
[class*="st-key-head-"] { column-gap: 0.75rem; row-gap: 0; }
@media (min-width: 640px) { [class*="st-key-head-"] { flex-wrap: nowrap; } }
[class*="st-key-head-"] button { min-height: 1.8rem; padding: 0 0.6rem; }
[class*="st-key-head-"] button p { font-size: 0.85rem; }
[class*="st-key-stage-"] [data-testid="stColumn"] { min-width: 8rem; }
[class*="st-key-stage-"] [data-testid="stColumn"]:nth-child(2) { min-width: 6rem; }
[class*="st-key-stage-"] [data-testid="stProgress"] { transform: translateY(-0.3rem); }
[data-testid="stMetricValue"], [data-testid="stText"] { font-variant-numeric: tabular-nums; }
.st-key-picks [data-testid="stText"] { line-height: 1.55; overflow-wrap: anywhere; }
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.78; }
.stMain .block-container { max-width: 90rem; }
</style>
"""


def show() -> None:
    """Put the rules into the page."""
    st.html(_CSS)
