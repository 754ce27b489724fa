"""`app/offers.py`: a choice held against what a run offers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components import words
from app.offers import Fitting, Options, fit_options, fit_sources
from app.state import Selection, from_query, to_query

OPTIONS = Options(
    run="quick-1",
    measures=("accuracy", "kendall"),
    subsets={"Chat": ("advice", "creative"), "Safety": ("refuse",)},
    sizes={("Chat", "advice"): 10, ("Chat", "creative"): 6, ("Safety", "refuse"): 4},
    responses=8,
    strengths={"bon": (1.0, 2.0, 4.0)},
    rl_categories=("Chat", "Safety"),
    reward_models=("flip-0.00", "flip-0.20"),
    kl={"bon": (0.6, 0.6)},
    sources=("initial", "initial-t1.50", "ppo"),
    paraphrases=True,
)
ANSWERED = {"initial": True, "initial-t1.50": False, "ppo": False}
FULL = Selection(
    run="quick-1",
    measure="kendall",
    categories=("Chat", "Safety"),
    subsets=("advice",),
    sources=("initial-t1.50", "ppo"),
    paraphrase=0.3,
    responses=5,
    budget=40,
    rank_bins=4,
    chosen_bin=4,
    rejected_bin=2,
    noise=0.15,
    seed=3,
    optimizer="bon",
    strength=4.0,
    rl_categories=("Safety",),
    correlation="pearson",
    level="within",
    golden="flip-0.00",
    proxy="flip-0.20",
    cells="value",
    study="budget",
    map_bins=4,
    plan_budget=60,
    plan_noise=0.25,
)


def fitted(chosen: Selection, options: Options) -> tuple[Selection, list[str]]:
    fitting = Fitting(chosen)
    fit_options(fitting, options)
    return fitting.chosen, fitting.notes


def with_known_run(chosen: Selection, run_ids: list[str]) -> tuple[Selection, list[str]]:
    fitting = Fitting(chosen)
    fitting.allow("run", run_ids, "not in the warehouse")
    return fitting.chosen, fitting.notes


def with_known_sources(chosen: Selection, answered: dict[str, bool]) -> tuple[Selection, list[str]]:
    fitting = Fitting(chosen)
    fit_sources(fitting, answered)
    return fitting.chosen, fitting.notes


def test_the_default_choice_has_the_plain_address() -> None:
    assert to_query(Selection()) == {}
    assert from_query(Selection, {}) == (Selection(), [])


def test_every_choice_survives_the_way_through_the_address() -> None:
    assert from_query(Selection, to_query(FULL)) == (FULL, [])
    assert fitted(FULL, OPTIONS) == (FULL, [])


@given(
    categories=st.sets(st.sampled_from(list(OPTIONS.subsets))),
    responses=st.none() | st.integers(2, 8),
    strength=st.none() | st.sampled_from(OPTIONS.strengths["bon"]),
    golden=st.none() | st.sampled_from(OPTIONS.reward_models),
)
def test_whatever_a_run_offers_comes_back(
    categories: set[str], responses: int | None, strength: float | None, golden: str | None
) -> None:
    chosen = Selection(categories=tuple(categories), responses=responses, strength=strength, golden=golden)
    again, notes = from_query(Selection, to_query(chosen))
    assert (again, notes) == (chosen, [])
    assert fitted(again, OPTIONS) == (chosen, [])


def test_a_strength_of_zero_is_a_strength() -> None:
    options = replace(OPTIONS, strengths={"ppo": (0.0, 5.0)})
    for strength in (0.0, 5.0, None):
        chosen = Selection(optimizer="ppo", strength=strength)
        assert words.strength_of(chosen, options) == (5.0 if strength is None else strength)


@given(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=3), max_size=6))
def test_no_address_whatever_raises(query: dict[str, list[str]]) -> None:
    chosen, _ = from_query(Selection, query)
    chosen, _ = fitted(with_known_run(chosen, ["quick-1"])[0], OPTIONS)
    assert fitted(chosen, OPTIONS) == (chosen, [])


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ({"measure": ["vibes"]}, "measure=vibes (no such measure)"),
        ({"responses": ["99"]}, "responses=99 (this run has 2 to 8)"),
        ({"responses": ["many"]}, "responses=many (not a whole number)"),
        ({"prompts": ["21"]}, "prompts=21 (there are 20 to draw from)"),
        ({"category": ["Safety"], "prompts": ["5"]}, "prompts=5 (there are 4 to draw from)"),
        ({"prompts": ["8"], "budget": ["64"]}, "budget=64 (set either prompts or a budget, not both)"),
        ({"budget": ["15"]}, "budget=15 (from 16 to 160)"),
        ({"responses": ["3"], "rank-bins": ["4"]}, "rank-bins=4 (3 responses make 2 to 3 bins)"),
        ({"chosen-bin": ["2"]}, "chosen-bin=2 (from 2 to the number of rank bins, none)"),
        ({"rank-bins": ["3"], "chosen-bin": ["2"]}, "chosen-bin=2 (set the rejected bin too)"),
        ({"rank-bins": ["3"], "rejected-bin": ["1"]}, "rejected-bin=1 (below the chosen bin)"),
        ({"noise": ["0.5"]}, "noise=0.5 (from 0 to 0.45)"),
        ({"noise": ["inf"]}, "noise=inf (from 0 to 0.45)"),
        ({"seed": ["-1"]}, "seed=-1 (from 0 to 2.14748e+09)"),
        ({"seed": [str(2**31)]}, "seed=2147483648 (from 0 to 2.14748e+09)"),
        ({"correlation": ["mood"]}, "correlation=mood (no such correlation)"),
        ({"level": ["sea"]}, "level=sea (pooled or within)"),
        ({"cells": ["all"]}, "cells=all (ndr or value)"),
        ({"study": ["hard"]}, "study=hard (no such study)"),
        ({"map-bins": ["7"]}, "map-bins=7 (2 to 6)"),
        ({"responses": ["3"], "map-bins": ["4"]}, "map-bins=4 (2 to 3)"),
        ({"category": ["Safety"], "plan-budget": ["33"]}, "plan-budget=33 (from 4 to 32)"),
        ({"strength": ["3"]}, "strength=3 (this run has 1, 2, 4)"),
        ({"strength": ["nan"]}, "strength=nan (this run has 1, 2, 4)"),
        ({"category": ["Chat", "Cooking"]}, "category=Cooking (not among the RM-test prompts)"),
        ({"category": ["Chat"], "subset": ["refuse"]}, "subset=refuse (not in the chosen categories)"),
        ({"optimizer": ["ppo"]}, "optimizer=ppo (not in this run)"),
        ({"golden": ["flip-9"]}, "golden=flip-9 (not among the goldens)"),
        (
            {"golden": ["flip-0.00"], "proxy": ["flip-0.00"]},
            "proxy=flip-0.00 (no such reward model other than the golden)",
        ),
        ({"colour": ["red"]}, "colour (no such choice)"),
    ],
)
def test_what_a_run_does_not_offer_is_left_out_and_said(query: dict[str, list[str]], note: str) -> None:
    chosen, unread = from_query(Selection, query)
    _, unfit = fitted(chosen, OPTIONS)
    assert [*unread, *unfit] == [note]


def test_the_good_part_of_a_half_good_link_is_kept() -> None:
    chosen, _ = from_query(Selection, {"measure": ["kendall"], "responses": ["99"], "category": ["Chat", "Cooking"]})
    assert fitted(chosen, OPTIONS)[0] == Selection(measure="kendall", categories=("Chat",))


def test_a_run_that_is_gone_is_left_out_with_a_note() -> None:
    gone = replace(FULL, run="quick-0")
    assert with_known_run(gone, ["quick-1"]) == (replace(FULL, run=None), ["run=quick-0 (not in the warehouse)"])
    assert with_known_run(FULL, ["quick-1"]) == (FULL, [])


def test_a_run_without_the_usual_optimizer_falls_back_to_its_own_without_a_note() -> None:
    options = replace(OPTIONS, strengths={"ppo": (50.0,)})
    assert fitted(Selection(), options) == (Selection(optimizer="ppo"), [])


def test_a_kl_takes_the_place_of_a_strength_and_goes_as_far_as_some_policy_does() -> None:
    assert fitted(Selection(kl=0.5), OPTIONS) == (Selection(kl=0.5), [])
    assert fitted(Selection(kl=0.5, strength=4.0), OPTIONS) == (
        Selection(kl=0.5),
        ["strength=4 (set either a strength or a KL, not both)"],
    )
    for kl in (0.0, -1.0, 0.61, float("nan")):
        assert fitted(Selection(kl=kl), OPTIONS) == (Selection(), [f"kl={kl:g} (above 0, at most 0.6)"])
    assert fitted(Selection(kl=0.5), replace(OPTIONS, kl={})) == (Selection(), ["kl=0.5 (the KL of bon is unknown)"])


def test_sources_are_those_of_the_run_and_paraphrases_what_all_of_them_answered() -> None:
    chosen = Selection(sources=("ppo", "poet"), paraphrase=0.5)
    assert with_known_sources(chosen, ANSWERED) == (
        Selection(sources=("ppo",)),
        ["source=poet (no such source of responses)", "paraphrase=0.5 (the chosen sources did not answer paraphrases)"],
    )
    assert with_known_sources(Selection(sources=("initial",), paraphrase=0.5), ANSWERED) == (
        Selection(paraphrase=0.5),
        [],
    )
    assert with_known_sources(Selection(paraphrase=1.5), ANSWERED) == (Selection(), ["paraphrase=1.5 (from 0 to 1)"])
