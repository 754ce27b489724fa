"""How many prompts tell two reward models apart: what is promised comes true in simulated studies of planted truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warehouse.study.simulate import cube_of, tied_scores, values_of
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.study import MEASURES, prepare
from warehouse.study.power import (
    FEWEST_PROMPTS,
    Draws,
    linearised,
    prompts_needed,
    resolution,
    t_interval,
)
from warehouse.study.two_models import best_of_n_draws, best_two, measure_draws, scored_draws, value_draws

FIRST, SECOND = 0.80, 0.55
"""Mean of atanh ρ, the correlation of each of the two with the golden; it differs from prompt to prompt."""
BETWEEN_PROMPTS = 0.4
STUDIES = 500
N = 4


def scores(rng: np.random.Generator, P: int, R: int) -> NDArray[np.float32]:
    """Scores `[golden and the two, P, R]`, normal within a prompt."""
    golden = rng.standard_normal((P, R))
    rows = [golden]
    for mean in (FIRST, SECOND):
        rho = np.tanh(mean + BETWEEN_PROMPTS * rng.standard_normal((P, 1)))
        rows.append(rho * golden + np.sqrt(1 - rho**2) * rng.standard_normal((P, R)))
    return np.stack(rows).astype(np.float32)


def true_difference(of_rho: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """Of the means over all prompts, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    first, second = (
        float(weights @ of_rho(np.tanh(mean + BETWEEN_PROMPTS * nodes)) / weights.sum()) for mean in (FIRST, SECOND)
    )
    return first - second


def accuracy_draws(rng: np.random.Generator, P: int, R: int) -> Draws:
    return measure_draws(cube_of(scores(rng, P, R)), "rm-1", "rm-2", golden="rm-0")


def loss_draws(rng: np.random.Generator, P: int, R: int) -> Draws:
    samples = scores(rng, P, R)
    return best_of_n_draws(values_of(samples, N), samples, "rm-1", "rm-2", n=N, golden="rm-0")


