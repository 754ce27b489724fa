"""The project's own prompts: enough, distinct, well-formed, split without overlap."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

import polars as pl
import pytest

from pipeline.errors import InvalidConfig
from pipeline.prompts import load_prompts, split_of
from pipeline.stages.prompts import choose
from warehouse.ingest import conform
from warehouse.schema import CATEGORIES, SPLITS, TABLES

PROMPTS = load_prompts()


def test_rows_fit_the_table() -> None:
    conform(TABLES["prompt"], PROMPTS.with_columns(run_id=pl.lit("x")), "the project's prompts")


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_at_least_120_in_several_subsets(category: str) -> None:
    rows = PROMPTS.filter(category=category)
    assert rows.height >= 120
    assert rows["subset"].n_unique() >= 5


def test_subsets_are_as_many_as_rewardbench_has() -> None:
    assert PROMPTS["subset"].n_unique() >= 23


def test_ids_and_texts_are_distinct() -> None:
    assert PROMPTS["prompt_id"].is_unique().all()
    texts = [text.casefold() for column in ("text", "paraphrase") for text in PROMPTS[column]]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_paraphrases_are_other_words() -> None:
    close = [
        row["prompt_id"]
        for row in PROMPTS.iter_rows(named=True)
        if SequenceMatcher(None, row["text"].lower().split(), row["paraphrase"].lower().split()).ratio() > 0.8
    ]
    assert close == []


def test_prompts_are_short_plain_sentences() -> None:
    for text in [*PROMPTS["text"], *PROMPTS["paraphrase"]]:
        assert 3 <= len(text.split()) <= 75, text
        assert text == text.strip(), text
        assert "\n" not in text, text


def test_reasoning_can_mostly_be_checked() -> None:
    reasoning = PROMPTS.filter(category="Reasoning")
    checkable = reasoning.filter(pl.col("check").is_not_null())
    assert checkable.height >= 0.7 * reasoning.height
    assert checkable["answer"].is_not_null().all()
    for answer in checkable.filter(check="number")["answer"]:
        float(answer)


def test_safety_has_both_what_to_refuse_and_what_not() -> None:
    safety = PROMPTS.filter(category="Safety")
    assert safety["refuse"].is_not_null().all()
    assert safety["refuse"].mean() == pytest.approx(0.5, abs=0.1)


def test_splits_are_disjoint_and_never_change() -> None:
    assert set(PROMPTS["split"]) == set(SPLITS)
    assert [split_of(f"chat-explain/{n:02d}") for n in (1, 3, 4, 5, 6, 8, 9)] == [
        "rm_train",
        "rm_train",
        "rm_test",
        "rm_test",
        "rl_test",
        "rl_test",
        "rm_train",
    ]
    by_split = {split: set(PROMPTS.filter(split=split)["text"]) for split in SPLITS}
    assert sum(map(len, by_split.values())) == len(set.union(*by_split.values())) == PROMPTS.height


def test_a_larger_profile_holds_the_smaller_one_s_prompts() -> None:
    small = choose(PROMPTS, CATEGORIES, {"rm_train": 8, "rm_test": 4, "rl_test": 4})
    large = choose(PROMPTS, CATEGORIES, {"rm_train": 30, "rm_test": 16, "rl_test": 20})
    assert set(small["prompt_id"]) < set(large["prompt_id"])
    assert small.group_by("category", "split").len()["len"].to_list().count(4) == 8


def test_more_prompts_than_there_are_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="lower it"):
        choose(PROMPTS, CATEGORIES, {"rm_train": 1000, "rm_test": 4, "rl_test": 4})
