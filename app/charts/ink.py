"""What all charts share: the ink of notes and figures, and the name of a click."""

from __future__ import annotations

INK = "gray"
"""`grayColor` of the theme, dark on light and light on dark. Streamlit resolves it in `alt.value(INK)` only."""

SOFT = 0.55
"""Opacity of what stays behind the data: references, fitted lines."""

CLICK = "pair"
"""Name of the selection in charts of pairs; a click carries the fields of `CLICK_FIELDS`."""

CLICK_FIELDS = ["golden", "proxy"]
