"""Pairs contrast what their source says they contrast; validation prompts stay apart."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config, validated
from pipeline.errors import InvalidConfig
from pipeline.scoring.grading import is_refusal, is_right
from pipeline.stages.preferences import make_pairs
from pipeline.stages.prompts import choose
from pipeline.stages.reward_models import labels_of
from pipeline.stages.train_responses import ways

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
    pairs = PAIRS.filter(pl.col("rejected").str.starts_with("cool"), source="wrong_prompt")
    assert not pairs.is_empty()
    for row in pairs.iter_rows(named=True):
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


def distinct_responses(prompts: pl.DataFrame, config: Config) -> pl.DataFrame:
    """Every way of answering of the profile, each with a text that no other response has."""
    graded = {"initial-varied": "it is {answer}", "initial-refusing": "I'm sorry, but I can't help with that."}
    rows = [
        {"prompt_id": row["prompt_id"], "policy_id": way.policy_id, "sample": sample}
        | {"text": f"{graded.get(way.policy_id, 'Sure.').format(**row)} [{row['prompt_id']} {way.policy_id} {sample}]"}
        for way in ways(config.preferences)
        for row in prompts.filter(way.prompts).iter_rows(named=True)
        for sample in range(way.samples)
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_no_response_to_a_validation_prompt_is_in_a_training_pair_of_any_source_nor_the_other_way_round(
    share: float, seed: int
) -> None:
    given_texts = distinct_responses(PROMPTS, validated({"profile": "p"}, "test"))
    pairs = make_pairs(PROMPTS, given_texts, share, np.random.default_rng(seed))
    assert set(pairs["source"]) == {"temperature", "wrong_prompt", "system_prompt", "verified", "refusal"}
    split_of = dict(pairs.select("prompt_id", "split").iter_rows())
    answered = dict(given_texts.select("text", "prompt_id").iter_rows())
    for pair in pairs.iter_rows(named=True):
        for side in ("chosen", "rejected"):
            assert split_of[answered[pair[side]]] == pair["split"], pair


@st.composite
def tiny_profiles(draw: st.DrawFn) -> tuple[Config, pl.DataFrame]:
    """A profile as small as the settings allow, and files' prompts of which a category may have just one."""
    of_category: dict[str, pl.DataFrame] = {name: PROMPTS.filter(category=name) for name in ("Reasoning", "Safety")}
    categories = draw(st.lists(st.sampled_from(sorted(of_category)), min_size=1, max_size=2, unique=True))
    config = validated(
        {
            "profile": "tiny",
            "prompts": {"categories": categories, "at_most": True, "rm_train_per_category": 4}
            | {"rm_test_per_category": 2, "rl_test_per_category": 2},
            "preferences": {"cool_samples": draw(st.integers(1, 2)), "extra_samples": 1}
            | {"validation_share": draw(st.sampled_from([0.01, 0.15, 0.5]))},
            "reward_models": {
                "flip_rates": [0.0, 0.4],
                "others": [{"kind": "size", "train_share": 0.01}, {"kind": "length", "length_bias": 1.0}],
            },
        },
        "tiny",
    )
    parts = [
        of_category[name]
        .head(draw(st.integers(0, 4)))
        .with_columns(split=pl.lit(split), subset=pl.lit("one"), prompt_id=pl.lit(f"{split}/") + pl.col("prompt_id"))
        for name in categories
        for split in ("rm_train", "rm_test", "rl_test")
    ]
    return config, pl.concat(parts)


@settings(deadline=None, max_examples=150)
@given(tiny_profiles(), st.integers(0, 9))
def test_a_tiny_profile_gives_pairs_for_every_reward_model_or_one_line(
    profile: tuple[Config, pl.DataFrame], seed: int
) -> None:
    config, prompts = profile
    counts = {"rm_train": 4, "rm_test": 2, "rl_test": 2}
    try:
        chosen = choose(prompts, config.prompts.categories, counts, at_most=True).filter(split="rm_train")
        pairs = make_pairs(
            chosen,
            distinct_responses(chosen, config),
            config.preferences.validation_share,
            np.random.default_rng(seed),
        )
    except InvalidConfig as error:
        message = str(error)
        pairs = None
    if pairs is None:
        assert "\n" not in message
        assert "prompts." in message
        return
    assert set(pairs["split"]) == {"train", "validation"}
    for plan in config.reward_models.plans:
        labels = labels_of(plan, pairs.filter(split="train"), partial(_rng, seed))
        assert 1 <= labels.height <= pairs.height


def _rng(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, *map(len, names)])


def test_the_only_prompt_of_a_category_is_trained_on() -> None:
    prompts = pl.concat([PROMPTS.head(1), PROMPTS.filter(category="Safety")])
    config = validated({"profile": "p"}, "test")
    pairs = make_pairs(prompts, distinct_responses(prompts, config), 0.25, np.random.default_rng(0))
    assert set(pairs.filter(category="Reasoning")["split"]) == {"train"}
    alone = PROMPTS.head(1)
    with pytest.raises(InvalidConfig, match=r"'validation': 0.* from 1 training prompts.*rm_train_per_category"):
        make_pairs(alone, distinct_responses(alone, config), 0.25, np.random.default_rng(0))
