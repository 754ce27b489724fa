"""A score a row: ids or texts, reward models by a column or by the file, and columns that are no scores."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows

KEYS = [(f"p{p}", f"r{r}") for p in range(2) for r in range(2)]


def rows(prompt: str, response: str, **more: Any) -> list[dict[str, Any]]:
    return [{prompt: p, response: r} | more | {"score": float(n)} for n, (p, r) in enumerate(KEYS)]


def test_other_columns_are_left_out_and_said(read: Reader) -> None:
    pieces = read({"x.jsonl": rows("prompt_id", "response_id", reward_model="mild", tokens=3, writer="z")})
    assert pieces.notes == ("x.jsonl: left out columns tokens, writer: no part of scores in long form",)
    assert by_response(pieces)["mild", "p1", "r0"] == 2.0


@pytest.mark.parametrize(
    ("prompt", "response", "model"), [("question_id", "answer_id", "judge"), ("query_id", "completion_id", "scorer")]
)
def test_ids_may_have_other_names(read: Reader, prompt: str, response: str, model: str) -> None:
    pieces = read({"x.jsonl": rows(prompt, response, **{model: "mild"})})
    assert by_response(pieces)["mild", "p0", "r1"] == 1.0


def test_without_ids_texts_tell_prompts_and_responses(read: Reader) -> None:
    given = [{"input": p, "output": r, "reward": 1.0} for p, r in KEYS]
    pieces = read({"mild.jsonl": given, "stern.jsonl": given[::-1]})
    assert models(pieces) == ["mild", "stern"]
    assert pieces.long["prompt_id"].n_unique() == 2
    assert pieces.long.n_unique(["prompt_id", "response_id"]) == 4


def test_texts_find_the_ids_that_another_file_gives(read: Reader) -> None:
    named = [
        row | {"prompt": f"Ask {row['prompt_id']}", "response": row["response_id"]}
        for row in rows("prompt_id", "response_id", reward_model="mild")
    ]
    texts = [{"prompt": f"Ask {p} ", "response": r, "reward": 9.0} for p, r in KEYS]
    scores = by_response(read({"a.jsonl": named, "stern.jsonl": texts}))
    assert scores["stern", "p1", "r1"] == 9.0
    assert len(scores) == 8


@pytest.mark.parametrize("names", [("role", "content", "user", "assistant"), ("from", "value", "human", "gpt")])
def test_a_conversation_is_prompt_and_response(read: Reader, names: tuple[str, str, str, str]) -> None:
    role, content, user, assistant = names
    given = [{"messages": [{role: user, content: p}, {role: assistant, content: r}], "score": 1.0} for p, r in KEYS]
    long = read({"mild.jsonl": given}).long
    assert long.select("prompt", "response").rows() == KEYS


def test_model_is_a_reward_model_where_each_response_has_several(read: Reader) -> None:
    both = [row for name in ("mild", "stern") for row in rows("prompt_id", "response_id", model=name)]
    assert models(read({"x.jsonl": both})) == ["mild", "stern"]
    writers = [row | {"model": f"writer-{n}"} for n, row in enumerate(rows("prompt_id", "response_id"))]
    assert models(read({"x.jsonl": writers})) == ["x"]


@pytest.mark.parametrize("label", [True, 1, "true", "1", "Correct", "pass", "chosen"])
def test_labels_are_read_and_said(read: Reader, label: object) -> None:
    pieces = read({"x.jsonl": rows("prompt_id", "response_id", reward_model="mild", is_correct=label)})
    assert pieces.long["label"].to_list() == [1.0] * 4
    assert pieces.notes == ("x.jsonl: column is_correct read as labels of the responses",)


def test_scores_in_brackets_are_numbers_and_several_are_an_error(read: Reader) -> None:
    nested = [row | {"score": [[row["score"]]]} for row in rows("prompt_id", "response_id", reward_model="mild")]
    assert read({"x.jsonl": nested}).long["score"].to_list() == [0.0, 1.0, 2.0, 3.0]
    several = [row | {"score": [1.0, 2.0]} for row in nested]
    with pytest.raises(InvalidRows, match=r"row 1 .*column score: got 2 scores for one text"):
        read({"x.jsonl": several})


def test_what_a_row_lacks_is_said(read: Reader) -> None:
    with pytest.raises(InvalidRows, match=r"missing \['response_id'\].*or prompt and response instead of ids"):
        read({"x.csv": pl.DataFrame({"prompt_id": ["p"], "score": [1.0]})})
    with pytest.raises(InvalidRows, match=r"x\.csv, row 1: no known form of scores: got columns \['hue'\]"):
        read({"x.csv": pl.DataFrame({"hue": [1.0]})})


def test_an_input_beside_an_instruction_is_part_of_the_prompt(read: Reader) -> None:
    given = [{"instruction": "Ask", "input": p, "output": r, "reward": 1.0} for p, r in KEYS]
    long = read({"mild.jsonl": [*given, {"instruction": "Ask", "input": "", "output": "r0", "reward": 1.0}]}).long
    assert long["prompt"].to_list() == ["Ask\np0", "Ask\np0", "Ask\np1", "Ask\np1", "Ask"]
    assert long["prompt_id"].n_unique() == 3


def test_an_empty_response_is_one_and_an_empty_prompt_is_none(read: Reader) -> None:
    given = [{"input": "Ask", "output": text, "reward": 1.0} for text in ("yes", "")]
    assert read({"mild.jsonl": given}).long["response_id"].to_list() == ["response-1", "response-2"]
    with pytest.raises(InvalidRows, match=r"row 1 .*column input: got ''; without ids every row needs a prompt"):
        read({"mild.jsonl": [{"input": "", "output": "yes", "reward": 1.0}]})


def test_turns_that_call_tools_and_parts_that_are_no_text_are_in_the_prompt(read: Reader) -> None:
    def row(image: str) -> dict[str, Any]:
        parts = [{"type": "image", "url": image}, {"type": "text", "text": "Ask"}]
        turns: list[dict[str, Any]] = [
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None},
            {"role": "tool", "content": "42"},
            {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
        ]
        return {"messages": turns, "score": 1.0}

    long = read({"mild.jsonl": [row("one.png"), row("two.png")]}).long
    assert long["prompt"].str.replace("<image [0-9a-f]{8}>", "").to_list() == ["Ask\n\n42"] * 2
    assert long["prompt"].n_unique() == long["prompt_id"].n_unique() == 2
    assert long["response"].to_list() == ["yes", "yes"]
    plain = read({"mild.jsonl": [{"prompt": [{"type": "text", "text": "Ask"}], "response": "yes", "score": 1.0}]})
    assert plain.long["prompt"].to_list() == ["Ask"]
