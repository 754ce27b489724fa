"""`study/resolution.py`: what half of a run predicts of the whole, and whether the sizes that it names suffice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cli.resolving import sentence
from tests.helpers.planted import Planted, PlantedStudy, Size
from warehouse.claims.claim import KENDALL
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.policies.repeats import averaged
from warehouse.metrics.test_set import TestSet
from warehouse.stats import intervals
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import difference
from warehouse.study.evaluate import Replicated, replicated
from warehouse.study.resolution import (
    Resolution,
    Sizes,
    Variances,
    detectable,
    of_contrast,
    of_correlation,
    of_difference_without_noise,
    of_interval,
    resolution,
    width,
)

PARTS = Variances(
    models=0.01, models_noise=0.002, rm_prompts=0.003, rl_prompts=0.005, least=0.0, degrees=13.0, both=True
)
SIZES = Sizes(14, 100, 200)


def of_first_prompts(values: PolicyValues, n: int) -> PolicyValues:
    names = {name: getattr(values, name)[:n] for name in ("prompts", "categories", "subsets")}
    return replace(values, initial_MQ=values.initial_MQ[:, :n], optimised_MMQ=values.optimised_MMQ[:, :, :n], **names)


def measured(study: PlantedStudy, n: int) -> list[Replicated]:
    """Accuracy, and accuracy on one pair, with the first n prompts on either side."""
    cube, values = study.cube.of_prompts(np.arange(n)), of_first_prompts(study.values, n)
    jobs = [("accuracy", TestSet()), ("accuracy_pair", TestSet())]
    return replicated(cube, values, jobs, selected=KENDALL)


@pytest.mark.parametrize("kind", ["best-of-n", "ppo"])
def test_half_of_the_prompts_predict_the_width_of_the_whole(kind: str) -> None:
    """Single runs scatter, as a jackknife over 14 reward models does; the median of nine has to be right."""
    planted = Planted(kind, Size(M=14, P=200))
    of_tau, of_differences = [], []
    for seed in range(9):
        study = planted.study(seed)
        half, whole = (measured(study, n) for n in (100, 200))
        kendall = whole[0].evaluation.correlations["kendall"]
        assert kendall.value is not None
        assert kendall.low is not None
        parts, of_pair = of_correlation(half[0]), of_contrast([(1.0, half[0]), (-1.0, half[1])])
        assert parts is not None
        assert of_pair is not None
        of_tau.append(width(parts, rm_prompts=2.0, rl_prompts=2.0) / (2.0 * (kendall.value - kendall.low)))
        between = difference(*whole)
        assert between.high is not None
        assert between.low is not None
        of_differences.append(width(of_pair, rm_prompts=2.0, rl_prompts=2.0) / (between.high - between.low))
    assert 0.8 < np.median(of_tau) < 1.25
    assert 0.75 < np.median(of_differences) < 1.35


def of_first_repeats(values: PolicyValues, n: int) -> PolicyValues:
    of_each = np.stack([values.of_repeat(number).optimised_MMQ for number in range(n)])
    mean_MMQ, repeats = averaged(of_each, np.ones((n, len(of_each[0])), dtype=bool))
    return replace(values, optimised_MMQ=mean_MMQ, repeats=repeats)


def test_two_seeds_predict_the_width_of_six_and_that_more_prompts_do_not_help_as_much() -> None:
    planted = Planted("ppo", Size(M=14, P=200, repeats=6, seed_spread=1.0))
    of_seeds, of_prompts = [], []
    for seed in range(9):
        study = planted.study(seed)
        two, six = (
            replicated(study.cube, of_first_repeats(study.values, n), [("accuracy", TestSet())], selected=KENDALL)[0]
            for n in (2, 6)
        )
        parts, expected = of_correlation(two), of_correlation(six)
        assert parts is not None
        assert expected is not None
        assert (parts.seeds, expected.seeds) == (2, 6)
        of_seeds.append(width(parts, seeds=3.0) / width(expected))
        of_prompts.append(width(parts, rl_prompts=100.0) / width(parts))
    assert 0.8 < np.median(of_seeds) < 1.25
    assert np.median(of_prompts) > 0.95


def test_the_seeds_of_each_policy_are_a_size_where_their_noise_is_known() -> None:
    repeated = replace(PARTS, training=0.02, seeds=2)
    found = resolution(repeated, SIZES, effect=0.45)
    assert found.seeds_now == 2
    assert found.seeds is not None
    for seeds, enough in ((found.seeds, True), (found.seeds - 1, False)):
        assert (detectable(repeated, seeds=seeds / 2) <= 0.45) == enough
    once = resolution(PARTS, SIZES, effect=0.35)
    assert (once.seeds, once.seeds_now) == (None, 0)
    assert "seeds of each policy instead of 2" in sentence(found, growth=None)
    assert "seeds" not in sentence(once, growth=None)
    assert "RL-test prompts or seeds alone" in sentence(resolution(repeated, SIZES, effect=0.2), growth=None)


def test_the_width_now_is_that_of_the_interval() -> None:
    first, second = measured(Planted("ppo", Size(M=10, P=60)).study(3), 60)
    paired = difference(first, second)
    parts = of_contrast([(1.0, first), (-1.0, second)])
    assert parts is not None
    assert paired.high is not None
    assert paired.low is not None
    assert width(parts) == pytest.approx(paired.high - paired.low, rel=0.15)
    kendall, of_tau = first.evaluation.correlations["kendall"], of_correlation(first)
    assert of_tau is not None
    assert kendall.value is not None
    assert kendall.low is not None
    assert width(of_tau) == pytest.approx(2.0 * (kendall.value - kendall.low), rel=0.15)
    without = of_difference_without_noise(first, second)
    assert without is not None
    assert width(without) > width(parts)


def test_sizes_detect_the_effect_and_smaller_ones_do_not() -> None:
    found = resolution(PARTS, SIZES, effect=0.39)
    assert found.detectable == detectable(PARTS) > 0.39
    assert found.reward_models is not None
    assert found.all is not None
    for times, enough in ((found.reward_models / 14, True), ((found.reward_models - 1) / 14, False)):
        assert (detectable(PARTS, models=times) <= 0.39) == enough
    times = found.all.reward_models / 14
    assert detectable(PARTS, times, times, times) <= 0.39
    assert found.all.rm_prompts == int(np.ceil(times * 100))
    assert found.all.reward_models < found.reward_models
    assert found.rm_prompts is not None
    assert found.rl_prompts is not None
    assert found.rl_prompts / 200 < found.rm_prompts / 100  # RL-test prompts have the greater part
    easy = resolution(PARTS, SIZES, effect=1.0)
    assert (easy.reward_models, easy.rm_prompts, easy.rl_prompts, easy.all) == (14, 100, 200, SIZES)


def test_no_number_of_prompts_suffices_where_reward_models_alone_leave_too_much() -> None:
    found = resolution(PARTS, SIZES, effect=0.1)
    assert (found.rm_prompts, found.rl_prompts) == (None, None)
    assert found.reward_models is None  # nor do reward models: the prompts' part remains
    assert found.all is not None
    few = resolution(replace(PARTS, rm_prompts=0.0, rl_prompts=0.0), SIZES, effect=0.1)
    assert few.reward_models is not None
    assert resolution(PARTS, SIZES, effect=1e-6) == Resolution(
        1e-6, detectable(PARTS), SIZES, reward_models=None, rm_prompts=None, rl_prompts=None, all=None
    )


def test_the_smallest_detectable_effect_is_detected_in_four_studies_of_five() -> None:
    rng = np.random.default_rng(0)
    effect, degrees = detectable(PARTS), PARTS.degrees
    error = PARTS.standard_error()
    estimates = effect + error * rng.standard_normal(20_000)
    errors = error * np.sqrt(rng.chisquare(degrees, 20_000) / degrees)
    power = float((estimates - intervals.t_quantile(degrees) * errors > 0).mean())
    assert power == pytest.approx(0.8, abs=0.03)


def test_an_interval_for_several_at_once_is_wider_by_its_factor() -> None:
    assert width(PARTS.of_wider(1.4)) == pytest.approx(1.4 * width(PARTS))


def test_of_an_interval_alone_all_sizes_grow_together() -> None:
    found = of_interval(Estimate(0.1, -0.1, 0.3, 100), SIZES, effect=0.1)
    assert found is not None
    assert found.detectable == pytest.approx(0.2 / 1.96 * 2.80, rel=0.01)
    assert found.all is not None
    assert found.all.reward_models / 14 == pytest.approx(8.2, rel=0.05)
    assert not found.split
    assert of_interval(Estimate.undefined(), SIZES, effect=0.1) is None
