"""How an answer is put together: its default n, length alone, and what would separate the first two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.planted_choice import Choice
from warehouse.metrics.cube import ScoreCube, score_cube
from warehouse.study.choice.answer import Lengths, Question, Task, by_best_of_n, by_measure, by_policies, default_n
from warehouse.study.choice.worth import Sides, best_of_n

CHOICE = Choice("two best", M=4, Q=50, labels=True)
TASK = Task(Question(), Sides([0], [1, 2, 3, 4]), "golden only")


def counted(*counts: int) -> ScoreCube:
    rng = np.random.default_rng(0)
    cube = score_cube(rng.standard_normal((3, len(counts), max(counts))))
    return replace(cube, responses_P=np.array(counts))


@pytest.mark.parametrize(
    ("counts", "n"), [((2, 2, 2), 2), ((4, 4, 4), 4), ((1, 1, 2), 2), ((16, 16, 16), 8), ((2, 4, 6, 9), 4)]
)
def test_the_default_n_is_one_that_half_of_the_prompts_have_samples_for(counts: tuple[int, ...], n: int) -> None:
    assert default_n(counted(*counts)) == n


def test_pairs_of_a_benchmark_give_the_share_of_right_picks() -> None:
    """One chosen and one rejected response a prompt: best-of-2 is the benchmark's accuracy."""
    rng = np.random.default_rng(1)
    labels = np.tile([1.0, 0.0], (200, 1))
    scores = labels + rng.standard_normal((3, 200, 2))
    cube = score_cube(np.concatenate([labels[None], scores]))
    answer = by_best_of_n(Task(Question(), Sides([0], [1, 2, 3]), "named"), cube, lengths=None)
    right = {f"rm-{m + 1}": float((scores[m, :, 0] > scores[m, :, 1]).mean()) for m in range(3)}
    assert {name: e.value for name, e in zip(answer.ranking.names, answer.ranking.estimates, strict=True)} == (
        pytest.approx(right)
    )
    by_accuracy = by_measure(Task(Question(by="accuracy"), Sides([0], [1, 2, 3]), "named"), cube)
    assert by_accuracy.ranking.names == answer.ranking.names


def test_length_alone_is_valued_as_the_reward_models_are() -> None:
    cube = CHOICE.study(0)
    lengths = Lengths(cube.scores_MPR[0] + 1.0, "characters")  # the right ones are longer
    answer = by_best_of_n(TASK, cube, lengths)
    assert answer.worth.unit == "share"
    assert answer.baseline is not None
    assert answer.baseline.unit == "characters"
    assert answer.baseline.longest.value is not None
    assert answer.baseline.shortest.value is not None
    best = answer.ranking.estimates[0].value
    assert best is not None
    assert answer.baseline.longest.value > best > answer.baseline.shortest.value


def test_samples_say_what_more_of_them_would_do_unless_prompts_have_different_numbers() -> None:
    cube = CHOICE.study(0)
    answer = by_best_of_n(TASK, cube, lengths=None)
    assert answer.more is not None
    assert {answer.more.first, answer.more.second} == set(answer.ranking.names[:2])
    assert answer.more.responses_now == 8
    ragged = replace(cube, responses_P=np.array([8, 6] * 25))
    other = by_best_of_n(TASK, ragged, lengths=None)
    assert other.more is not None
    assert other.more.responses_now is None


def test_values_without_samples_are_in_the_spread_that_comes_with_them() -> None:
    cube = Choice("two best", M=4, Q=50).study(0)
    values = replace(best_of_n(cube, 4), spread_M=np.full(5, 2.0))
    task = replace_question(by="ppo")
    answer = by_policies(task, values, 4.0, samples=None)
    assert answer.worth.unit == "sd"
    gain = values.optimised_MMQ[0, 1] - values.initial_MQ[0]
    row = answer.worth.candidates.index("rm-0")
    assert np.allclose(answer.worth.values_MQ[row], gain / 2.0)


def replace_question(by: str) -> Task:
    return Task(Question(by=by), TASK.sides, TASK.truth)
