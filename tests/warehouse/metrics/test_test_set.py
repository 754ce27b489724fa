"""Test-set constructions against their plain definitions, alone and combined."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, dense, evaluate_each, normal_scores, study, tied_scores
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.test_set import chosen_prompts, with_paraphrases, with_responses
from warehouse.study import TestSet, evaluate, prepare
from warehouse.study.plans import rank_bin_cells, splits


def bin_of(a: np.ndarray, bins: int) -> np.ndarray:
    return ((stats.rankdata(a) - 0.5) * bins / len(a)).astype(int) + 1


def accuracy_in_bins(a: np.ndarray, b: np.ndarray, bins: int, chosen: int, rejected: int) -> float | None:
    number = bin_of(a, bins)
    right = [
        1.0 if b[i] > b[j] else 0.5 if b[i] == b[j] else 0.0
        for i in range(len(a))
        for j in range(len(a))
        if number[i] == chosen and number[j] == rejected
    ]
    return float(np.mean(right)) if right else None


@pytest.mark.parametrize("kind", ["ties", "normal"])
@pytest.mark.parametrize(("R", "bins"), [(5, 5), (5, 2), (6, 3), (7, 4), (2, 2)])
def test_rank_bins_equal_every_pair_counted_by_hand(R: int, bins: int, kind: str) -> None:
    rng = np.random.default_rng(R * bins)
    scores = tied_scores(rng, 3, 15, R) if kind == "ties" else normal_scores(rng, np.array([0.2, 1, 2]), 15, R)
    cube = cube_of(scores)
    for chosen, rejected in rank_bin_cells(bins):
        values, defined = dense(
            prepare(cube, "accuracy", TestSet(rank_bins=bins, chosen_bin=chosen, rejected_bin=rejected))
        )
        for golden, proxy in [(0, 1), (1, 0), (2, 1)]:
            for p in range(15):
                a, b = cube.scores_MPR[golden, p].astype(float), cube.scores_MPR[proxy, p].astype(float)
                wanted = accuracy_in_bins(a, b, bins, chosen, rejected)
                assert defined[p, golden, proxy] == (wanted is not None)
                assert values[0, p, golden, proxy] == pytest.approx(wanted or 0.0)


def test_a_measure_of_lists_sees_the_responses_of_both_bins() -> None:
    cube = cube_of(tied_scores(np.random.default_rng(5), 3, 25, 6))
    values, defined = dense(prepare(cube, "spearman", TestSet(rank_bins=3, chosen_bin=3, rejected_bin=1)))
    for p in range(25):
        a, b = cube.scores_MPR[0, p].astype(float), cube.scores_MPR[1, p].astype(float)
        number = bin_of(a, 3)
        kept = (number == 3) | (number == 1)
        sensible = {3, 1} <= set(number) and len(set(b[kept])) > 1
        assert defined[p, 0, 1] == sensible
        if sensible:
            assert values[0, p, 0, 1] == pytest.approx(stats.spearmanr(a[kept], b[kept])[0])


def test_with_two_bins_of_one_response_every_ranking_measure_says_the_same() -> None:
    cube = cube_of(normal_scores(np.random.default_rng(0), np.array([0.5, 1.0, 2.0]), 20, 5))
    cell = TestSet(rank_bins=5, chosen_bin=4, rejected_bin=2)
    accuracy, _ = dense(prepare(cube, "accuracy", cell))
    pair, _ = dense(prepare(cube, "accuracy_pair", cell))
    kendall, _ = dense(prepare(cube, "kendall", cell))
    np.testing.assert_array_equal(accuracy, pair)
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(kendall[:, :, off], 2 * accuracy[:, :, off] - 1, atol=1e-12)


def test_accuracy_of_one_pair_takes_the_first_pair_of_the_bins() -> None:
    scores = np.array([[[3, 1, 2, 4.0]] * 2, [[1, 3, 2, 4.0]] * 2])
    values, _ = dense(prepare(cube_of(scores), "accuracy_pair", TestSet(rank_bins=2, chosen_bin=2, rejected_bin=1)))
    assert values[0, 0, 0, 1] == 0.0  # responses 1 (above) and 2 (below), which the proxy has the other way round


def test_prompts_are_drawn_by_seed_and_a_smaller_draw_is_part_of_a_greater_one() -> None:
    cube, _ = study()
    few, many = (set(chosen_prompts(cube, TestSet(prompts=n, seed=4)).tolist()) for n in (10, 30))
    assert len(few) == 10
    assert few < many
    assert few != set(chosen_prompts(cube, TestSet(prompts=10, seed=5)).tolist())


def test_everything_combines() -> None:
    cube, values = study(P=120, R=6)
    found = evaluate(
        cube,
        values,
        measure="brier",
        test_set=TestSet(
            categories=("Chat", "Safety"),
            subsets=("Chat/0", "Safety/0"),
            responses=4,
            budget=80,
            rank_bins=2,
            chosen_bin=2,
            rejected_bin=1,
            noise=0.1,
            seed=9,
        ),
        rl_categories=("Reasoning",),
        replicates=50,
    )
    assert found.prompts_used == 20
    assert found.correlations["kendall"].value is not None


def test_a_budget_is_spent_on_ever_fewer_prompts() -> None:
    cube, values = study()
    tried = splits(120, 60, 5)
    points = evaluate_each(cube, values, [TestSet(responses=r, budget=120) for r in tried], replicates=20)
    assert [(r, point.prompts_used) for r, point in zip(tried, points, strict=True)] == [
        (2, 60),
        (3, 40),
        (4, 30),
        (5, 24),
    ]
    direct = evaluate(cube, values, test_set=TestSet(responses=3, prompts=40), replicates=20)
    np.testing.assert_array_equal(points[1].value_MM, direct.value_MM)
    with pytest.raises(InvalidChoice, match="a budget of 3 cannot be spent"):
        splits(3, 60, 5)


def test_the_heat_map_has_every_cell_above_the_diagonal() -> None:
    cube, values = study()
    names = rank_bin_cells(5)
    test_sets = [TestSet(rank_bins=5, chosen_bin=chosen, rejected_bin=rejected) for chosen, rejected in names]
    cells = dict(zip(names, evaluate_each(cube, values, test_sets, replicates=10), strict=True))
    assert set(cells) == {(i, j) for j, i in combinations(range(1, 6), 2)}
    easy, hard = cells[5, 1].value_MM, cells[3, 2].value_MM
    assert easy[~np.eye(6, dtype=bool)].mean() > hard[~np.eye(6, dtype=bool)].mean()


def test_paraphrases_replace_a_share_of_the_prompts() -> None:
    cube, _ = study()
    other = replace(cube, scores_MPR=cube.scores_MPR + 1, prompts=cube.prompts)
    half, whole = (with_paraphrases(cube, other, share, seed=1) for share in (0.5, 1.0))
    replaced = (half.scores_MPR != cube.scores_MPR).all(axis=(0, 2))
    assert replaced.sum() == 30
    np.testing.assert_array_equal(whole.scores_MPR, other.scores_MPR)
    np.testing.assert_array_equal(with_paraphrases(cube, other, 0.0).scores_MPR, cube.scores_MPR)
    fewer = with_paraphrases(cube, other.first_responses(3), 0.5, seed=1)
    np.testing.assert_array_equal(fewer.scores_MPR, half.scores_MPR[:, :, :3])
    few = replace(
        other,
        scores_MPR=other.scores_MPR[:, :9],
        prompts=other.prompts[:9],
        categories=other.categories[:9],
        subsets=other.subsets[:9],
    )
    with pytest.raises(InvalidChoice, match=r"needs 30 paraphrases; there are 9"):
        with_paraphrases(cube, few, 0.5)
    with pytest.raises(InvalidChoice, match="from 0 to 1"):
        with_paraphrases(cube, other, 1.5)


def test_responses_of_several_sources_alternate_on_the_prompts_that_all_have() -> None:
    cube, _ = study()
    other = replace(
        cube,
        scores_MPR=cube.scores_MPR[:, 10:, :3] + 9,
        prompts=cube.prompts[10:],
        categories=cube.categories[10:],
        subsets=cube.subsets[10:],
    )
    joined = with_responses([cube, other])
    assert joined.scores_MPR.shape == (6, 50, 8)
    assert joined.prompts == cube.prompts[10:]
    np.testing.assert_array_equal(joined.scores_MPR[:, :, 1], other.scores_MPR[:, :, 0])
    np.testing.assert_array_equal(joined.scores_MPR[:, :, 2], cube.scores_MPR[:, 10:, 1])
    with pytest.raises(InvalidChoice, match="have to agree"):
        with_responses([cube, replace(other, reward_models=tuple("abcdef"))])


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        (TestSet(categories=("Poetry",)), UnknownName, "no RM-test prompts of category 'Poetry'; there are Chat"),
        (TestSet(subsets=("Poetry",)), UnknownName, "of subset 'Poetry'"),
        (TestSet(categories=("Chat",), subsets=("Safety/0",)), InvalidChoice, "leaves 0 RM-test prompts"),
        (TestSet(responses=6), InvalidChoice, "responses is 6; the run has 5"),
        (TestSet(responses=1), InvalidChoice, "from 2 to 5"),
        (TestSet(prompts=1), InvalidChoice, "prompts is 1; the chosen categories allow from 2 to 60"),
        (TestSet(prompts=61), InvalidChoice, "prompts is 61"),
        (TestSet(budget=1000), InvalidChoice, "budget is 1000, for 200 prompts; the chosen"),
        (TestSet(budget=100, prompts=5), InvalidChoice, "leave one out"),
        (TestSet(rank_bins=6), InvalidChoice, "rank_bins is 6; 5 responses"),
        (TestSet(rank_bins=3, chosen_bin=2), InvalidChoice, "set both or neither"),
        (TestSet(rank_bins=3, chosen_bin=1, rejected_bin=2), InvalidChoice, "1 ≤ rejected < chosen ≤ 3"),
        (TestSet(chosen_bin=2, rejected_bin=1), InvalidChoice, "rank_bins is not set"),
        (TestSet(noise=0.5), InvalidChoice, "from 0 to below 0.5"),
        (TestSet(noise=float("nan")), InvalidChoice, "noise is nan"),
        (TestSet(seed=-1), InvalidChoice, "seed is -1"),
    ],
)
def test_a_choice_that_cannot_be_met_says_what_can(choice: TestSet, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(*study(), test_set=choice, replicates=10)


@pytest.mark.parametrize("field", ["categories", "subsets"])
def test_names_may_be_a_list_but_not_one_text(field: str) -> None:
    given: dict[str, Any] = {field: ["Chat", "Safety"]}
    assert TestSet(**given) == TestSet(**{field: ("Chat", "Safety")})
    assert hash(TestSet(**given)) == hash(TestSet(**{field: ("Chat", "Safety")}))
    with pytest.raises(InvalidChoice, match=rf"^{field} is 'Chat'; give a tuple of names, as in \('Chat',\)$"):
        TestSet(**{field: "Chat"})
