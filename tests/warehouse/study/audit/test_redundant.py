"""Items that repeat others: by texts and by scores, and never by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.helpers.faulty import faulty_set
from tests.warehouse.study.simulate import cube_of
from warehouse.study.audit.redundant import Texts, redundant


def test_repeated_items_are_found_by_texts_and_without_texts_by_scores() -> None:
    faulty = faulty_set(8)
    for texts, kind in ((faulty.texts, "same prompt and responses"), (None, "same scores")):
        repeats = redundant(faulty.cube(), texts)
        places = np.flatnonzero(repeats.of_P >= 0)
        assert set(places.tolist()) == faulty.faults["redundant"]
        assert {repeats.kind[p] for p in places} == {kind}
        assert all(repeats.of_P[p] < p for p in places)
        for p in places:
            np.testing.assert_array_equal(faulty.scores_MPR[:, p], faulty.scores_MPR[:, repeats.of_P[p]])


def test_two_responses_of_one_text_are_found() -> None:
    faulty = faulty_set(8)
    same = np.flatnonzero(redundant(faulty.cube(), faulty.texts).same_responses_P)
    assert set(same.tolist()) == faulty.faults["same responses"]


def test_the_same_scores_in_another_order_of_responses_are_the_same_item() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 30, 4))
    scores[:, 20] = scores[:, 7, ::-1]
    repeats = redundant(cube_of(scores))
    assert np.flatnonzero(repeats.of_P >= 0).tolist() == [20]
    assert repeats.of_P[20] == 7


def test_scores_of_few_values_agree_by_chance_and_repeat_nothing() -> None:
    scores = np.random.default_rng(1).integers(0, 2, (5, 200, 2)).astype(float)  # such as a verifier's
    assert (redundant(cube_of(scores)).of_P < 0).all()


def test_prompts_that_differ_in_a_word_or_in_signs_are_nearly_or_wholly_the_same() -> None:
    words = "write a short letter to the owner of the house about the broken kitchen window and ask for a new one"
    prompts = (words, words.replace("kitchen", "bathroom"), f"  {words.upper()}!", "write a poem", "write a novel", "")
    cube = cube_of(np.random.default_rng(2).normal(size=(4, 6, 2)))
    repeats = redundant(cube, Texts(prompts, tuple((f"a{p}", f"b{p}") for p in range(6))))
    assert repeats.of_P.tolist() == [-1, -1, 0, -1, -1, -1]
    assert repeats.kind[2] == "same prompt"
    longer = f"{words} {words[::-1]}"
    prompts = (longer, longer.replace("kitchen", "bathroom"), *prompts[2:])
    repeats = redundant(cube, Texts(prompts, tuple((f"a{p}", f"b{p}") for p in range(6))))
    assert (repeats.of_P[1], repeats.kind[1]) == (0, "nearly the same prompt")


def test_padding_of_ragged_prompts_is_no_score() -> None:
    cube = faulty_set(8).cube()
    other = replace(cube, scores_MPR=np.where(cube.is_response_PR, cube.scores_MPR, 9.0).astype(np.float32))
    np.testing.assert_array_equal(redundant(cube).of_P, redundant(other).of_P)
