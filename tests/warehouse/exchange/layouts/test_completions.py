"""Completions with several scores each, and numbered columns of scores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows


def completions(**more: Any) -> list[dict[str, Any]]:
    return [
        {"instruction": f"Ask {p}", "completions": [{"model": "x", "response": f"{p}-{r}", **more} for r in range(2)]}
        for p in range(2)
    ]


def test_each_score_of_a_completion_is_a_scorer(read: Reader) -> None:
    ratings = {"kind": {"Rating": "4", "Rationale": "so"}, "safe": {"Rating": "N/A", "Rationale": "not so"}}
    pieces = read({"u.jsonl": completions(overall_score=7.5, token_count=12, annotations=ratings)})
    assert models(pieces) == ["kind", "overall_score", "safe"]
    assert by_response(pieces)["kind", "prompt-000001", "response-2"] == 4.0
    assert by_response(pieces)["safe", "prompt-000001", "response-2"] is None


def test_one_score_is_of_the_files_reward_model(read: Reader) -> None:
    pieces = read({"mild.jsonl": completions(score=1.5)})
    assert models(pieces) == ["mild"]
    assert pieces.long["response"].to_list() == ["0-0", "0-1", "1-0", "1-1"]


def best_of_k(**more: Any) -> list[dict[str, Any]]:
    row = {"question_id": "q1", "model_name": "writer", "score_1": [0.5], "score_2": 1.5, "score_10": "2.5"}
    return [row | more]


def test_numbered_scores_are_in_the_order_of_their_numbers(read: Reader) -> None:
    pieces = read({"mild.json": best_of_k(scores=[True, False, True], response_10="ten")})
    assert pieces.long["response_id"].to_list() == ["response-1", "response-2", "response-10"]
    assert pieces.long["score"].to_list() == [0.5, 1.5, 2.5]
    assert pieces.long["label"].to_list() == [1.0, 0.0, 1.0]
    assert pieces.long["response"].to_list() == [None, None, "ten"]
    assert models(pieces) == ["mild"]


def test_another_number_of_labels_is_named(read: Reader) -> None:
    with pytest.raises(InvalidRows, match=r"row 1, column scores: got \[True\]; wanted 3 labels"):
        read({"mild.json": best_of_k(scores=[True])})
