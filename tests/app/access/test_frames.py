"""`app/access/frames.py`: results as tables."""

from __future__ import annotations

import polars as pl
import pytest

from app.access import frames
from tests.helpers.small import NAMES, REWARD_MODELS, evaluation, pairs
from warehouse.study.correlation import Correlation


def test_every_pair_but_the_identity_is_a_row_with_its_own_figures() -> None:
    table = frames.pairs(evaluation(), REWARD_MODELS)
    assert table.height == 6
    assert table.filter(pl.col("golden") == pl.col("proxy")).is_empty()
    row = table.row(by_predicate=(pl.col("golden") == NAMES[2]) & (pl.col("proxy") == NAMES[0]), named=True)
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


def test_a_correlation_is_a_row_with_both_its_questions_and_the_plain_figure_over_the_ceiling() -> None:
    row = frames.correlation_of(evaluation().correlations["kendall"])
    assert tuple(row) == frames.CORRELATION
    assert (row["value"], row["measure_itself"], row["sample"]) == (0.5, 0.55, 0.45)
    assert row["of_ceiling"] == pytest.approx(0.45 / 0.9)
    assert set(frames.correlation_of(Correlation(None, None, None, 0)).values()) == {None}
