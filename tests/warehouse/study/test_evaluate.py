"""The front door: figures and every bootstrap replicate by hand, undefined things counted, choices checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, dense, evaluate_all, study, tied_scores, values_of
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.stats.bootstrap import RL_PROMPTS, RM_PROMPTS, counts
from warehouse.stats.resampling import NOISE_LEVELS
from warehouse.study import (
    CORRELATIONS,
    MEASURES,
    PolicyValues,
    ScoreCube,
    TestSet,
    evaluate,
    prepare,
)
from warehouse.study.evaluate import replicated

SCIPY = {"kendall": stats.kendalltau, "spearman": stats.spearmanr, "pearson": stats.pearsonr}


def tied_study(seed: int = 0, M: int = 5) -> tuple[ScoreCube, PolicyValues]:
    rng = np.random.default_rng(seed)
    return cube_of(tied_scores(rng, M, 30, 4)), values_of(tied_scores(rng, M, 40, 8), 4)


def expanded(values: np.ndarray, times: np.ndarray, axis: int) -> np.ndarray:
    return np.repeat(values, times.astype(int), axis=axis)


def by_hand(cube: ScoreCube, values: PolicyValues, measure: str, draw: tuple[np.ndarray, ...]) -> dict[str, float]:
    """All figures of one replicate, from a sample in which everything stands as often as it was drawn."""
    models, prompts, rl_prompts = draw
    per_prompt, defined = dense(prepare(cube, measure))
    per_prompt, defined = expanded(per_prompt[0], prompts, 0), expanded(defined, prompts, 0)
    gains = expanded(values.optimised_MMQ - values.initial_MQ[:, None], rl_prompts, 2).mean(axis=2)
    drawn = expanded(np.arange(len(models)), models, 0)
    pooled, within, reciprocal = [], {name: [] for name in SCIPY}, []
    for golden in drawn:
        rows = [
            (per_prompt[:, golden, proxy].sum() / defined[:, golden, proxy].sum(), gains[golden, proxy])
            for proxy in drawn
            if proxy != golden and defined[:, golden, proxy].any()
        ]
        error, ndr = np.round(np.array(rows).T / np.array([[1], [gains[golden, golden]]]), 12)
        pooled.append((error, ndr))
        for name, function in SCIPY.items():
            if len(set(error)) > 1 and len(set(ndr)) > 1:
                within[name].append(function(error, ndr)[0])
        best = ndr[error == error.max()]
        reciprocal.append(np.mean([1 / (1 + (ndr > value).sum()) for value in best]))
    x, y = (np.concatenate(side) for side in zip(*pooled, strict=True))
    found = {name: function(x, y)[0] for name, function in SCIPY.items()}
    return {**found, **{f"within {name}": np.mean(each) for name, each in within.items()}, "mrr": np.mean(reciprocal)}


@pytest.mark.parametrize("measure", ["accuracy", "spearman", "bo_r", "xi"])
@pytest.mark.parametrize("kind", ["normal", "tied"])
def test_the_sample_and_each_altered_study_equal_the_expanded_sample(measure: str, kind: str) -> None:
    cube, values = study(M=7, P=20, Q=30) if kind == "normal" else tied_study()
    M, P, Q = len(cube.reward_models), len(cube.prompts), len(values.prompts)
    B, every = 240, np.ones(M)
    (found,) = replicated(cube, values, [(measure, TestSet())], replicates=B, seed=3)
    rows = found.rows
    prompts, rl_prompts = counts(P, rows.draws, 3, RM_PROMPTS), counts(Q, B, 3, RL_PROMPTS)
    assert found.evaluation.ndr_defined_MM.sum() == M * (M - 1)
    studies = {0: (every, np.ones(P), np.ones(Q))}
    for m in range(M):
        studies[rows.left_out.start + m] = (1.0 - np.eye(M)[m], np.ones(P), np.ones(Q))
    for draw in range(rows.draws):  # the first of each pair of opposite signs is the draw itself
        studies[rows.prompts.start + draw] = (every, prompts[draw], rl_prompts[draw])
    for draw in range((rows.rl_noise[0].stop - rows.rl_noise[0].start) // 2):
        studies[rows.rl_noise[0].start + draw] = (every, np.ones(P), rl_prompts[draw])
        studies[rows.rm_noise[0].start + draw] = (every, prompts[draw], np.ones(Q))
    checked = 0
    for row, draw in studies.items():
        own = np.array([((values.optimised_MMQ[g, g] - values.initial_MQ[g]) * draw[2]).sum() for g in range(M)])
        if (own <= 0).any():
            continue
        checked += 1
        for name, wanted in by_hand(cube, values, measure, draw).items():
            figures = found.within if name.startswith("within") else found.pooled
            value, defined = figures[name.removeprefix("within ")]
            assert defined[row]
            assert value[row] == pytest.approx(wanted, abs=1e-9)
    assert checked > len(studies) // 2
    sample = by_hand(cube, values, measure, studies[0])
    for name in SCIPY:
        assert found.evaluation.correlations[name].sample.value == pytest.approx(sample[name], abs=1e-9)
        assert found.evaluation.within[name].sample.value == pytest.approx(sample[f"within {name}"], abs=1e-9)
    assert found.evaluation.correlations["mrr"].sample.value == pytest.approx(sample["mrr"], abs=1e-9)


def test_added_noise_is_the_deviation_of_a_draw_times_the_root_of_its_level_either_way() -> None:
    cube, values = study()
    (found,) = replicated(cube, values, [("accuracy", TestSet())], replicates=320, seed=1)
    rows = found.rows
    for side, scale, other in (
        (rows.rl_noise, rows.rl_scale, rows.rm_scale),
        (rows.rm_noise, rows.rm_scale, rows.rl_scale),
    ):
        for level, part in zip(NOISE_LEVELS, side, strict=True):
            np.testing.assert_allclose(np.abs(scale[part]), np.sqrt(level))
            assert scale[part].sum() == pytest.approx(0.0)
            assert not other[part].any()
            assert found.pooled["pearson"][0][part].mean() < found.pooled["pearson"][0][0]


def test_a_renamed_study_is_one_whose_policies_belong_to_other_reward_models() -> None:
    cube, values = study()
    (found,) = replicated(cube, values, [("accuracy", TestSet())], replicates=100, seed=1)
    for row in range(found.rows.permuted.start, found.rows.permuted.start + 5):
        order = found.rows.order[row]
        assert sorted(order) == list(range(6))
        renamed = replace(
            values,
            initial_MQ=values.initial_MQ[order],
            optimised_MMQ=values.optimised_MMQ[order][:, order],
        )
        plain = evaluate(cube, renamed, replicates=20).correlations["kendall"].sample.value
        assert found.pooled["kendall"][0][row] == pytest.approx(plain, abs=1e-12)


def test_an_estimate_counts_the_prompt_draws_in_which_it_is_defined() -> None:
    cube, values = study()
    (found,) = replicated(cube, values, [("accuracy", TestSet())], replicates=200, seed=1)
    estimate = found.evaluation.correlations["spearman"]
    assert estimate.replicates == found.pooled["spearman"][1][found.rows.prompts].sum() == 50
    assert estimate.low < estimate.value < estimate.high
    assert found.evaluation.resampled == "reward models × prompts"


def test_three_reward_models_say_nothing_about_others() -> None:
    kendall = evaluate(*study(M=3), replicates=100).correlations["kendall"]
    assert kendall.value is not None
    assert (kendall.low, kendall.high) == (-1.0, 1.0)


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_ever_nan_and_all_that_is_undefined_is_counted(measure: str) -> None:
    rng = np.random.default_rng(0)
    scores = tied_scores(rng, 4, 20, 4)
    scores[2] = 1.0
    cube, values = cube_of(scores), values_of(tied_scores(rng, 4, 30, 8), 4)
    found = evaluate(cube, values, measure=measure, replicates=50)
    off = ~np.eye(4, dtype=bool)
    for matrix in (found.value_MM, found.ndr_MM, found.ndr_low_MM, found.ndr_high_MM):
        assert matrix.dtype == np.float64
        assert np.isfinite(matrix).all()
    assert not found.value_MM[~found.value_defined_MM].any()
    _, defined = dense(prepare(cube, measure))
    assert found.undefined_prompts == (~defined[:, off]).sum()
    assert found.undefined_pairs == (off & ~(found.value_defined_MM & found.ndr_defined_MM)).sum() > 0
    for estimate in [*found.correlations.values(), *found.within.values()]:
        numbers = [estimate.value, estimate.low, estimate.high]
        assert all(number is None for number in numbers) or np.isfinite(np.array(numbers, dtype=float)).all()


def test_two_reward_models_correlate_with_nothing() -> None:
    found = evaluate(*study(M=2), replicates=20)
    for correlation in found.correlations.values():
        for estimate in (correlation, correlation.sample, correlation.measure_itself, correlation.ceiling):
            assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert list(found.correlations) == list(CORRELATIONS)
    assert found.value_defined_MM.sum() == 2


def test_a_slice_equals_a_cube_without_the_rest() -> None:
    cube, values = study()
    inside = [p for p, category in enumerate(cube.categories) if category == "Safety"]
    rest = ScoreCube(
        cube.scores_MPR[:, inside],
        cube.reward_models,
        tuple(cube.prompts[p] for p in inside),
        tuple(cube.categories[p] for p in inside),
        tuple(cube.subsets[p] for p in inside),
    )
    sliced = evaluate(cube, values, measure="ndcg", test_set=TestSet(categories=("Safety",)), replicates=40)
    alone = evaluate(rest, values, measure="ndcg", replicates=40)
    np.testing.assert_array_equal(sliced.value_MM, alone.value_MM)
    assert sliced.correlations == alone.correlations
    assert sliced.prompts_used == len(inside)
    quiet = evaluate(cube, values, rl_categories=("Chat",), replicates=40)
    assert quiet.rl_prompts_used == 13


@pytest.mark.parametrize("measure", MEASURES)
def test_prepared_values_change_nothing_whatever_is_chosen_after(measure: str) -> None:
    cube, values = tied_study()
    test_set = TestSet(categories=("Chat", "Reasoning"), responses=3, prompts=9)
    ready = prepare(cube, measure, TestSet(responses=3))
    one = evaluate(cube, values, measure=measure, test_set=test_set, replicates=30)
    other = evaluate(cube, values, measure=measure, test_set=test_set, replicates=30, prepared=ready)
    np.testing.assert_array_equal(one.value_MM, other.value_MM)
    assert one.correlations == other.correlations
    assert one.undefined_prompts == other.undefined_prompts


def test_prepared_values_of_something_else_are_refused() -> None:
    cube, values = study()
    with pytest.raises(InvalidChoice, match="prepare them for the same"):
        evaluate(cube, values, measure="accuracy", prepared=prepare(cube, "kendall"))
    with pytest.raises(InvalidChoice, match="prepare them for the same"):
        evaluate(cube, values, prepared=prepare(cube, "accuracy", TestSet(responses=3)))
    with pytest.raises(InvalidChoice, match="of another score cube"):
        evaluate(cube, values, prepared=prepare(study(P=61)[0], "accuracy"))


def test_the_order_of_reward_models_and_prompts_changes_no_figure() -> None:
    cube, values = study()
    models, prompts = np.random.default_rng(1).permutation(6), np.random.default_rng(2).permutation(60)
    shuffled = ScoreCube(
        cube.scores_MPR[models][:, prompts],
        tuple(cube.reward_models[m] for m in models),
        tuple(cube.prompts[p] for p in prompts),
        tuple(cube.categories[p] for p in prompts),
        tuple(cube.subsets[p] for p in prompts),
    )
    revalued = replace(
        values,
        initial_MQ=values.initial_MQ[models],
        optimised_MMQ=values.optimised_MMQ[models][:, models],
        reward_models=shuffled.reward_models,
    )
    one, other = evaluate(cube, values, replicates=10), evaluate(shuffled, revalued, replicates=10)
    np.testing.assert_allclose(other.value_MM, one.value_MM[models][:, models], atol=1e-12)
    for name in CORRELATIONS:
        plain = one.correlations[name].sample.value
        assert other.correlations[name].sample.value == pytest.approx(plain, abs=1e-12)


def test_the_seed_decides_all() -> None:
    cube, values = study()
    one, same, other = (evaluate(cube, values, replicates=50, seed=seed) for seed in (1, 1, 2))
    assert one.correlations == same.correlations
    assert one.correlations["pearson"].low != other.correlations["pearson"].low
    assert one.correlations["pearson"].sample.value == other.correlations["pearson"].sample.value


def test_all_measures_together_equal_each_alone() -> None:
    cube, values = tied_study()
    together = evaluate_all(cube, values, replicates=30)
    assert list(together) == list(MEASURES)
    for name, found in together.items():
        alone = evaluate(cube, values, measure=name, replicates=30)
        assert found.correlations == alone.correlations
        assert found.within == alone.within


def test_single_precision_of_large_studies_stays_within_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    cube, values = study()
    double = evaluate(cube, values, measure="pearson", replicates=100)
    monkeypatch.setattr("warehouse.metrics.prompt_values._SINGLE_FROM", 0)
    single = evaluate(cube, values, measure="pearson", replicates=100)
    np.testing.assert_array_equal(single.value_MM, double.value_MM)
    for name in ("pearson", "spearman", "kendall"):
        one, other = single.correlations[name], double.correlations[name]
        assert one.sample.value == other.sample.value
        assert one.low == pytest.approx(other.low, abs=1e-4)
        assert one.high == pytest.approx(other.high, abs=1e-4)
    assert weighted_sums(np.ones((2, 3)), np.ones((3, 4))).dtype == np.float32


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cube, values = tied_study()
    alone = evaluate(cube, values, replicates=200)
    monkeypatch.setattr("warehouse.stats.across_pairs._THREADED_ENTRIES", 0)
    monkeypatch.setattr("warehouse.stats.across_pairs._CHUNK_ENTRIES", 100)
    together = evaluate(cube, values, replicates=200)
    assert together.correlations == alone.correlations
    assert together.within == alone.within


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"measure": "acc"}, UnknownName, "no measure 'acc'; there are accuracy, accuracy_pair"),
        ({"rl_categories": ("Poetry",)}, UnknownName, "no RL-test prompts of category 'Poetry'"),
        ({"rl_categories": ()}, InvalidChoice, "leaves 0 RL-test prompts"),
        ({"replicates": 0}, InvalidChoice, "replicates is 0; the bootstrap takes 1 or more"),
        ({"seed": -3}, InvalidChoice, "seed is -3"),
    ],
)
def test_a_choice_that_cannot_be_met_says_what_can(choice: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(*study(), **choice)


def test_scores_and_values_of_different_reward_models_are_refused() -> None:
    cube, values = study()
    with pytest.raises(InvalidChoice, match="they have to agree"):
        evaluate(cube, replace(values, reward_models=tuple("abcdef")))
