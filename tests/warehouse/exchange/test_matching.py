"""Preferences between texts find their prompt and responses, and a line says where they do not."""

from __future__ import annotations

import polars as pl

from warehouse.exchange.matching import line_about, matched
from warehouse.exchange.scored_rows import PREFERENCES

PROMPTS = pl.DataFrame({"prompt_id": ["p1", "p2", "p3"], "text": ["Ask", "Ask ", "Else"]})
RESPONSES = pl.DataFrame(
    {
        "prompt_id": ["p1", "p1", "p2", "p2", "p3"],
        "response_id": ["a", "b", "a", "b", "a"],
        "text": ["yes", "no", "maybe", "never\n", ""],
    }
)


def found(**columns: str | None) -> tuple[str | None, ...]:
    row = dict.fromkeys(PREFERENCES.names()) | {"file": 0, "row": 0} | columns
    return (
        matched(pl.DataFrame([row], schema=PREFERENCES), PROMPTS, RESPONSES)
        .select("given_id", "chosen_id", "rejected_id")
        .row(0)
    )


def test_blanks_at_the_ends_do_not_count() -> None:
    assert found(prompt=" Ask", chosen="yes ", rejected="\nno") == ("p1", "a", "b")


def test_of_several_prompts_of_one_text_it_is_the_one_with_the_responses() -> None:
    assert found(prompt="Ask", chosen="never", rejected="maybe") == ("p2", "b", "a")


def test_an_id_decides_before_the_text() -> None:
    assert found(prompt_id="p1", prompt="Else", chosen="yes", rejected="never") == ("p1", "a", None)


def test_unknown_texts_stay_unknown_and_an_empty_response_is_none() -> None:
    assert found(prompt="What", chosen="yes", rejected="no") == (None, None, None)
    assert found(prompt="Else", chosen="", rejected="yes") == ("p3", None, None)


def test_a_line_says_how_many_are_between_scored_responses() -> None:
    rows = pl.DataFrame(
        {"split": [None, "validation", "train"], "chosen_id": ["a", None, None], "rejected_id": ["b", "b", None]}
    )
    assert line_about(rows).startswith("1 of 2 preferences are between two scored responses")
    assert line_about(rows[1:]).startswith(
        "no preference of 1 is between two scored responses: validation accuracy stays"
    )
    assert line_about(rows[:1]) == line_about(rows[2:]) == ""
