"""`app/access/frames.py`: results as tables."""

from __future__ import annotations

import io

import polars as pl
import pytest

from app.access import frames
from tests.helpers.small import NAMES, REWARD_MODELS, evaluation, pairs

PICKS = pl.DataFrame(
    {
        "category": ["Chat", "Safety", "Chat"],
        "golden_pick": ["a", "b", "c"],
        "proxy_pick": ["a", "x", "y"],
        "loss": [0.0, 1.0, 2.0],
    }
)


def test_every_pair_but_the_identity_is_a_row_with_its_own_figures() -> None:
    table = frames.pairs(evaluation(), REWARD_MODELS)
    assert table.height == 6
    assert table.filter(pl.col("golden") == pl.col("proxy")).is_empty()
    row = frames.row_of(table, NAMES[2], NAMES[0])
    assert row == {
        "golden": "flip-0.40",
        "proxy": "flip-0.00",
        "golden_flip_rate": 0.4,
        "proxy_flip_rate": 0.0,
        "value": pytest.approx(0.66),
        "ndr": pytest.approx(0.6),
        "ndr_low": pytest.approx(0.55),
        "ndr_high": pytest.approx(0.65),
        "regret": pytest.approx(0.4),
        "defined": True,
    }


def test_an_undefined_pair_stays_in_the_table_without_figures_and_leaves_the_scatter() -> None:
    table = frames.pairs(evaluation(undefined_golden=1), REWARD_MODELS)
    undefined = table.filter(golden=NAMES[1])
    assert undefined.select("ndr", "ndr_low", "ndr_high", "regret").null_count().row(0) == (2, 2, 2, 2)
    assert undefined["value"].null_count() == 0
    assert frames.defined(table)["golden"].unique().sort().to_list() == [NAMES[0], NAMES[2]]


def test_only_the_chosen_pair_is_marked_and_none_without_a_choice() -> None:
    assert pairs().filter("chosen").select("golden", "proxy").rows() == [(NAMES[0], NAMES[1])]
    assert frames.marked(pairs(), None, None).filter("chosen").is_empty()


def test_the_download_says_in_every_row_what_was_chosen() -> None:
    table = pl.read_csv(io.BytesIO(frames.to_csv(pairs(), {"run_id": "smoke-1", "strength": 8.0})))
    assert table.columns[:4] == ["run_id", "strength", "golden", "proxy"]
    assert table["run_id"].unique().to_list() == ["smoke-1"]


def test_the_download_leaves_to_the_table_what_the_table_says_itself() -> None:
    table = pl.read_csv(io.BytesIO(frames.to_csv(pairs(), {"run_id": "smoke-1", "golden": "every"})))
    assert table.columns[:3] == ["run_id", "golden", "proxy"]
    assert table["golden"].to_list() == pairs()["golden"].to_list()


def test_picks_are_counted_and_cut_within_the_chosen_categories() -> None:
    assert frames.picks_summary(PICKS, ()) == {"prompts": 3, "same": 1, "mean_loss": pytest.approx(1.0)}
    assert frames.picks_summary(PICKS, ("Chat",)) == {"prompts": 2, "same": 1, "mean_loss": pytest.approx(1.0)}
    assert frames.picks_shown(PICKS, ("Chat",), 1)["golden_pick"].to_list() == ["a"]


def test_nested_settings_are_laid_flat() -> None:
    flat = frames.flattened({"profile": "smoke", "test": {"responses": 5, "rates": [0.0, 0.2]}})
    assert flat.rows() == [("profile", "smoke"), ("test.responses", "5"), ("test.rates", "[0.0, 0.2]")]


def test_stage_timings_keep_the_order_of_the_run() -> None:
    manifest = {"stages": {"prompts": {"wall_s": 0.5, "units": 48, "unit": "prompts"}, "scores": {"wall_s": 2}}}
    assert frames.stage_timings(manifest).select("stage", "wall_s", "units").rows() == [
        ("prompts", 0.5, 48),
        ("scores", 2.0, 0),
    ]
