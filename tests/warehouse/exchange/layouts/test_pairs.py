"""Chosen and rejected responses with scores under any of their names, by one or several scorers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows

ITEMS = [
    {"id": number, "prompt": f"Ask {number}", "chosen": f"yes {number}", "rejected": f"no {number}"}
    for number in (1, 2)
]


def scored(**columns: Any) -> list[dict[str, Any]]:
    return [item | {name: value + item["id"] for name, value in columns.items()} for item in ITEMS]


NAMES = [
    *("score_{}", "scores_{}", "reward_{}", "rewards_{}", "rm_score_{}", "logit_{}"),
    *("{}_score", "{}_scores", "{}_reward", "{}_rewards", "{}_rating", "{}-rating", "{}_rm_score"),
]


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_found_under_their_common_names(read: Reader, name: str) -> None:
    pieces = read({"mild.jsonl": scored(**{name.format("chosen"): 1.5, name.format("rejected"): -1.0})})
    assert by_response(pieces)["mild", "1", "chosen"] == 2.5
    assert by_response(pieces)["mild", "2", "rejected"] == 1.0
    assert by_response(pieces, "label")["mild", "1", "rejected"] == 0.0
    assert pieces.pairs.select("prompt_id", "chosen_id", "rejected_id").row(0) == ("1", "chosen", "rejected")
    assert pieces.long["response"].to_list() == ["yes 1", "no 1", "yes 2", "no 2"]


def test_numbers_alone_are_scores_of_items_by_place(read: Reader) -> None:
    rows = [{"chosen": 1.0, "rejected": 0.5}, {"chosen": 2.0, "rejected": 3.0}]
    pieces = read({"a/generated_predictions.jsonl": rows, "b/generated_predictions.jsonl": rows})
    assert models(pieces) == ["a", "b"]
    assert by_response(pieces)["b", "item-000002", "rejected"] == 3.0


def test_prefixed_columns_are_scorers_of_their_names(read: Reader) -> None:
    columns = {"mild_chosen": 1.0, "mild_rejected": 0.0, "rejected_stern": 2.0, "chosen_stern": 5.0}
    pieces = read({"a.jsonl": [row | {"chosen_length": 4, "rejected_length": 2} for row in scored(**columns)]})
    assert models(pieces) == ["mild", "stern"]
    assert by_response(pieces)["stern", "1", "chosen"] == 6.0


def test_objects_of_scores_are_scorers_and_of_files_of_their_own_where_names_meet(read: Reader) -> None:
    both = [{"score_chosen": {"kind": 1.0, "safe": 2.0}, "score_rejected": {"kind": 0.0, "safe": 3.0}}] * 2
    rows = [item | scores for item, scores in zip(ITEMS, both, strict=True)]
    assert models(read({"a.jsonl": rows})) == ["kind", "safe"]
    pieces = read({"a.jsonl": rows, "b.jsonl": rows})
    assert models(pieces) == ["a:kind", "a:safe", "b:kind", "b:safe"]
    assert any("named by file and column" in note for note in pieces.notes)


def test_several_scores_of_one_text_are_an_error_that_names_the_column(read: Reader) -> None:
    rows = [item | {"scores_chosen": [1.0, 2.0], "scores_rejected": [0.0, 0.5]} for item in ITEMS]
    with pytest.raises(InvalidRows, match=r"row 1 .*column scores_chosen: got 2 scores for one text"):
        read({"a.jsonl": rows})


def test_one_side_alone_is_an_error(read: Reader) -> None:
    with pytest.raises(InvalidRows, match=r"column score_rejected: .*both sides need one: add column score_rejected"):
        read({"a.jsonl": scored(score_chosen=1.0)})


def test_results_alone_are_refused(read: Reader) -> None:
    rows = [{"id": 1, "text_chosen": "a", "text_rejected": "b", "results": 1}]
    for empty in ({}, {"scores_chosen": None, "scores_rejected": None}):
        with pytest.raises(InvalidRows, match="column results: results without scores; a measure needs the score"):
            read({"a.jsonl": [row | empty for row in rows]})


def test_ids_that_start_again_in_each_subset_have_it_before_them(read: Reader) -> None:
    rows = [
        {"id": 0, "subset": subset, "text_chosen": "a", "text_rejected": "b", "scores_chosen": 1, "scores_rejected": 0}
        for subset in ("hep-go", "hep-js")
    ]
    assert set(read({"a.jsonl": rows}).long["prompt_id"]) == {"hep-go/0", "hep-js/0"}


def test_plain_texts_are_taken_before_those_in_a_template(read: Reader) -> None:
    rows = [
        row | {"text_chosen": "<s> yes", "text_rejected": "<s> no"}
        for row in scored(scores_chosen=1.0, scores_rejected=0.0)
    ]
    assert "yes 1" in read({"a_outputs.jsonl": rows}).long["response"].to_list()


def test_texts_in_templates_are_joined_by_id_with_those_of_the_first_file(read: Reader) -> None:
    def rows(template: str) -> list[dict[str, Any]]:
        given = {"id": 1, "scores_chosen": 1.0, "scores_rejected": 0.0}
        return [given | {"text_chosen": template.format("yes"), "text_rejected": template.format("no")}]

    pieces = read({"a.jsonl": rows("<user>{}"), "b.jsonl": rows("[INST]{}"), "c.jsonl": rows("<user>{}")})
    assert set(pieces.long["response"]) == {"<user>yes", "<user>no"}
    assert any("in 1 other file" in note and "texts of a.jsonl" in note for note in pieces.notes)


def test_items_without_ids_in_another_order_are_the_same_by_their_texts(read: Reader) -> None:
    rows = [
        {name: value for name, value in row.items() if name != "id"}
        for row in scored(score_chosen=1.0, score_rejected=0.0)
    ]
    pieces = read({"a.jsonl": rows, "b.jsonl": rows[::-1]})
    scores = by_response(pieces)
    assert scores["a", "item-000001", "chosen"] == scores["b", "item-000001", "chosen"] == 2.0


def test_messages_give_prompt_and_response(read: Reader) -> None:
    def turns(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Ask"}, {"role": "assistant", "content": answer}]

    rows = [{"chosen": turns("yes"), "rejected": turns("no"), "chosen_rewards": 1.0, "rejected_rewards": 0.0}]
    long = read({"a.jsonl": rows}).long
    assert long["prompt"].to_list() == ["Ask", "Ask"]
    assert long["response"].to_list() == ["yes", "no"]


@pytest.mark.parametrize("as_text", [False, True])
def test_rmb_has_objects_and_a_conversation(read: Reader, as_text: bool) -> None:
    row: dict[str, Any] = {
        "pair_uid": "7",
        "conversation_input": "[{'content': 'Ask', 'language': 'English', 'role': 'user'}]",
        "chosen": {"llm_name": "x", "answer": "yes"},
        "reject": {"llm_name": "y", "answer": "no"},
        "category_path": "Pairwise_set/Harmlessness/S1",
    }
    row = {name: str(value) if as_text else value for name, value in row.items()}
    long = read({"mild_result.json": [row | {"chosen_reward": 1.5, "reject_reward": 0.5, "is_correct": 1}]}).long
    assert long.select("prompt", "response", "score", "reward_model", "category", "subset").rows() == [
        ("Ask", "yes", 1.5, "mild", "Harmlessness", "S1"),
        ("Ask", "no", 0.5, "mild", "Harmlessness", "S1"),
    ]


def test_trls_table_of_samples_has_both_scores_in_one_list(read: Reader) -> None:
    frame = pl.DataFrame({"chosen_text": ["yes"], "rejected_text": ["no"], "logits": ["[1.5, -0.5]"]})
    assert read({"mild.csv": frame}).long["score"].to_list() == [1.5, -0.5]


def test_columns_that_no_form_needs_are_named_once_for_all_files(read: Reader) -> None:
    rows = scored(score_chosen=1.0, score_rejected=0.0, tokens=3, margin=1, results=1)
    left_out = "a.jsonl and 1 more: left out columns tokens, margin: no part of chosen and rejected responses"
    assert left_out in read({"a.jsonl": rows, "b.jsonl": rows}).notes


def test_a_response_under_the_id_of_another_is_an_error_that_names_both_files(read: Reader) -> None:
    rows = [{"id": n, "chosen": "yes", "rejected": "no", "score_chosen": 1.0, "score_rejected": 0.0} for n in range(2)]
    swapped = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    templates = [row | {"chosen": "<s>yes", "rejected": "<s>no"} for row in rows]
    assert "chat template" in read({"a.jsonl": rows, "b.jsonl": templates}).notes[0]
    message = "c.jsonl, row 1: response 'chosen' of prompt '0' has the text that response 'rejected' has in a.jsonl"
    with pytest.raises(InvalidRows, match=message):
        read({"a.jsonl": rows, "b.jsonl": templates, "c.jsonl": swapped})
