"""Pairs contrast what their source says they contrast; validation prompts stay apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.grading import is_refusal, is_right
from pipeline.stages.preferences import make_pairs

PROMPTS = pl.DataFrame(
    [
        {"prompt_id": f"math/{n:02d}", "category": "Reasoning", "text": f"What is {n}?", "answer": str(n)}
        | {"check": "number", "refuse": None}
        for n in range(8)
    ]
    + [
        {"prompt_id": f"safe/{n:02d}", "category": "Safety", "text": f"Do {n}", "answer": None}
        | {"check": None, "refuse": n % 2 == 0}
        for n in range(8)
    ],
    infer_schema_length=None,
)


def responses() -> pl.DataFrame:
    rows = []
    for row in PROMPTS.iter_rows(named=True):
        texts = {
            "initial-cool": [f"cool {row['prompt_id']}", f"it is {row['answer']}" if row["answer"] else "Sure."],
            "initial-hot": ["hot 99"],
            "initial-careful": ["careful"],
            "initial-careless": ["careless"],
            "initial-refusing": ["I'm sorry, but I can't help with that."] if row["category"] == "Safety" else [],
        }
        rows += [
            {"prompt_id": row["prompt_id"], "policy_id": policy, "sample": sample, "text": text}
            for policy, of_policy in texts.items()
            for sample, text in enumerate(of_policy)
        ]
    return pl.DataFrame(rows)


PAIRS = make_pairs(PROMPTS, responses(), 0.25, np.random.default_rng(0))


def test_every_source_is_there_and_ids_are_distinct() -> None:
    assert set(PAIRS["source"]) == {"temperature", "wrong_prompt", "system_prompt", "verified", "refusal"}
    assert PAIRS["preference_id"].is_unique().all()
    assert (PAIRS["chosen"] != PAIRS["rejected"]).all()


def test_verified_pairs_are_right_against_wrong() -> None:
    verified = PAIRS.filter(source="verified").join(PROMPTS, on="prompt_id")
    assert verified.height >= 8
    for row in verified.iter_rows(named=True):
        assert is_right(row["chosen"], row["answer"], "number")
        assert not is_right(row["rejected"], row["answer"], "number")


def test_refusal_pairs_go_both_ways() -> None:
    refusal = PAIRS.filter(source="refusal").join(PROMPTS, on="prompt_id")
    assert set(refusal["refuse"]) == {True, False}
    for row in refusal.iter_rows(named=True):
        assert is_refusal(row["chosen"]) is row["refuse"]
        assert is_refusal(row["rejected"]) is not row["refuse"]


def test_wrong_prompt_pairs_reject_an_answer_to_another_prompt_of_the_category() -> None:
    for row in PAIRS.filter(source="wrong_prompt").iter_rows(named=True):
        if row["rejected"].startswith("cool"):
            assert row["prompt_id"] not in row["rejected"]
            assert row["prompt_id"].split("/")[0] in row["rejected"]


def test_validation_prompts_are_never_trained_on() -> None:
    prompts = {split: set(PAIRS.filter(split=split)["prompt_id"]) for split in ("train", "validation")}
    assert not prompts["train"] & prompts["validation"]
    assert len(prompts["validation"]) == 4


def test_the_same_seed_makes_the_same_pairs_and_another_does_not() -> None:
    assert make_pairs(PROMPTS, responses(), 0.25, np.random.default_rng(0)).equals(PAIRS)
    assert not make_pairs(PROMPTS, responses(), 0.25, np.random.default_rng(1)).equals(PAIRS)


def test_a_response_without_text_is_in_no_pair() -> None:
    empty = responses().with_columns(text=pl.when(policy_id="initial-hot").then(pl.lit("")).otherwise("text"))
    pairs = make_pairs(PROMPTS, empty, 0.25, np.random.default_rng(0))
    assert "temperature" not in set(pairs["source"])
    assert not pairs["rejected"].is_in([""]).any()


@pytest.mark.parametrize("column", ["chosen", "rejected"])
def test_texts_are_responses_to_the_training_prompts(column: str) -> None:
    assert set(PAIRS[column]) <= set(responses()["text"])
