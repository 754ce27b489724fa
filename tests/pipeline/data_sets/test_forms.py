"""The forms in which people write preferences, beyond the page's examples: what becomes of the rows of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.pairs import Reason
from tests.pipeline.data_sets import hub

Rows = list[dict[str, Any]]
Kept = list[tuple[str, str, str]]
Dropped = dict[Reason, int]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def bot(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


TALK = [user("Hi"), bot("Hello"), user("A pun?")]
TALK_TEXT = "Human: Hi\n\nAssistant: Hello\n\nHuman: A pun?"
SIDES = {"chosen": "a", "rejected": "b"}
FULL = {"chosen": [user("p"), bot("a")], "rejected": [user("p"), bot("b")]}
ANSWERS = {"chosen": [bot("a")], "rejected": [bot("b")]}
PAIR = [("p", "a", "b")]
WITH_SYSTEM = [("System: s\n\nHuman: p", "a", "b")]
IN_TALK = [(TALK_TEXT, "a", "b")]

KINDS: dict[str, tuple[Rows, Kept, Dropped]] = {
    # Conversations, with the prompt in them, beside them, or both.
    "answers to messages": ([{"prompt": TALK} | ANSWERS], IN_TALK, {}),
    "one message as each side": ([{"prompt": "p", "chosen": bot("a"), "rejected": bot("b")}], PAIR, {}),
    "messages and the prompt again": ([{"prompt": [user("p")]} | FULL], PAIR, {}),
    "messages and their text again": ([{"prompt": "p", "question": "p"} | FULL], PAIR, {}),
    "a system message only in the prompt": ([{"prompt": [system("s"), user("p")]} | FULL], WITH_SYSTEM, {}),
    "a column for the system prompt": ([{"system": "s"} | FULL], WITH_SYSTEM, {}),
    "a system prompt beside a text": ([{"system_prompt": "s", "prompt": "p"} | SIDES], WITH_SYSTEM, {}),
    "an empty system prompt": ([{"system": " ", "prompt": "p"} | SIDES], PAIR, {}),
    "messages in an object": (
        [{"input": {"messages": [user("p")]}, "preferred_output": [bot("a")], "non_preferred_output": [bot("b")]}],
        PAIR,
        {},
    ),
    "a conversation that ends with the chosen response": (
        [{"conversations": [user("p"), bot("a")], "chosen": bot("a"), "rejected": bot("b")}],
        PAIR,
        {},
    ),
    "roles of every name": (
        [
            {"conversations": [{"from": first, "value": f"{first}?"}], "chosen": {"from": second, "value": "a"}}
            | {"rejected": {"from": second, "value": "b"}}
            for first, second in (("Human", "GPT"), ("USER", "Model"), ("prompter", "bot"), ("user:", "ChatGPT"))
        ],
        [(f"{name}?", "a", "b") for name in ("Human", "USER", "prompter", "user:")],
        {},
    ),
    "parts of texts": (
        [
            {"chosen": [{"role": "user", "content": [{"type": "text", "text": "p"}]}, bot("a")]}
            | {"rejected": [{"role": "user", "content": [{"type": "text", "text": "p"}]}, bot("b")]}
        ],
        PAIR,
        {},
    ),
    "two rejected messages": (
        [{"prompt": "p", "chosen": [bot("a")], "rejected": [bot("b"), bot("c")]}],
        [*PAIR, ("p", "a", "c")],
        {},
    ),
    "the last message and a text": ([{"messages": [*TALK, bot("a")], "rejected_response": "b"}], IN_TALK, {}),
    "two lists of messages": (
        [{"messages": [*TALK, bot("a")], "rejected_messages": [*TALK, bot("b")]}],
        IN_TALK,
        {},
    ),
    "query and response": (
        [{"query": "A pun?", "response": "a", "rejected_response": "b", "history": [["Hi", "Hello"]]}],
        IN_TALK,
        {},
    ),
    # Texts.
    "an input that may be missing": (
        [{"instruction": "p", "input": None} | SIDES, {"instruction": "q", "input": "x"} | SIDES],
        [*PAIR, ("q\nx", "a", "b")],
        {},
    ),
    "an input that is no text in one row": (
        [{"instruction": "p", "input": {"x": 1}} | SIDES, {"instruction": "q", "input": "x"} | SIDES],
        [("q\nx", "a", "b")],
        {Reason.UNREADABLE: 1},
    ),
    "a passage beside the question": ([{"question": "p", "context": "x"} | SIDES], [("p\nx", "a", "b")], {}),
    "an input that repeats the prompt": ([{"prompt": "p", "input": "p"} | SIDES], PAIR, {}),
    "a prompt that ends where the assistant begins": (
        [{"prompt": "\n\nHuman: p\n\nAssistant:"} | SIDES],
        PAIR,
        {},
    ),
    "a prompt that a template wrote": (
        [{"prompt": "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\n"} | SIDES],
        WITH_SYSTEM,
        {},
    ),
    "two texts that begin otherwise": (
        [{"chosen": "It is so.", "rejected": "It is not."}, {"chosen": "Yes.", "rejected": "No."}],
        [("It is", "so.", "not.")],
        {Reason.NO_PROMPT: 1},
    ),
    "several chosen and rejected": (
        [{"prompt": "p", "chosen": ["a", "c"], "rejected": ["b", "d"]}],
        [("p", chosen, rejected) for chosen in "ac" for rejected in "bd"],
        {},
    ),
    "several rejected conversations": (
        [{"prompt": "p", "chosen": [[bot("a")]], "rejected": [[bot("b")], [bot("c")]]}],
        [*PAIR, ("p", "a", "c")],
        {},
    ),
    "sides of every kind in one column": (
        [
            {"prompt": "p", "chosen": "a", "rejected": [bot("b")]},
            {"prompt": [user("q")], "chosen": [bot("a")], "rejected": 7},
            {"prompt": "r", "chosen": {"text": "a"}, "rejected": ["b", "c"]},
        ],
        [*PAIR, ("q", "a", "7"), ("r", "a", "b"), ("r", "a", "c")],
        {},
    ),
    "places in a list of responses": (
        [
            {"prompt": prompt, "responses": ["b", "a"], "chosen": chosen, "rejected": 0}
            for prompt, chosen in (("p", 1), ("q", 2))
        ],
        PAIR,
        {Reason.UNREADABLE: 1},
    ),
    "objects with a score each": (
        [
            {"prompt": prompt, "chosen": {"text": "a", "score": score}, "rejected": {"text": "b", "score": 1}}
            for prompt, score in (("p", 2), ("q", 1))
        ],
        PAIR,
        {Reason.TIE: 1},
    ),
    "capital names": ([{"Prompt": "p", "Chosen": "a", "Rejected": "b"}], PAIR, {}),
    "text that happens to be JSON": (
        [{"prompt": "p", "chosen": '["a"]', "rejected": '{"content": "b"}'}],
        [("p", '["a"]', '{"content": "b"}')],
        {},
    ),
    # Two responses and a verdict.
    "a verdict in words": (
        [
            {"prompt": str(number), "response_a": "a", "response_b": "b", "winner": winner}
            for number, winner in enumerate(["A", "[[A]]", "model_a", "Response A", "A>>B", "B<A", "a", "left"])
        ],
        [(str(number), "a", "b") for number in range(8)],
        {},
    ),
    "a verdict that is none": (
        [
            {"prompt": "p", "response_a": "a", "response_b": "b", "winner": winner}
            for winner in ["A", "tie", "both_bad", "tie (bothbad)", "A=B", None, "perhaps"]
        ],
        PAIR,
        {Reason.TIE: 4, Reason.UNRATED: 1, Reason.UNREADABLE: 1},
    ),
    "an index from one": (
        [
            {"prompt": prompt, "output_1": "a", "output_2": "b", "preference": index}
            for prompt, index in (("p", 1), ("q", 2), ("r", 1.5), ("s", 0))
        ],
        [*PAIR, ("q", "b", "a")],
        {Reason.TIE: 2},
    ),
    "an index from zero": (
        [
            {"prompt": prompt, "response_0": "a", "response_1": "b", "chosen": index}
            for prompt, index in (("p", 0), ("q", 1))
        ],
        [*PAIR, ("q", "b", "a")],
        {},
    ),
    "a score each": (
        [
            {"question": prompt, "answer_1": "a", "answer_2": "b", "score_1": first, "score_2": second}
            for prompt, first, second in (("p", 2, 1), ("q", 1, 2), ("r", 1, 1), ("s", None, 1))
        ],
        [*PAIR, ("q", "b", "a")],
        {Reason.TIE: 1, Reason.UNRATED: 1},
    ),
    "equal scores beside a verdict": (
        [
            {"history": prompt, "human_ref_A": "a", "human_ref_B": "b", "labels": 1, "score_A": 5, "score_B": second}
            for prompt, second in (("p", 3), ("q", 5))
        ],
        PAIR,
        {Reason.TIE: 1},
    ),
    "a model's replies turn by turn": (
        [
            {"prompt": ["Hi", "A pun?"], "response_a": ["Hello", "a"], "response_b": [second, "b"]}
            | {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}
            for second in ("Hello", "Bye")
        ],
        IN_TALK,
        {Reason.PROMPTS_DIFFER: 1},
    ),
    # Ranked and rated responses.
    "responses and rewards": ([{"prompt": "p", "responses": ["b", "a"], "rewards": [0.1, 0.2]}], PAIR, {}),
    "ranks, the lowest the best": ([{"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]}], PAIR, {}),
    "objects with scores": (
        [{"question": "p", "answers": [{"text": "b", "pm_score": 1}, {"text": "a", "pm_score": 2}]}],
        PAIR,
        {},
    ),
    "scores that are missing": (
        [
            {"prompt": prompt, "generations": ["a", "b"], "ratings": ratings}
            for prompt, ratings in (("p", [2, 1]), ("q", [1]), ("r", None), ("s", [1, None]), ("t", [3, 3]))
        ],
        PAIR,
        {Reason.UNREADABLE: 1, Reason.UNRATED: 2, Reason.TIE: 1},
    ),
    "a row for each response": (
        [
            {"prompt": prompt, "response": response, "score": score}
            for prompt, response, score in (("p", "b", 1), ("q", "a", 1), ("p", "a", 2), ("r", "a", 1), ("r", "b", 1))
        ],
        PAIR,
        {Reason.SINGLE: 1, Reason.TIE: 1},
    ),
    "turns in HelpSteer2's prompts": (
        [
            {"prompt": "Hi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nA pun?", "response": response}
            | {"helpfulness": helpfulness, "correctness": 1, "coherence": 1}
            for response, helpfulness in (("b", 1), ("a", 3))
        ],
        IN_TALK,
        {},
    ),
}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_each_kind_become_pairs(kind: str, form: str, tmp_path: Path) -> None:
    rows, kept, dropped = KINDS[kind]
    if form == "jsonl":
        path = hub.jsonl(tmp_path / "file.jsonl", rows)
    else:
        try:
            path = hub.parquet(tmp_path / "file.parquet", rows)
        except (pl.exceptions.PolarsError, TypeError):
            pytest.skip("Parquet has no column of texts and lists")
    pairs, counts, _ = gather([str(path)], Rules(validation_share=0))
    assert sorted(pairs.select("prompt", "chosen", "rejected").rows()) == sorted(kept)
    assert {reason: counts[reason].sum() for reason in Reason if counts[reason].sum()} == dropped
    assert counts["rows"].sum() == len(rows)


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        *(("score_chosen", "score_rejected"), ("chosen_score", "rejected_score"), ("chosen-rating", "rejected-rating")),
        *(("rating_chosen", "rating_rejected"), ("chosenScore", "rejectedScore"), ("reward_chosen", "reward_rejected")),
        *(("chosen_avg_rating", "rejected_avg_rating"), ("rewards_chosen", "rewards_rejected")),
        *(("chosen.score", "rejected.score"), ("chosen_grade", "rejected_grade"), ("Chosen Score", "Rejected Score")),
    ],
)
def test_equal_scores_are_a_tie_whatever_they_are_called(chosen: str, rejected: str, tmp_path: Path) -> None:
    rows = [{"prompt": f"p{n}", **SIDES, chosen: first, rejected: 2} for n, first in enumerate((3, 2, 2.0, None))]
    for sides in (SIDES, ANSWERS):
        path = hub.jsonl(tmp_path / "file.jsonl", [row | sides for row in rows])
        counts = gather([str(path)]).counts
        assert counts.select("kept", str(Reason.TIE)).row(0) == (2, 2)


def test_lengths_are_no_scores(tmp_path: Path) -> None:
    path = hub.jsonl(tmp_path / "file.jsonl", [{"prompt": "p", **SIDES, "chosen_tokens": 3, "rejected_tokens": 3}])
    gathered = gather([str(path)])
    assert gathered.pairs.height == 1
    assert gathered.remarks == ("file.jsonl read as own; columns left out: chosen_tokens, rejected_tokens",)


BAD_TURNS = {
    "a tool's turn": ({"role": "tool", "content": "x"}, Reason.UNKNOWN_ROLE),
    "a role of no known name": ({"role": "narrator", "content": "x"}, Reason.UNKNOWN_ROLE),
    "no role": ({"content": "x"}, Reason.UNREADABLE),
    "no content": ({"role": "assistant", "content": None}, Reason.UNREADABLE),
    "an image": ({"role": "user", "content": [{"type": "image", "image": "x"}]}, Reason.UNREADABLE),
}


@pytest.mark.parametrize("kind", BAD_TURNS)
def test_a_bad_turn_drops_its_row_only(kind: str, tmp_path: Path) -> None:
    turn, reason = BAD_TURNS[kind]
    bad = {"chosen": [user("q"), turn, bot("a")], "rejected": [user("q"), turn, bot("b")]}
    pairs, counts, remarks = gather([str(hub.jsonl(tmp_path / "file.jsonl", [FULL, bad]))])
    assert pairs.height == 1
    assert counts[reason].item() == 1
    assert remarks[1].startswith(f"file.jsonl: {reason}, first in row 2, column chosen: got ")
