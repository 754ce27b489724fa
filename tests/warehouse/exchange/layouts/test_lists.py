"""A row a prompt: lists of responses and scores in every storage, and which responses are right."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows

ROWS = [{"prompt": f"Ask {p}", "responses": [f"{p}-{r}" for r in range(3)]} for p in range(2)]
SCORES = [[0.5, 1.5, -1.0], [2.0, 0.0, 1.0]]


def scored(name: str = "rewards", scores: Any = SCORES) -> list[dict[str, Any]]:
    return [row | {name: given} for row, given in zip(ROWS, scores, strict=True)]


@pytest.mark.parametrize("storage", ["jsonl", "json", "parquet", "csv", "nested"])
def test_lists_of_any_storage_are_the_same(read: Reader, storage: str) -> None:
    rows: Any = scored()
    suffix = "jsonl" if storage == "nested" else storage
    if storage == "nested":
        rows = scored(scores=[[[score] for score in given] for given in SCORES])
    elif storage == "parquet":
        rows = pl.DataFrame(rows)
    elif storage == "csv":
        rows = pl.DataFrame([{k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()} for row in rows])
    pieces = read({f"mild.{suffix}": rows})
    assert by_response(pieces)["mild", "prompt-000002", "response-1"] == 2.0
    assert pieces.long["response"].to_list() == [text for row in ROWS for text in row["responses"]]


def test_files_in_another_order_are_told_by_their_texts(read: Reader) -> None:
    pieces = read(
        {"a.jsonl": scored(), "b.jsonl": [row | {"responses": row["responses"][::-1]} for row in scored()[::-1]]}
    )
    scores = by_response(pieces)
    assert scores["a", "prompt-000001", "response-1"] == 0.5
    assert scores["b", "prompt-000001", "response-1"] == -1.0


def test_the_same_text_twice_is_two_responses(read: Reader) -> None:
    pieces = read({"a.jsonl": [{"prompt": "Ask", "responses": ["yes", "yes", "no"], "rewards": [1.0, 2.0, 3.0]}]})
    assert [by_response(pieces)["a", "prompt-000001", f"response-{n}"] for n in (1, 2, 3)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "scores",
    [
        {"scores": [{"kind": 1.0, "safe": 2.0}, {"kind": 0.0, "safe": 3.0}]},
        {"scores": {"kind": [1.0, 0.0], "safe": [2.0, 3.0]}},
        {"kind": [1.0, 0.0], "safe": [2.0, 3.0], "tokens": [4, 5]},
    ],
)
def test_several_scorers_are_named_by_keys_or_columns(read: Reader, scores: dict[str, Any]) -> None:
    pieces = read({"a.jsonl": [{"prompt": f"Ask {p}", "responses": ["yes", "no"]} | scores for p in range(2)]})
    assert models(pieces) == ["kind", "safe"]
    assert by_response(pieces)["safe", "prompt-000001", "response-2"] == 3.0


def test_the_first_num_correct_of_rewardbench_2_are_right(read: Reader) -> None:
    given = {"id": ["tied:3", "0"], "subset": ["Ties", "Math"], "num_correct": [2, 1], "model": "lab/mild"}
    texts = [["a", "b", "c"], ["d", "e"]]
    pieces = read({"x.json": {"text": texts, "scores": [[3.0, 2.0, 1.0], [0.5, 1.0]]} | given})
    labels = by_response(pieces, "label")
    assert models(pieces) == ["lab/mild"]
    assert [labels["lab/mild", "Ties/tied:3", name] for name in ("chosen-1", "chosen-2", "rejected")] == [1, 1, 0]
    assert pieces.pairs.height == 2 + 1


def test_lists_of_right_and_wrong_are_labels(read: Reader) -> None:
    pieces = read({"a.jsonl": [row | {"correct": [True, False, False]} for row in scored()]})
    assert pieces.long["label"].to_list() == [1.0, 0.0, 0.0] * 2
    assert pieces.pairs.is_empty()


def test_assistant_messages_are_several_responses_and_conversations_have_the_prompt(read: Reader) -> None:
    answers = [[{"role": "assistant", "content": text} for text in row["responses"]] for row in ROWS]
    plain = read({"a.jsonl": [row | {"responses": given} for row, given in zip(scored(), answers, strict=True)]})
    assert plain.long["response"].to_list() == [text for row in ROWS for text in row["responses"]]
    asked = {"role": "user", "content": "Ask"}
    whole = [{"responses": [[asked, answer] for answer in given], "rewards": [1, 2, 3]} for given in answers[:1]]
    assert read({"b.jsonl": whole}).long["prompt"].to_list() == ["Ask"] * 3


def test_prompts_without_ids_and_texts_are_told_by_their_places(read: Reader) -> None:
    rows = [{"responses": row["responses"], "rewards": row["rewards"]} for row in scored()]
    assert set(read({"a.jsonl": rows}).long["prompt_id"]) == {"item-000001", "item-000002"}


def test_another_number_of_scores_is_named(read: Reader) -> None:
    with pytest.raises(
        InvalidRows, match=r"row 1 .*column rewards: got \[1\.0\]; wanted 3 scores, one for each response"
    ):
        read({"a.jsonl": scored(scores=[[1.0], [2.0]])})
