"""The edits of responses, on texts whose edited versions are written out."""

from __future__ import annotations

import pytest

from pipeline.scoring.edits import FILLERS, can_be_edited, edited, sentences
from warehouse.schema import EDITS

TEXT = "Water boils at 100 degrees. At sea level, that is! Why ask?"


def test_every_edit_is_the_text_with_one_thing_changed() -> None:
    assert edited(TEXT, 0) == {
        "padding": f"{TEXT} This is a general explanation of the topic.",
        "polite": f"Of course! {TEXT} I hope this helps!",
        "list": "- Water boils at 100 degrees.\n- At sea level, that is!\n- Why ask?",
        "repeated": f"{TEXT} Why ask?",
        "unfinished": "Water boils at 100 degrees. At sea level",
    }


def test_the_filler_depends_on_the_number_of_the_prompt_alone() -> None:
    padded = [edited(TEXT, number)["padding"].removeprefix(f"{TEXT} ") for number in range(6)]
    assert padded == [*FILLERS, *FILLERS]
    assert len(set(FILLERS)) == 3
    others = [{edit: edited(TEXT, number)[edit] for edit in EDITS if edit != "padding"} for number in range(3)]
    assert others[0] == others[1] == others[2]


def test_an_unfinished_response_has_no_end_mark_and_about_two_thirds_of_the_words() -> None:
    words = "It is one two three four five six seven. The end is far away now, so wait."
    cut = edited(words, 0)["unfinished"]
    assert words.startswith(cut)
    assert cut[-1] not in ".!?,;:"
    assert len(cut.split()) == round(len(words.split()) * 2 / 3)


def test_lines_are_sentences_too_and_lose_their_mark_in_a_list() -> None:
    text = "Here they are:\n\n- red\n* blue\nThat is all"
    assert sentences(text) == ["Here they are:", "- red", "* blue", "That is all"]
    assert edited(text, 0)["list"] == "- Here they are:\n- red\n- blue\n- That is all"
    assert edited(text, 0)["repeated"].endswith("That is all That is all")


@pytest.mark.parametrize("text", ["", "  ", "Yes.", "Not sure", "- one thing\n- another thing"])
def test_a_text_that_an_edit_leaves_as_it_is_or_empties_is_not_edited(text: str) -> None:
    assert not can_be_edited(text)


@pytest.mark.parametrize("text", [TEXT, "I am sorry", "«Très bien», dit-elle. 好的 好的。"])
def test_any_other_text_is_edited(text: str) -> None:
    assert can_be_edited(text)
    versions = edited(f" {text}\n", 1)
    assert tuple(versions) == EDITS
    assert len({text, *versions.values()}) == len(EDITS) + 1
