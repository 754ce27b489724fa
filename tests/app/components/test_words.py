"""`app/components/words.py`, and the sentences of Explore and of notes."""

from __future__ import annotations

from dataclasses import replace

from app.components import trouble, words
from app.state import Selection
from app.views.explore import text
from tests.helpers.small import OPTIONS, evaluation
from warehouse.study.correlation import Correlation


def test_the_header_line_says_what_is_shown_and_where_the_intervals_come_from() -> None:
    line = words.what_is_shown(Selection(categories=("Chat Hard",), responses=3), OPTIONS, evaluation())
    for said in (
        r"**smoke\-1**",
        "3 reward models, 6 golden–proxy pairs",
        "16 RM-test prompts (Chat Hard) × 3 responses",
        "best-of-8 valued on 12 RL-test prompts",
        "leaving out each reward model in turn (jackknife) and resampling prompts (up to 1,000 times)",
    ):
        assert said in line


def test_the_header_line_says_how_many_seeds_the_policies_of_a_trained_optimiser_are_of() -> None:
    trained = Selection(optimizer="ppo", strength=8.0)
    line = words.what_is_shown(trained, OPTIONS, evaluation())
    assert "each policy was trained with one seed, so training noise counts as regret" in line
    line = words.what_is_shown(trained, OPTIONS, replace(evaluation(), repeats=2))
    assert "each policy is the mean of 2 seeds, and training noise is taken off" in line
    line = words.what_is_shown(trained, OPTIONS, replace(evaluation(), repeats=3, single_repeats=1))
    assert "up to 3 seeds" in line
    assert "of 1 reward model with one seed" in line
    assert "seed" not in words.what_is_shown(Selection(), OPTIONS, evaluation())


def test_a_foreign_name_cannot_bring_markdown_into_a_sentence() -> None:
    assert "[x]" not in trouble.left_out(["run=[x](y) (not in the warehouse)"])


def test_undefined_pairs_are_counted_and_nothing_is_said_of_none() -> None:
    assert text.undefined(evaluation(undefined_golden=0)) == "2 pairs undefined and left out"
    assert text.undefined(evaluation()) == ""


def test_a_correlation_without_value_says_what_it_needs() -> None:
    nothing = Correlation(None, None, None, 0)
    without = replace(evaluation(), correlations={"kendall": nothing})
    assert "three reward models or more" in text.undefined(without)
    assert text.interval(nothing) == "no interval"
    assert text.interval(Correlation(0.5, -0.25, 0.75, 1000)) == "this test set, 95% interval −0.25 to 0.75"


def test_best_of_one_is_explained_as_the_initial_policy() -> None:
    assert "initial policy" in text.nothing_defined(Selection(strength=1.0), OPTIONS)
    assert "best-of-8" in text.nothing_defined(Selection(), OPTIONS)


def test_an_optimizer_that_is_not_known_is_called_by_its_name() -> None:
    assert words.optimizer("dpo").at.format(3) == "dpo at 3"
