"""What all charts share: a grey that stays readable on the light and on the dark ground, and the name of a click."""

from __future__ import annotations

GREY = "#7d838a"
"""References, fitted lines, notes: contrast above 3.5 on both grounds."""

CLICK = "pair"
"""Name of the selection in charts of pairs; a click carries the fields of `CLICK_FIELDS`."""

CLICK_FIELDS = ["golden", "proxy"]
