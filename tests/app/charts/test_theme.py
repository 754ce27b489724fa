"""The colours of `app/.streamlit/config.toml`: texts can be read, and shades differ, to everybody and in greyscale."""

from __future__ import annotations

import itertools

import pytest

from app.charts import export
from app.charts.export import LOOKS, Look
from tests.helpers.contrast import contrast, lightness

READABLE = 4.5
"""Web Content Accessibility Guidelines 2.2, 1.4.3: contrast of text with its ground."""
VISIBLE = 3.0
"""The same, 1.4.11: of marks with their ground."""


@pytest.mark.parametrize("look", LOOKS)
def test_text_has_enough_contrast_with_every_ground(look: Look) -> None:
    theme = export.colours(look)
    grounds = [place[name] for place in (theme, theme["sidebar"]) for name in theme["sidebar"] if "Background" in name]
    grounds += [place["backgroundColor"] for place in (theme, theme["sidebar"])]
    for name in ("textColor", "grayTextColor", "grayColor", "primaryColor", "linkColor"):
        assert {ground: contrast(theme[name], ground) for ground in grounds if not_readable(theme[name], ground)} == {}


def not_readable(text: str, ground: str) -> bool:
    return contrast(text, ground) < READABLE


@pytest.mark.parametrize("look", LOOKS)
def test_figures_in_cells_and_texts_in_the_colour_of_their_series_can_be_read(look: Look) -> None:
    theme = export.colours(look)
    assert [shade for shade in theme["chartSequentialColors"] if not_readable(theme["grayColor"], shade)] == []
    assert [shade for shade in theme["chartCategoricalColors"] if not_readable(shade, theme["backgroundColor"])] == []


@pytest.mark.parametrize("look", LOOKS)
def test_flip_rates_differ_in_greyscale(look: Look) -> None:
    ramp = export.colours(look)["chartDivergingColors"]
    greys = [lightness(colour) for colour in ramp]
    assert all(after - before > 3.0 for before, after in itertools.pairwise(greys))
    assert greys[-1] - greys[0] > 30.0
    assert min(contrast(colour, export.colours(look)["backgroundColor"]) for colour in ramp) >= VISIBLE
