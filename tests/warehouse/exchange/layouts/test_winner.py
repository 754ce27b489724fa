"""Two responses and a winner, in all usual spellings; ties are no preference, decisions are no scores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models
from warehouse.errors import InvalidRows

FIRST = ["A", "a", "model_a", "Model A", "response_a", "[[A]]", "A>B", "A>>B", "B<A", "assistant_a", "first", "left"]
SECOND = ["B", "model_b", "[[B]]", "B>A", "A<<B", "second"]
TIES = ["tie", "Tie", "tie (bothbad)", "both_bad", "A=B", "draw", "equal", "neither", "[[C]]"]


def battle(winner: object, **more: Any) -> list[dict[str, Any]]:
    row = {"question_id": "q", "prompt": "Ask", "response_a": "yes", "response_b": "no", "score_a": 1.5, "score_b": 0.5}
    return [row | {"winner": winner} | more]


@pytest.mark.parametrize("winner", [*FIRST, *SECOND, *TIES])
def test_a_winner_is_understood(read: Reader, winner: str) -> None:
    pieces = read({"mild.jsonl": battle(winner)})
    label = 1.0 if winner in FIRST else 0.0 if winner in SECOND else 0.5
    labels = by_response(pieces, "label")
    assert labels["mild", "q", "response-1"] == label
    assert labels["mild", "q", "response-2"] == 1 - label
    assert pieces.pairs.height == (0 if winner in TIES else 1)


@pytest.mark.parametrize(("winner", "label"), [(1, 1.0), (2, 0.0), ("1.0", 1.0), ("response_2", 0.0), ("model_1", 1.0)])
def test_responses_may_be_numbered(read: Reader, winner: object, label: float) -> None:
    row = {"prompt": "Ask", "response_1": "yes", "response_2": "no", "reward_1": 2.0, "reward_2": 1.0}
    pieces = read({"mild.jsonl": [row | {"preference": winner}]})
    assert by_response(pieces, "label")["mild", "item-000001", "response-1"] == label


def test_numbers_from_zero_name_the_columns(read: Reader) -> None:
    row = {"prompt": "Ask", "response_0": "yes", "response_1": "no", "score_0": 2.0, "score_1": 1.0}
    pieces = read({"mild.jsonl": [row | {"better_response_id": 1}]})
    assert by_response(pieces, "label")["mild", "item-000001", "response-1"] == 0.0


def test_a_zero_for_a_or_b_is_an_error(read: Reader) -> None:
    with pytest.raises(
        InvalidRows, match="column winner: got 0; it may mean the first or no preference; wanted a, b or"
    ):
        read({"mild.jsonl": battle(0)})
    with pytest.raises(InvalidRows, match="column winner: got 'perhaps'; wanted a, b or tie"):
        read({"mild.jsonl": battle("perhaps")})


def test_a_winner_may_be_named_or_be_one_of_two_columns(read: Reader) -> None:
    writers = {"model_a": "scribe", "model_b": "quill"}
    named = read({"mild.jsonl": battle("quill", **writers)})
    assert by_response(named, "label")["mild", "q", "response-1"] == 0.0
    (row,) = battle(None, winner_model_a=0, winner_model_b=0, winner_tie=1)
    del row["winner"]
    assert by_response(read({"mild.jsonl": [row]}), "label")["mild", "q", "response-1"] == 0.5


def test_without_a_winner_there_are_scores_alone(read: Reader) -> None:
    pieces = read({"mild.jsonl": battle(None)})
    assert pieces.long["label"].null_count() == 2
    assert pieces.long["score"].to_list() == [1.5, 0.5]


def test_prefixed_columns_are_scorers_of_their_names(read: Reader) -> None:
    row = {"prompt": "Ask", "response_a": "yes", "response_b": "no", "winner": "a", "tokens_a": 3, "tokens_b": 4}
    assert models(read({"x.jsonl": [row | {"mild_a": 1.0, "mild_b": 0.5, "stern_a": 2.0, "stern_b": 3.0}]})) == [
        "mild",
        "stern",
    ]


def test_a_winner_without_scores_is_a_preference_beside_scores(read: Reader) -> None:
    rows = [{"prompt": "Ask", "response_a": "yes", "response_b": "no", "winner": winner} for winner in ("b", "tie")]
    pieces = read({"x.jsonl": rows})
    assert pieces.preferences.select("prompt", "chosen", "rejected").rows() == [("Ask", "no", "yes")]
    assert pieces.notes == ("x.jsonl: 1 tie left out, no preference",)


def judgebench(judgment: dict[str, Any]) -> list[dict[str, Any]]:
    row = {"pair_id": "p", "source": "invented-law", "question": "Ask", "response_A": "yes", "response_B": "no"}
    return [
        row | {"label": "B>A", "judgments": [{"judgment": {"judge_model": "lab/mild"} | judgment, "decision": "A>B"}]}
    ]


def test_judgebench_has_scores_in_its_first_judgment(read: Reader) -> None:
    pieces = read({"x.jsonl": judgebench({"scores": [1.5, [0.5]]})})
    assert by_response(pieces)["lab/mild", "p", "response-2"] == 0.5
    assert by_response(pieces, "label")["lab/mild", "p", "response-2"] == 1.0
    assert set(pieces.long["subset"]) == {"invented-law"}


@pytest.mark.parametrize(
    "rows",
    [
        judgebench({"response": "A is better"}),
        [{"question_id": 1, "model_1": "x", "model_2": "y", "g1_winner": "model_1", "g2_winner": "tie", "judge": "z"}],
        [{"instruction": "Ask", "output_1": "yes", "output_2": "no", "preference": 1.3, "annotator": "z"}],
    ],
)
def test_decisions_without_scores_are_refused(read: Reader, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRows, match="results without scores; a measure needs the score of each response"):
        read({"x.jsonl": rows})
