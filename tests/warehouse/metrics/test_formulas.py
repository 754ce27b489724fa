"""Every measure of METHOD's table against an independent reference, prompt by prompt, ties and constants included."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss, ndcg_score

from tests.warehouse.study.simulate import cube_of, dense, normal_scores, tied_scores
from warehouse.study import TestSet, prepare

Reference = Callable[[np.ndarray, np.ndarray], float | None]


def golden_pairs(a: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (better, worse) by the golden scores."""
    return [(i, j) if a[i] > a[j] else (j, i) for i, j in combinations(range(len(a)), 2) if a[i] != a[j]]


def constant(*values: np.ndarray) -> bool:
    return any(len(set(v.tolist())) == 1 for v in values)


def accuracy(a: np.ndarray, b: np.ndarray) -> float | None:
    right = [1.0 if b[i] > b[j] else 0.5 if b[i] == b[j] else 0.0 for i, j in golden_pairs(a)]
    return float(np.mean(right)) if right else None


def margin_accuracy(a: np.ndarray, b: np.ndarray) -> float | None:
    pairs = golden_pairs(a)
    right = [1.0 if b[i] > b[j] else 0.5 if b[i] == b[j] else 0.0 for i, j in pairs]
    return float(np.average(right, weights=[a[i] - a[j] for i, j in pairs])) if pairs else None


def correlation_with(function: Callable) -> Reference:
    return lambda a, b: None if constant(a, b) else float(function(a, b)[0])


def xi(a: np.ndarray, b: np.ndarray) -> float | None:
    return None if constant(a) else float(stats.chatterjeexi(b, a).statistic)


def bo_r(a: np.ndarray, b: np.ndarray) -> float | None:
    return None if constant(a) else float((a[b == b.max()].mean() - a.mean()) / (a.max() - a.mean()))


def mrr(a: np.ndarray, b: np.ndarray) -> float | None:
    ranks = stats.rankdata(-b)
    return None if constant(a) else float(np.mean(1.0 / ranks[a == a.max()]))


def ndcg(a: np.ndarray, b: np.ndarray) -> float | None:
    gains = (a - a.min()) / (a.max() - a.min()) if not constant(a) else a
    return None if constant(a) else float(ndcg_score([gains], [b]))


def probabilities(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([1.0 / (1.0 + math.exp(-(b[i] - b[j]))) for i, j in golden_pairs(a)])


def brier(a: np.ndarray, b: np.ndarray) -> float | None:
    p = probabilities(a, b)
    return -float(brier_score_loss(np.ones(len(p)), p, pos_label=1)) if len(p) else None


def log_loss_reference(a: np.ndarray, b: np.ndarray) -> float | None:
    p = probabilities(a, b)
    return -float(log_loss(np.ones(len(p)), p, labels=[0, 1])) if len(p) else None


REFERENCES: dict[str, Reference] = {
    "accuracy": accuracy,
    "accuracy_pair": lambda a, b: accuracy(a[:2], b[:2]),
    "pearson": correlation_with(stats.pearsonr),
    "spearman": correlation_with(stats.spearmanr),
    "kendall": correlation_with(stats.kendalltau),
    "xi": xi,
    "bo_r": bo_r,
    "mrr": mrr,
    "ndcg": ndcg,
    "brier": brier,
    "log_loss": log_loss_reference,
    "margin_accuracy": margin_accuracy,
}


@pytest.mark.parametrize("kind", ["ties", "normal"])
@pytest.mark.parametrize("R", [2, 3, 5, 14])
@pytest.mark.parametrize("name", REFERENCES)
def test_every_prompt_value_equals_the_reference(name: str, R: int, kind: str) -> None:
    rng = np.random.default_rng(R)
    M, P = 4, 12
    scores = tied_scores(rng, M, P, R) if kind == "ties" else normal_scores(rng, np.linspace(0.2, 2, M), P, R)
    cube = cube_of(scores)
    scores = cube.scores_MPR.astype(np.float64)
    values, defined = dense(prepare(cube, name))
    for golden in range(M):
        for proxy in range(M):
            for p in range(P):
                wanted = REFERENCES[name](scores[golden, p], scores[proxy, p]) if golden != proxy else None
                assert defined[p, golden, proxy] == (wanted is not None)
                assert values[0, p, golden, proxy] == pytest.approx(wanted or 0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["ties", "normal"])
def test_calibration_error_equals_ten_bins_of_both_orientations(kind: str) -> None:
    rng = np.random.default_rng(3)
    M, P, R = 3, 40, 5
    scores = tied_scores(rng, M, P, R) if kind == "ties" else normal_scores(rng, np.array([0.3, 1, 2]), P, R)
    cube = cube_of(scores)
    values = prepare(cube, "ece")
    errors, _ = values.overall(np.ones((1, P)))
    for golden in range(M):
        for proxy in range(M):
            if golden == proxy:
                continue
            p, right, weight = [], [], []
            for a, b in zip(cube.scores_MPR[golden].astype(float), cube.scores_MPR[proxy].astype(float), strict=True):
                pairs = golden_pairs(a)
                for i, j in pairs:
                    for first, second, outcome in ((i, j, 1.0), (j, i, 0.0)):
                        p.append(1.0 / (1.0 + math.exp(-(b[first] - b[second]))))
                        right.append(outcome)
                        weight.append(0.5 / len(pairs))
            bins = np.minimum((np.array(p) * 10).astype(int), 9)
            weights = np.array(weight)
            total = 0.0
            for number in range(10):
                inside = bins == number
                total += abs(np.sum(weights[inside] * (np.array(p)[inside] - np.array(right)[inside])))
            assert errors[0, values.column_MM[golden, proxy]] == pytest.approx(-total / weights.sum(), abs=1e-9)


def test_reward_variance_is_the_share_within_prompts_and_hangs_on_the_proxy_alone() -> None:
    scores = normal_scores(np.random.default_rng(1), np.array([0.5, 1.0, 2.0]), 30, 6)
    scores[2] = 7.0
    cube = cube_of(scores)
    values, defined = dense(prepare(cube, "reward_variance"))
    stored = cube.scores_MPR.astype(np.float64)
    for proxy in (0, 1):
        standardised = (stored[proxy] - stored[proxy].mean()) / stored[proxy].std()
        np.testing.assert_allclose(values[0, :, 2, proxy], standardised.var(axis=1), atol=1e-12)
    np.testing.assert_array_equal(values[0, :, 1, 0], values[0, :, 2, 0])
    assert not defined[:, :, 2].any()
    fewer, _ = dense(prepare(cube, "reward_variance", TestSet(responses=3)))
    expected = stored[0, :, :3].var(axis=1) / stored[0].var()
    np.testing.assert_allclose(fewer[0, :, 1, 0], expected, atol=1e-12)


def test_scores_so_small_or_large_that_their_squares_fail_still_correlate() -> None:
    scores = normal_scores(np.random.default_rng(2), np.array([0.5, 1.0]), 5, 6)
    plain, _ = dense(prepare(cube_of(scores), "pearson"))
    for scale in (1e-30, 1e30):
        scaled, defined = dense(prepare(cube_of(scores * scale), "pearson"))
        assert defined[:, 0, 1].all()
        np.testing.assert_allclose(scaled, plain, atol=1e-6)
