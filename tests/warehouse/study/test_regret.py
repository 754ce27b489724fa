"""NDR and where it is undefined."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.simulate import study
from warehouse.metrics import prompt_values
from warehouse.stats import resampling
from warehouse.stats.bootstrap import RL_PROMPTS, counts
from warehouse.study import evaluate, regret
from warehouse.study.regret import drawn_regret, regret_of


def test_ndr_is_the_share_of_the_golden_gain() -> None:
    cube, values = study()
    found = evaluate(cube, values, replicates=50)
    for golden in range(6):
        start = values.initial_MQ[golden].mean()
        room = values.optimised_MMQ[golden, golden].mean() - start
        for proxy in range(6):
            if golden == proxy:
                assert not found.ndr_defined_MM[golden, proxy]
                assert found.ndr_MM[golden, proxy] == 0
            else:
                gain = values.optimised_MMQ[golden, proxy].mean() - start
                assert found.ndr_MM[golden, proxy] == pytest.approx(gain / room, abs=1e-11)
                low, high = found.ndr_low_MM[golden, proxy], found.ndr_high_MM[golden, proxy]
                assert low < found.ndr_MM[golden, proxy] < high


def test_visitors_at_the_same_time_get_the_figures_that_each_would_get_alone() -> None:
    """All share the arrays and their caches, from which rows are dropped meanwhile."""
    cube, values = study(P=20, Q=20)
    choices = [{"seed": seed, "replicates": size} for seed in (0, 1) for size in (16, 40)]
    alone = [evaluate(cube, replace(values), **choice).correlations for choice in choices]

    def visit(visitor: int) -> bool:
        same = True
        for number in np.random.default_rng(visitor).permutation(np.repeat(np.arange(len(choices)), 3)):
            if visitor == 0:
                resampling._rows_for.cache_clear()
            same &= evaluate(cube, values, **choices[number]).correlations == alone[number]
        return same

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(visit, range(4)))


def test_a_copy_of_the_golden_reward_model_loses_nothing() -> None:
    cube, values = study()
    optimised = values.optimised_MMQ.copy()
    optimised[0, 1] = optimised[0, 0]
    found = evaluate(cube, replace(values, optimised_MMQ=optimised), replicates=50)
    assert found.ndr_MM[0, 1] == 1.0


@pytest.mark.parametrize("gain", ["none", "noise", "loss"])
def test_a_golden_that_does_not_clearly_gain_leaves_its_pairs_undefined_and_counted(gain: str) -> None:
    cube, values = study()
    optimised = values.optimised_MMQ.copy()
    noise = np.random.default_rng(0).standard_normal(values.initial_MQ.shape[1])
    added = {"none": 0.0, "noise": noise - noise.mean(), "loss": -1.0}[gain]
    optimised[2, 2] = values.initial_MQ[2] + added
    found = evaluate(cube, replace(values, optimised_MMQ=optimised), replicates=200)
    assert not found.ndr_defined_MM[2].any()
    assert not found.ndr_MM[2].any()
    assert found.undefined_pairs == 5
    assert found.correlations["kendall"].value is not None


def test_the_interval_is_of_the_replicates_in_which_the_golden_gains() -> None:
    _, values = study()
    drawn = counts(50, 300, 0, RL_PROMPTS)
    found = regret_of(values, np.arange(50), drawn)
    gains = values.optimised_MMQ - values.initial_MQ[:, None]
    replicated = drawn.astype(float) @ gains[1, 4] / (drawn.astype(float) @ gains[1, 1])
    low, high = np.percentile(replicated, [2.5, 97.5])
    assert found.low_MM[1, 4] == pytest.approx(low, abs=1e-9)
    assert found.high_MM[1, 4] == pytest.approx(high, abs=1e-9)


def test_replicates_at_hand_are_those_of_the_same_prompts_and_seed() -> None:
    _, values = study()
    for prompts, seed in ((np.arange(50), 0), (np.arange(30), 0), (np.arange(20, 50), 0), (np.arange(20, 50), 1)):
        found = drawn_regret(values, prompts, 100, seed)
        assert drawn_regret(values, prompts, 100, seed) is found
        fresh = regret_of(values, prompts, counts(len(prompts), 100, seed, RL_PROMPTS))
        np.testing.assert_array_equal(found.ndr_BMM, fresh.ndr_BMM)
        np.testing.assert_array_equal(found.low_MM, fresh.low_MM)
    assert len(values.drawn) == 1
    assert not replace(values, optimised_M=np.ones(6, dtype=bool)).drawn


@pytest.mark.parametrize("prompts", [50, 30])
def test_goldens_and_columns_taken_some_at_a_time_give_what_all_at_once_do(
    monkeypatch: pytest.MonkeyPatch, prompts: int
) -> None:
    _, values = study()
    chosen = np.arange(50)[-prompts:]
    drawn = counts(prompts, 200, 0, RL_PROMPTS)
    at_once = regret_of(values, chosen, drawn)
    columns = np.random.default_rng(0).standard_normal((50, 37))
    monkeypatch.setattr(prompt_values, "BLOCK_ENTRIES", 8 * prompts)
    monkeypatch.setattr(regret, "BLOCK_ENTRIES", 2 * 6 * prompts)
    in_parts = regret_of(values, chosen, drawn)
    for name in ("ndr_MM", "low_MM", "high_MM", "defined_MM", "ndr_BMM", "defined_BMM"):
        np.testing.assert_allclose(getattr(in_parts, name), getattr(at_once, name), atol=1e-11)
    sums = prompt_values.weighted_sums(drawn, columns, chosen)
    np.testing.assert_allclose(sums, np.einsum("bp,pc->bc", drawn.astype(float), columns[chosen]), atol=1e-11)
