"""A column per reward model, and objects of scores; what is no score is left out and said."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows

ROWS: list[dict[str, Any]] = [{"prompt_id": f"p{p}", "response_id": f"r{r}"} for p in range(2) for r in range(2)]


def test_texts_and_counts_are_no_reward_models(read: Reader) -> None:
    frame = pl.DataFrame(ROWS).with_columns(mild=1.5, stern=0.5, writer=pl.lit("z"), length=7, seed=1, hint_id=3)
    pieces = read({"x.csv": frame})
    assert models(pieces) == ["mild", "stern"]
    assert pieces.notes == ("x.csv: left out columns writer, length, seed, hint_id: no part of scores in wide form",)


def test_a_text_among_numbers_is_a_mistake(read: Reader) -> None:
    frame = pl.DataFrame(ROWS).with_columns(mild=pl.Series(["1", "2", "bad", "3"]), stern=1.0)
    with pytest.raises(InvalidRows, match=r"row 3 .*column mild: got 'bad'; wanted a number"):
        read({"x.csv": frame})


def test_labels_are_no_reward_model(read: Reader) -> None:
    pieces = read({"x.jsonl": [row | {"mild": 1.0, "stern": 2.0, "label": n % 2} for n, row in enumerate(ROWS)]})
    assert models(pieces) == ["mild", "stern"]
    assert pieces.long["label"].to_list() == [0.0, 1.0, 0.0, 1.0] * 2


def test_texts_tell_responses_in_wide_form_too(read: Reader) -> None:
    pieces = read(
        {"x.jsonl": [{"prompt": row["prompt_id"], "response": row["response_id"], "mild": 1.0} for row in ROWS]}
    )
    assert pieces.long.select("prompt_id", "response_id").row(3) == ("prompt-000002", "response-2")


@pytest.mark.parametrize("storage", ["jsonl", "csv", "parquet"])
def test_objects_of_scores_have_a_scorer_for_each_key(read: Reader, storage: str) -> None:
    rows = [row | {"scores": {"mild": float(n), "stern": [-1.0]}} for n, row in enumerate(ROWS)]
    given: Any = rows
    if storage == "parquet":
        given = pl.DataFrame(rows)
    elif storage == "csv":
        given = pl.DataFrame([row | {"scores": json.dumps(row["scores"])} for row in rows])
    scores = by_response(read({f"x.{storage}": given}))
    assert scores["mild", "p1", "r1"] == 3.0
    assert scores["stern", "p0", "r0"] == -1.0


def test_a_key_that_an_object_lacks_is_a_missing_score(read: Reader) -> None:
    rows = [row | {"scores": {"mild": 1.0} | ({"stern": 2.0} if n else {})} for n, row in enumerate(ROWS)]
    pieces = read({"x.jsonl": rows})
    assert by_response(pieces)["stern", "p0", "r0"] is None
    with pytest.raises(InvalidRows, match=r"row 1 .*column scores\.mild: got 'high'; wanted a number"):
        read({"y.jsonl": [{**ROWS[0], "scores": {"mild": "high", "stern": 1.0}}]})
