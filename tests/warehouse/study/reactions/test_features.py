"""The features of responses, on texts whose features are plain; and every edit raises its own."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.schema import EDITS
from warehouse.study.reactions.features import FEATURES, features, repetition

TEXT = "Water boils at 100 degrees. At sea level, that is! Why ask?"
EDITED = {
    "padding": f"{TEXT} This is a general explanation of the topic.",
    "polite": f"Of course! {TEXT} I hope this helps!",
    "list": "- Water boils at 100 degrees.\n- At sea level, that is!\n- Why ask?",
    "repeated": f"{TEXT} At sea level, that is! Why ask?",
    "unfinished": "Water boils at 100 degrees. At sea level",
}


def test_every_edit_raises_its_own_feature() -> None:
    assert tuple(FEATURES) == EDITS == tuple(EDITED)
    texts = [TEXT, *EDITED.values()]
    tokens = np.array([len(text.split()) for text in texts])
    finished = np.array([True, *(edit != "unfinished" for edit in EDITED)])
    found = features(texts, tokens, finished)
    assert found.shape == (5, 6)
    for e in range(len(EDITS)):
        assert found[e, e + 1] > found[e, 0]
    of_polite, of_list, of_end = found[1], found[2], found[4]
    assert of_polite.tolist() == [0, 0, 1, 0, 0, 0]
    assert of_list.tolist() == [0, 0, 0, 1, 0, 0]
    assert of_end.tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("one two", 0.0),
        ("one two three", 0.0),
        ("one two three One, two: three!", 1 / 4),  # four triples, the last is the first again
        ("no no no no no", 2 / 3),
    ],
)
def test_repetition_counts_triples_said_before(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "polite", "listed"),
    [
        ("THANK YOU for asking", 1, 0),
        ("You’re welcome", 1, 0),
        ("The displeased man was pleasing", 0, 0),
        ("Steps:\n1. Stir\n2) Wait", 0, 1),
        ("It is -5 degrees, 1. May", 0, 0),
        ("  * an item", 0, 1),
        ("**bold** words", 0, 0),
    ],
)
def test_phrases_and_marks_are_seen_as_words_and_at_the_beginning_of_lines(text: str, polite: int, listed: int) -> None:
    found = features([text], np.array([1]), np.array([True]))
    assert found[1:3, 0].tolist() == [polite, listed]
