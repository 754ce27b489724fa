"""The ink of notes and figures, the same in all charts."""

from __future__ import annotations

INK = "gray"
"""`grayColor` of the theme, dark on light and light on dark. Streamlit resolves it in `alt.value(INK)` only."""

SOFT = 0.55
"""Opacity of what stays behind the data: references, fitted lines."""