CASES = {
    "accuracy": (accuracy_draws, true_difference(lambda rho: 0.5 + np.arcsin(rho) / np.pi), 6, (2, 6, 24)),
    "policies": (loss_draws, true_difference(lambda rho: rho), 8, (4, 8, 16)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_promised_power_is_what_happens_with_fewer_and_with_more_responses(case: str) -> None:
    draws, truth, now, numbers = CASES[case]
    pilot = resolution(draws(np.random.default_rng(1), 3000, now))
    assert pilot.difference.low is not None
    assert pilot.difference.high is not None
    assert pilot.difference.low < truth < pilot.difference.high
    for responses in numbers:
        prompts = pilot.prompts_for(truth, 0.8, responses)
        assert prompts is not None
        assert prompts > FEWEST_PROMPTS
        rng = np.random.default_rng((2, responses))
        rejected = covered = 0
        for _ in range(STUDIES):
            values_P = linearised(draws(rng, prompts, responses).terms(np.arange(responses)))
            found = t_interval(values_P)
            assert found.low is not None
            assert found.high is not None
            rejected += found.low > 0 or found.high < 0
            covered += found.low < truth < found.high
        assert rejected / STUDIES == pytest.approx(0.8, abs=0.05)
        assert covered / STUDIES == pytest.approx(0.95, abs=0.03)


def test_three_reward_models_give_the_difference_of_the_measures_themselves() -> None:
    cube = cube_of(tied_scores(np.random.default_rng(0), 4, 40, 5))
    everything = np.ones((1, 40))
    for name in MEASURES:
        draws = measure_draws(cube, "rm-1", "rm-2", measure=name, golden="rm-0")
        values = prepare(cube, name)
        (overall_C,), _ = values.overall(everything)
        found = resolution(draws)
        undefined = {values.column_MM[0, m]: values.undefined_UC[:, values.column_MM[0, m]].sum() for m in (1, 2)}
        if len(set(undefined.values())) == 1:  # else the two means are over different prompts
            expected = overall_C[values.column_MM[0, 1]] - overall_C[values.column_MM[0, 2]]
            assert found.difference.value == pytest.approx(expected, abs=1e-9), name
        assert found.undefined >= max(undefined.values())


def test_fewer_responses_are_measured_on_subsets_and_those_beyond_the_run_only_where_the_law_is_known() -> None:
    cube = cube_of(scores(np.random.default_rng(0), 200, 6))
    accuracy = resolution(measure_draws(cube, "rm-1", "rm-2"))
    assert sorted(accuracy.spread.measured) == [2, 3, 4, 5, 6]
    assert accuracy.numbers_of_responses() == (2, 4, 6, 12, 24)
    two = resolution(measure_draws(cube, "rm-1", "rm-2", measure="accuracy_pair"))
    assert (two.responses, two.numbers_of_responses()) == (2, (2,))
    listed = resolution(measure_draws(cube, "rm-1", "rm-2", measure="ndcg"))
    assert listed.numbers_of_responses() == (2, 4, 6)
    assert listed.prompts_for(0.02, responses=12) is None


def test_many_responses_are_measured_on_some_subsets_drawn_by_the_seed() -> None:
    cube = cube_of(scores(np.random.default_rng(0), 100, 24))
    drawn = [resolution(measure_draws(cube, "rm-1", "rm-2"), seed).spread for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0].measured) <= 7
    assert drawn[0].at(12) == pytest.approx(drawn[2].at(12), rel=0.1)


def test_responses_of_policies_count_as_their_mean() -> None:
    rng = np.random.default_rng(0)
    samples = scores(rng, 50, 8)
    values = values_of(samples, N)
    answers = [values.optimised_MMQ[:, m, :, None] + rng.standard_normal((3, 50, 4)) for m in (1, 2)]
    found = resolution(scored_draws(values, answers[0], answers[1], "rm-1", "rm-2"))
    assert sorted(found.spread.measured) == [1, 2, 3, 4]
    falls = found.spread.measured[1] - found.spread.measured[2]
    assert falls / 2 == pytest.approx(found.spread.measured[2] - found.spread.measured[4], rel=1e-6)
    stored = resolution(value_draws(values, "rm-1", "rm-2"))
    assert stored.numbers_of_responses() == (1,)
    assert stored.difference.value == pytest.approx(
        resolution(best_of_n_draws(values, samples, "rm-1", "rm-2", n=N)).difference.value, rel=1e-5
    )


def test_the_smallest_detectable_difference_needs_as_many_prompts_as_there_are() -> None:
    found = resolution(accuracy_draws(np.random.default_rng(0), 300, 6))
    least = found.detectable(0.9)
    assert least is not None
    assert found.detectable(0.8) is not None
    assert found.prompts_for(least * (1 + 1e-9), 0.9) == 300
    assert prompts_needed(1e9, 1e-3) is None
    assert prompts_needed(1e-9, 0.5) == FEWEST_PROMPTS


def test_two_with_equal_scores_differ_nowhere_and_no_number_of_prompts_tells_them_apart() -> None:
    cube = cube_of(scores(np.random.default_rng(0), 40, 4)[[0, 1, 1]])
    found = resolution(measure_draws(cube, "rm-1", "rm-2"))
    assert (found.difference.value, found.standard_error) == (0.0, 0.0)
    assert found.detectable() is None
    assert found.prompts_for(0.02) is None


def test_goldens_that_gain_nothing_are_left_out_and_named() -> None:
    samples = np.concatenate([scores(np.random.default_rng(0), 60, 8), np.ones((1, 60, 8), dtype=np.float32)])
    values = values_of(samples, N)
    found = resolution(best_of_n_draws(values, samples, "rm-1", "rm-2", n=N))
    assert (found.goldens, found.undefined_goldens) == (("rm-0",), ("rm-3",))
    with pytest.raises(InvalidChoice, match="'rm-3' does not clearly gain"):
        best_of_n_draws(values, samples, "rm-1", "rm-2", n=N, golden="rm-3")


def test_the_best_two_are_those_of_greatest_mean_accuracy() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((200, 6))
    noisy = [truth + noise * rng.standard_normal((200, 6)) for noise in (2.0, 0.3, 1.0, 0.5)]
    assert best_two(cube_of(np.stack(noisy))) == ("rm-1", "rm-3")


@pytest.mark.parametrize(
    ("names", "golden", "error", "words"),
    [
        (("rm-9", "rm-1"), None, UnknownName, "no reward model 'rm-9'; there are rm-0, rm-1, rm-2"),
        (("rm-1", "rm-1"), None, InvalidChoice, "name two different ones"),
        (("rm-1", "rm-2"), "rm-2", InvalidChoice, "choose a third reward model"),
    ],
)
def test_a_choice_that_cannot_be_is_one_clear_line(
    names: tuple[str, str], golden: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        measure_draws(cube_of(scores(np.random.default_rng(0), 10, 3)), *names, golden=golden)


def test_labels_are_a_golden_if_named_or_the_only_one_and_never_one_of_the_two() -> None:
    rng = np.random.default_rng(0)
    samples = np.concatenate([scores(rng, 60, 8), scores(rng, 60, 8)[:1]])
    samples[0] = samples[0] > 0
    only = ("golden", None, None, None)
    cube, values = (replace(part, only=only) for part in (cube_of(samples), values_of(samples, N)))
    assert measure_draws(cube, "rm-1", "rm-2").goldens == ("rm-3",)
    assert value_draws(values, "rm-1", "rm-2").goldens == ("rm-3",)
    assert measure_draws(cube, "rm-1", "rm-2", golden="rm-0").goldens == ("rm-0",)
    without = [part.of_reward_models(["rm-0", "rm-1", "rm-2"]) for part in (cube, values)]
    assert measure_draws(without[0], "rm-1", "rm-2").goldens == ("rm-0",)
    assert value_draws(without[1], "rm-1", "rm-2").goldens == ("rm-0",)
    assert set(best_two(without[0])) == {"rm-1", "rm-2"}
    proxies = replace(cube, only=("golden", "proxy", "proxy", "proxy"))
    assert measure_draws(proxies, "rm-1", "rm-2").goldens == ("rm-0",)
    with pytest.raises(InvalidChoice, match="'rm-0' is no proxy, so no golden judges it"):
        measure_draws(cube, "rm-0", "rm-2")


def test_two_reward_models_alone_have_no_golden() -> None:
    cube = cube_of(scores(np.random.default_rng(0), 10, 3)[:2])
    with pytest.raises(InvalidChoice, match="needs a third one as golden"):
        measure_draws(cube, "rm-0", "rm-1")
    with pytest.raises(InvalidChoice, match="needs a third one as golden"):
        best_two(cube)


@pytest.mark.parametrize(("difference", "power"), [(0.0, 0.8), (0.02, 1.0), (0.02, 0.1), (float("nan"), 0.8)])
def test_no_difference_and_no_possible_power_are_refused(difference: float, power: float) -> None:
    with pytest.raises(InvalidChoice):
        prompts_needed(1.0, difference, power)
