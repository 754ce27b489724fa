"""`app/components/estimates.py`: what is said of a correlation, and what to beware of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.components import estimates
from tests.helpers.small import evaluation
from warehouse.study.correlation import FEW_MODELS, Correlation

TAU = evaluation().correlations["kendall"]
assert isinstance(TAU, Correlation)


def test_what_stands_beside_the_headline_is_named_and_never_the_headline() -> None:
    said = estimates.beside(TAU)
    assert said == (
        "The measure itself, with unlimited test prompts: 0.55 (0.12 to 0.90). Plain: 0.45. "
        "Noise ceiling: 0.90 (0.80 to 0.95), plain reaches 50% of it."
    )
    assert estimates.beside(Correlation(None, None, None, 0)) == ""


def test_an_unknown_ceiling_and_a_negative_figure_are_shares_of_nothing() -> None:
    assert estimates.ceiling(Correlation(0.5, 0.1, 0.8, 9)) == "undefined"
    negative = replace(TAU, sample=replace(TAU.sample, value=-0.2))
    assert estimates.ceiling(negative) == "0.90 (0.80 to 0.95)"


@pytest.mark.parametrize(("p", "said"), [(None, "p undefined"), (0.0004, "p < 0.001"), (0.0312, "p = 0.031")])
def test_a_p_value_has_three_decimals_and_is_never_zero(p: float | None, said: str) -> None:
    assert estimates.p_value(p) == said


@pytest.mark.parametrize(
    ("value", "p", "said"),
    [
        (0.5, 0.01, "yes (p = 0.010, permutation test)"),
        (-0.5, 0.01, "yes, but the wrong way round (p = 0.010, permutation test)"),
        (0.5, 0.21, "cannot be told at this size (p = 0.210, permutation test)"),
        (None, None, "undefined (p undefined, permutation test)"),
    ],
)
def test_whether_it_predicts_at_all_follows_the_rule_of_the_verdicts(
    value: float | None, p: float | None, said: str
) -> None:
    ends = (None, None) if value is None else (value - 0.3, value + 0.3)
    assert estimates.predicts_at_all(Correlation(value, *ends, 9, p_value=p)) == said


def test_few_reward_models_and_shared_prompts_are_said_and_nothing_is_where_neither_is() -> None:
    assert estimates.cautions([evaluation()], FEW_MODELS) == []
    (few,) = estimates.cautions([evaluation()], FEW_MODELS - 1)
    assert "Rough intervals" in few
    assert "9 reward models" in few
    (shared,) = estimates.cautions([evaluation(), replace(evaluation(), shared_prompts=12)], FEW_MODELS)
    assert "12 prompts measure the reward models and value the policies" in shared
    assert "cross-fitted" in shared
    assert "That takes" not in shared
    (too_few,) = estimates.cautions([replace(evaluation(), shared_prompts=3)], FEW_MODELS)
    assert too_few.endswith("That takes 4 prompts or more on either side.")
