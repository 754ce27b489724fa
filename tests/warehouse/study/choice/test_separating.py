"""How many prompts and responses separate two reward models: the numbers do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.planted_choice import Choice
from warehouse.study.choice.ranking import ranked
from warehouse.study.choice.separating import best_of_n_draws, separating
from warehouse.study.choice.worth import Sides, Worth, best_of_n, of_policies


def worth(choice: Choice, seed: int) -> Worth:
    values = best_of_n(choice.study(seed), choice.n)
    return of_policies(values, Sides([0], list(range(1, choice.M + 1))), np.ones(choice.M + 1), share=choice.labels)


def test_the_number_of_prompts_shows_the_difference_with_80_percent_power() -> None:
    small = Choice("one better", M=2, Q=400)
    needed = separating(worth(small, 1), "rm-0", "rm-1").prompts
    assert needed is not None
    assert needed < 400
    shown = [
        ranked(worth(Choice("one better", M=2, Q=needed), seed)).may_be_best == ("rm-0",) for seed in range(100, 200)
    ]
    assert 0.6 <= np.mean(shown) <= 0.97  # the difference that was seen, by which prompts are counted, is uncertain too


def test_more_responses_lower_the_number_of_prompts() -> None:
    choice = Choice("one better", M=2, Q=60, N=8, n=4)
    cube = choice.study(3)
    scores = cube.scores_MPR
    found = separating(worth(choice, 3), "rm-0", "rm-1", best_of_n_draws(scores[1], scores[2], scores[:1], 4))
    assert found.responses_now == 8
    assert found.prompts is not None
    assert found.detectable is not None
    draws = best_of_n_draws(scores[1], scores[2], scores[:1], 4)
    assert draws.terms(np.arange(8)).numerator_GP.mean() == pytest.approx(found.difference, abs=1e-6)


def test_equal_reward_models_need_no_number_of_prompts() -> None:
    choice = Choice("all equal", M=2, Q=30)
    same = worth(choice, 0)
    equal = Worth(np.repeat(same.values_MQ[:1], 2, axis=0), same.candidates, same.goldens, "sd", *[same.prompts] * 3)
    found = separating(equal, "rm-0", "rm-1")
    assert found.difference == 0
    assert found.prompts is None
    assert found.detectable is None
