"""The project's own prompts: enough, distinct, well-formed, split without overlap."""

from __future__ import annotations

import zlib
from collections import Counter
from difflib import SequenceMatcher

import polars as pl
import pytest

from pipeline.errors import InvalidConfig
from pipeline.prompts import load_prompts, own_split_of, split_of
from pipeline.stages.prompts import choose, instructed
from warehouse.ingest import conform
from warehouse.schema import CATEGORIES, SPLITS, TABLES

PROMPTS = load_prompts()


def test_rows_fit_the_table() -> None:
    conform(TABLES["prompt"], PROMPTS.with_columns(run_id=pl.lit("x")), "the project's prompts")


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_at_least_320_in_several_subsets(category: str) -> None:
    rows = PROMPTS.filter(category=category)
    assert rows.height >= 320
    assert rows["subset"].n_unique() >= 5


def test_both_kinds_of_tests_have_at_least_400_prompts() -> None:
    numbers = dict(PROMPTS.group_by("split").len().iter_rows())
    assert numbers["rm_test"] >= 400
    assert numbers["rl_test"] >= 400
    assert numbers["rm_train"] >= 350


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
    assert [own_split_of(f"chat-explain/{n:02d}") for n in (1, 8, 24, 25, 26, 27, 28, 29, 30, 54)] == [
        "rm_train",
        "rl_test",
        "rl_test",
        "rm_train",
        "rm_test",
        "rm_test",
        "rl_test",
        "rl_test",
        "rm_train",
        "rl_test",
    ]
    assert PROMPTS["split"].to_list() == [own_split_of(name) for name in PROMPTS["prompt_id"]]
    by_split = {split: set(PROMPTS.filter(split=split)["text"]) for split in SPLITS}
    assert sum(map(len, by_split.values())) == len(set.union(*by_split.values())) == PROMPTS.height


def test_a_larger_profile_holds_the_smaller_one_s_prompts() -> None:
    small = choose(PROMPTS, CATEGORIES, {"rm_train": 8, "rm_test": 4, "rl_test": 4})
    large = choose(PROMPTS, CATEGORIES, {"rm_train": 30, "rm_test": 16, "rl_test": 20})
    assert set(small["prompt_id"]) < set(large["prompt_id"])
    assert small.group_by("category", "split").len()["len"].to_list().count(4) == 8


def test_the_prompts_of_a_small_profile_are_the_first_24_of_each_subset_and_a_large_one_adds_later_ones() -> None:
    numbers = pl.col("prompt_id").str.split("/").list.last().cast(pl.Int64)
    small = choose(PROMPTS, CATEGORIES, {"rm_train": 40, "rm_test": 24, "rl_test": 40}).with_columns(number=numbers)
    large = choose(PROMPTS, CATEGORIES, {"rm_train": 90, "rm_test": 100, "rl_test": 120}).with_columns(number=numbers)
    assert small["number"].max() <= 24  # as before there were more
    assert large["number"].max() > 24
    assert small.join(large, on=["prompt_id", "split"], how="anti").is_empty()


def test_every_prompt_and_its_paraphrase_end_with_the_same_instruction_whatever_the_profile_s_size() -> None:
    instructions = ("Be brief.", "Answer in one sentence.", "Reply in a word.")

    def made(count: int) -> pl.DataFrame:
        chosen = choose(PROMPTS, CATEGORIES, {"rm_train": count, "rm_test": count, "rl_test": count})
        return instructed(chosen, instructions, lambda name: zlib.crc32(name.encode()))

    small, large = made(4), made(20)
    originals = dict(PROMPTS.select("prompt_id", "text").iter_rows())
    used = Counter()
    for row in large.iter_rows(named=True):
        (instruction,) = (ending for ending in instructions if row["text"] == f"{originals[row['prompt_id']]} {ending}")
        assert row["paraphrase"].endswith(f" {instruction}")
        used[instruction] += 1
    assert set(used) == set(instructions)
    assert min(used.values()) > 0.2 * large.height
    assert small.join(large, on=["prompt_id", "text", "paraphrase"], how="anti").is_empty()
    assert instructed(small, (), lambda name: 1 / 0).equals(small)


def test_more_prompts_than_there_are_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="lower it"):
        choose(PROMPTS, CATEGORIES, {"rm_train": 1000, "rm_test": 4, "rl_test": 4})
