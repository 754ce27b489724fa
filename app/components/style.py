"""CSS for what the theme cannot express: columns that wrap early, quiet labels, figures of equal width.

And bringing a part of a page into view after a click elsewhere on it, which Streamlit cannot.
"""

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
:is(.st-key-panels-where, .st-key-panels-gains, .st-key-panels-degrees) [data-testid="stColumn"] {
  min-width: min(21rem, 100%); }
[class*="st-key-head-"] { column-gap: 0.75rem; row-gap: 0.4rem; }
@media (min-width: 640px) { [class*="st-key-head-"]:not([class*="st-key-head-run-"]) { flex-wrap: nowrap; } }
[data-testid="stPageLink"] :is(div, a) { height: auto; }
[data-testid="stPageLink"] a > span:last-child, [data-testid="stPageLink"] p { white-space: normal; overflow: visible; }
[class*="st-key-head-"] button { min-height: 1.8rem; padding: 0 0.6rem; }
[class*="st-key-head-"] button p { font-size: 0.85rem; }
[class*="st-key-stage-"] [data-testid="stColumn"] { min-width: 8rem; }
[class*="st-key-stage-"] [data-testid="stColumn"]:nth-child(2) { min-width: 6rem; }
[class*="st-key-stage-"] [data-testid="stProgress"] { transform: translateY(-0.3rem); }
[data-testid="stMetricValue"], [data-testid="stText"] { font-variant-numeric: tabular-nums; }
.st-key-picks [data-testid="stText"] { line-height: 1.55; overflow-wrap: anywhere; }
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.88; }
.stMain .block-container { max-width: 90rem; }
.st-key-drilldown { scroll-margin-top: 4.5rem; }
/* Streamlit draws axes and legends in a grey of its own that is too pale on a light ground. */
.stVegaLiteChart :is(.role-axis-label, .role-axis-title, .role-legend-label, .role-legend-title) text {
  fill: currentColor; fill-opacity: 0.8; }
</style>
"""


def show() -> None:
    """Put the rules into the page."""
    st.html(_CSS)


_ASKED, _TIMES = "scroll.asked", "scroll.times"

TARGET = "scrolled-to"
SCRIPT = (
    f"requestAnimationFrame(() => document.querySelector('.{TARGET}')?.closest('[data-testid=stVerticalBlock]')"
    "?.scrollIntoView({behavior: 'smooth', block: 'start'}))"
)
"""The only script of ours on a page. A content security policy lets it run by its hash, so it is always the same."""


def ask_to_scroll() -> None:
    """Bring the container that calls `scroll_if_asked` into view on the next run; call it from a callback."""
    st.session_state[_ASKED] = True


def scroll_if_asked() -> None:
    """Bring the container in which this is called into view if that was asked for since the last run."""
    if st.session_state.pop(_ASKED, False):
        times = st.session_state[_TIMES] = st.session_state.get(_TIMES, 0) + 1  # the same text would not run again
        st.html(f'<i class="{TARGET}" data-times="{times}"></i><script>{SCRIPT}</script>', unsafe_allow_javascript=True)
