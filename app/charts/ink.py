"""The ink of notes and figures, the same in all charts."""

from __future__ import annotations

INK = "gray"
"""`grayColor` of the theme, dark on light and light on dark. Streamlit resolves it in a channel's value only.

Give it as `alt.ColorValue(INK)`: of `alt.value(INK)`, Altair searches all its classes for the one that is meant.
"""

SOFT = 0.55
"""Opacity of what stays behind the data: references, fitted lines."""
