"""Repeated keys: equal rows count once, items of one id are told apart by order, what is ambiguous is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import tables
from warehouse import exchange
from warehouse.errors import InvalidRows


def test_equal_rows_count_once_and_are_counted(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame()
    paths = [
        files.write(pl.concat([frame, frame.head(4)]), tmp_path / "scores.csv"),
        files.write(frame.tail(3), tmp_path / "again.csv"),
    ]
    imported = import_files(data, paths, "theirs", "auto")
    assert imported.notes == ("repeated ids: 7 rows that repeat others count once",)
    assert tables(data)["score"].height == 2 * frame.height


def test_a_score_stands_for_a_missing_one_of_the_same_key(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame()
    failed = frame.head(1).with_columns(score=pl.lit(None, pl.Float64()))
    imported = import_files(data, [files.write(pl.concat([failed, frame]), tmp_path / "a.csv")], "theirs", "auto")
    assert imported.notes == ("repeated ids: 1 row that repeat others count once",)
    assert tables(data)["response"].height == 24


def items(model: int, *order: int) -> list[dict[str, Any]]:
    """RewardBench's items in an order; 0 and 1 have the same id, with other texts."""
    return [
        {"id": max(number, 1), "subset": "hep-go", "text_chosen": f"good {number}", "text_rejected": f"bad {number}"}
        | {"scores_chosen": number + model, "scores_rejected": number - model}
        for number in order
    ]


def test_items_of_one_id_in_the_same_order_everywhere_get_ids_of_their_own(tmp_path: Path, data: Path) -> None:
    paths = [files.write_items(items(m, 0, 2, 1, 3), tmp_path / f"m{m}.jsonl") for m in range(3)]
    imported = import_files(data, paths, "theirs", "auto")
    assert imported.notes[0] == (
        "repeated ids: 1 prompt id of several items each, told apart by their order, as 'hep-go/1~2'"
    )
    stored = tables(data)
    texts = dict(stored["response"].select("response_id", "text").iter_rows())
    assert texts["initial|hep-go/1#rm|chosen"] == "good 0"
    assert texts["initial|hep-go/1~2#rm|chosen"] == "good 1"
    scores = dict(stored["score"].filter(reward_model_id="m2").select("response_id", "score").iter_rows())
    assert (scores["initial|hep-go/1#rm|chosen"], scores["initial|hep-go/1~2#rm|chosen"]) == (2.0, 3.0)
    preferred = stored["preference"].select("preference_id", "chosen", "rejected").rows()
    assert ("hep-go/1~2|chosen|rejected", "good 1", "bad 1") in preferred


@pytest.mark.parametrize("with_texts", [True, False])
def test_items_of_one_id_that_equal_scores_do_not_confuse(tmp_path: Path, data: Path, with_texts: bool) -> None:
    paths = []
    for m in range(3):
        rows = items(m, 0, 1, 2, 3)
        for row in rows:
            if m == 1:
                row |= {"scores_chosen": 5, "scores_rejected": 1}  # a judge's marks: the same for all items
            if not with_texts:
                del row["text_chosen"], row["text_rejected"]
        paths.append(files.write_items(rows, tmp_path / f"m{m}.jsonl"))
    import_files(data, paths, "theirs", "auto")
    assert "hep-go/1~2#rm" in tables(data)["prompt"]["prompt_id"]


def test_items_of_one_id_in_other_orders_are_left_out(tmp_path: Path, data: Path) -> None:
    orders = ((0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 2, 3))
    paths = [files.write_items(items(m, *order), tmp_path / f"m{m}.jsonl") for m, order in enumerate(orders)]
    imported = import_files(data, paths, "theirs", "auto")
    assert imported.notes[0] == (
        "repeated ids: 1 prompt id of several items in no common order left out, as 'hep-go/1'"
    )
    assert "listed in" in imported.notes[-1]
    assert set(tables(data)["prompt"]["prompt_id"]) == {f"hep-go/{n}#{side}" for n in (2, 3) for side in ("rm", "rl")}


def test_a_response_with_two_scores_of_one_reward_model_is_left_out(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame()
    other = frame.head(1).with_columns(pl.col("score") + 1)
    imported = import_files(data, [files.write(pl.concat([frame, other]), tmp_path / "a.csv")], "theirs", "auto")
    assert imported.notes[0] == (
        "repeated ids: 1 response with several scores of one reward model left out, as 'r0' of 'p0'"
    )
    stored = tables(data)
    assert stored["response"].height == 22
    assert stored["response"].filter(prompt_id="p0#rm")["response_id"].to_list() == [
        "initial|p0#rm|r1",
        "initial|p0#rm|r2",
    ]


def test_a_number_that_makes_an_existing_id_is_not_used(tmp_path: Path) -> None:
    rows = [
        (prompt, response, float(place + number))
        for place, prompt in enumerate(("a", "a", "a~2", "b", "c"))
        for number, response in enumerate(("x", "y"))
    ]
    frame = pl.DataFrame(rows, schema=["prompt_id", "response_id", "one"], orient="row")
    path = files.write(frame.with_columns(two=-pl.col("one")), tmp_path / "a.csv")
    study = exchange.study_of(*exchange.read_files([path]))
    assert study.prompts["prompt_id"].to_list() == ["a~2", "b", "c"]
    assert study.scores.filter(prompt_id="a~2", reward_model="one")["score"].to_list() == [2.0, 3.0]


def test_a_reward_model_that_is_there_twice_throughout_is_refused_with_both_places(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame()
    again = frame.filter(reward_model="mid").with_columns(pl.col("score") + 1)
    paths = [files.write(frame, tmp_path / "a.csv"), files.write(again, tmp_path / "b.csv")]
    with pytest.raises(
        InvalidRows, match=r"b\.csv, row 1 \(line 2\), .* which a\.csv, row 2 \(line 3\) has already, as"
    ):
        import_files(data, paths, "theirs", "auto")
    assert not data.exists()
