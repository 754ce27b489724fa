"""`app/views/explore/data.py`: the tables of the Explore page."""

from __future__ import annotations

import polars as pl
import pytest

from app.views.explore import data

PICKS = pl.DataFrame(
    {
        "category": ["Chat", "Safety", "Chat"],
        "golden_pick": ["a", "b", "c"],
        "proxy_pick": ["a", "x", "y"],
        "loss": [0.0, 1.0, 2.0],
    }
)


def test_picks_are_counted_and_cut_within_the_chosen_categories() -> None:
    one_of_two = {"prompts": 2, "same": 1, "mean_loss": pytest.approx(1.0)}
    assert data.picks_summary(data.picks_within(PICKS, ())) == one_of_two | {"prompts": 3}
    assert data.picks_summary(data.picks_within(PICKS, ("Chat",))) == one_of_two
    assert data.picks_within(PICKS, ("Chat",))["golden_pick"].to_list() == ["a", "c"]
