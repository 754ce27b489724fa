"""Columns are found by their common names, in any spelling, and only where the names say what they are."""

from __future__ import annotations

import pytest

from pipeline.data_sets.names import Names, Two, plain


def test_spellings_of_a_name_are_the_same() -> None:
    assert {plain(name) for name in ("chosen-rating", "chosen.rating", "Chosen Rating", "chosenRating")} == {
        "chosen_rating"
    }


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        *(
            ("chosen", "rejected"),
            ("chosen", "reject"),
            ("Chosen", "Rejected"),
            ("chosen_response", "rejected_response"),
        ),
        *(("response_chosen", "response_rejected"), ("preferred", "dispreferred"), ("positive", "negative")),
        *(("preferred_output", "non_preferred_output"), ("better_response", "worse_response"), ("winner", "loser")),
        *(("messages", "rejected_messages"), ("response_j", "response_k"), ("text_chosen", "text_rejected")),
    ],
)
def test_two_sides_are_found(chosen: str, rejected: str) -> None:
    assert Names(["id", "prompt", rejected, chosen]).sides() == Two(chosen, rejected)


@pytest.mark.parametrize(
    "columns", [("chosen", "score"), ("chosen_tokens", "rejected_tokens"), ("chosen_id", "rejected_id"), ("winner",)]
)
def test_other_columns_are_no_sides(columns: tuple[str, ...]) -> None:
    assert Names(columns).sides() is None


def test_texts_are_preferred_to_what_is_said_of_them() -> None:
    names = Names(
        ["chosen_score", "rejected_score", "chosen_response", "rejected_response", "chosen_len", "rejected_len"]
    )
    assert names.sides() == Two("chosen_response", "rejected_response")
    assert names.side_scores() == (("chosen_score", "rejected_score"),)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("response_a", "response_b"), ("response_A", "response_B"), ("output_1", "output_2"), ("answer1", "answer2")),
        *(("response_0", "response_1"), ("human_ref_A", "human_ref_B"), ("completion_left", "completion_right")),
    ],
)
def test_two_responses_are_found(first: str, second: str) -> None:
    two = Names(["prompt", "model_a", "model_b", "score_0", second, first]).two()
    assert two is not None
    assert two[:2] == (first, second)


def test_scores_of_two_responses_are_found_under_their_common_names() -> None:
    for first, second in (("score_a", "score_b"), ("rating_a", "rating_b"), ("response_a_score", "response_b_score")):
        names = Names(["response_a", "response_b", first, second])
        two = names.two()
        assert two is not None
        assert names.scores_of_two(two) == Two(first, second)


def test_numbered_responses_are_in_the_order_of_their_numbers() -> None:
    names = Names([f"response_{number}" for number in (10, 2, 1, 3)])
    assert names.numbered() == ("response_1", "response_2", "response_3", "response_10")
    assert Names(["response_1", "response_2"]).numbered() == ()
