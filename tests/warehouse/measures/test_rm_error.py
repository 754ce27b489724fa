"""Every measure against an independent reference, prompt by prompt, with ties, constants and tiny R."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss, ndcg_score

from tests.warehouse.measures.data import gaussian_models, tied_scores
from warehouse.measures import MEASURES
from warehouse.measures.rm_error import Responses

Prompt = NDArray[np.float64]


def golden_pairs(a: Prompt, b: Prompt) -> list[tuple[float, float]]:
    """(golden margin > 0, proxy margin in the same direction) of every golden-ordered pair."""
    pairs = []
    for i, j in itertools.combinations(range(len(a)), 2):
        if a[i] != a[j]:
            sign = 1 if a[i] > a[j] else -1
            pairs.append((sign * (a[i] - a[j]), sign * (b[i] - b[j])))
    return pairs


def accuracy(a: Prompt, b: Prompt) -> float | None:
    right = [1.0 if d > 0 else 0.5 if d == 0 else 0.0 for _, d in golden_pairs(a, b)]
    return sum(right) / len(right) if right else None


def margin_accuracy(a: Prompt, b: Prompt) -> float | None:
    pairs = golden_pairs(a, b)
    right = [m * (1.0 if d > 0 else 0.5 if d == 0 else 0.0) for m, d in pairs]
    return sum(right) / sum(m for m, _ in pairs) if pairs else None


def of_scipy(function):
    def reference(a: Prompt, b: Prompt) -> float | None:
        if len(set(a)) == 1 or len(set(b)) == 1:
            return None
        return float(function(a, b).statistic)

    return reference


def xi(a: Prompt, b: Prompt) -> float | None:
    if len(set(a)) == 1:
        return None
    order = np.argsort(b, kind="stable")  # SciPy orders ties of x by chance; a strict x keeps our order
    return float(stats.chatterjeexi(np.arange(len(a)), a[order]).statistic)


def bo_r(a: Prompt, b: Prompt) -> float | None:
    if len(set(a)) == 1:
        return None
    return float((a[b == b.max()].mean() - a.mean()) / (a.max() - a.mean()))


def mrr(a: Prompt, b: Prompt) -> float | None:
    if len(set(a)) == 1:
        return None
    ranks = stats.rankdata(-b)
    return float((1 / ranks[a == a.max()]).mean())


def ndcg(a: Prompt, b: Prompt) -> float | None:
    if len(set(a)) == 1:
        return None
    return float(ndcg_score([(a - a.min()) / (a.max() - a.min())], [b]))


def brier(a: Prompt, b: Prompt) -> float | None:
    pairs = golden_pairs(a, b)
    if not pairs:
        return None
    probabilities = [1 / (1 + math.exp(-d)) for _, d in pairs]
    return -float(brier_score_loss([1] * len(pairs) + [0], [*probabilities, 0.0]) * (len(pairs) + 1) / len(pairs))


def cross_entropy(a: Prompt, b: Prompt) -> float | None:
    pairs = golden_pairs(a, b)
    probabilities = [1 / (1 + math.exp(-d)) for _, d in pairs]
    return -float(log_loss([1] * len(pairs), probabilities, labels=[0, 1])) if pairs else None


REFERENCES = {
    "accuracy": accuracy,
    "accuracy_pair": lambda a, b: accuracy(a[:2], b[:2]),
    "pearson": of_scipy(stats.pearsonr),
    "spearman": of_scipy(stats.spearmanr),
    "kendall": of_scipy(stats.kendalltau),
    "xi": xi,
    "bo_r": bo_r,
    "mrr": mrr,
    "ndcg": ndcg,
    "brier": brier,
    "log_loss": cross_entropy,
    "margin_accuracy": margin_accuracy,
}


def per_prompt(name: str, scores_MPR: NDArray) -> tuple[NDArray, NDArray]:
    value, defined = MEASURES[name].terms(Responses(scores_MPR))
    return value, defined > 0


def test_the_measures_are_those_of_the_method() -> None:
    assert set(MEASURES) == set(REFERENCES) | {"ece", "reward_variance"}


@pytest.mark.parametrize("R", [2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", REFERENCES)
def test_a_measure_is_its_reference_on_every_prompt_and_pair(name: str, seed: int, R: int) -> None:
    scores = tied_scores(seed, R=R)
    if name == "ndcg":
        scores[0, 0, 0] = 0.0
    value, defined = per_prompt(name, scores)
    M, P, _ = scores.shape
    for p, g, m in itertools.product(range(P), range(M), range(M)):
        expected = REFERENCES[name](scores[g, p].astype(float), scores[m, p].astype(float))
        if expected is None or math.isnan(expected):
            assert not defined[p, g, m]
            assert value[p, g, m] == 0
        else:
            assert defined[p, g, m]
            assert value[p, g, m] == pytest.approx(expected, abs=1e-9)


def test_calibration_error_is_that_of_ten_equal_bins_seen_from_both_sides() -> None:
    scores = gaussian_models(np.random.default_rng(0), [0.5], P=40, R=6)
    measure = MEASURES["ece"]
    totals = measure.terms(Responses(scores)).sum(axis=1)[:, None]
    value, defined = measure.combine(totals)
    probabilities, outcomes = [], []
    for p in range(40):
        for _, d in golden_pairs(scores[0, p].astype(float), scores[1, p].astype(float)):
            probabilities += [1 / (1 + math.exp(-d)), 1 / (1 + math.exp(d))]
            outcomes += [1, 0]
    bins = np.minimum((np.array(probabilities) * 10).astype(int), 9)
    gaps = [
        abs(np.mean(np.array(probabilities)[bins == b]) - np.mean(np.array(outcomes)[bins == b])) * (bins == b).mean()
        for b in range(10)
        if (bins == b).any()
    ]
    assert defined.all()
    assert value[0, 0, 1] == pytest.approx(-sum(gaps), abs=1e-6)


def test_reward_variance_is_of_the_standardised_proxy_and_depends_on_it_alone() -> None:
    scores = (
        gaussian_models(np.random.default_rng(0), [0.5], P=30, R=6) * np.array([1, 7], dtype=np.float32)[:, None, None]
    )
    value, _ = per_prompt("reward_variance", scores)
    standard = (scores[1] - scores[1].mean()) / scores[1].std()
    np.testing.assert_allclose(value[:, 0, 1], standard.var(axis=1), rtol=1e-5)
    np.testing.assert_allclose(value[:, 0, 1], value[:, 1, 1])


@pytest.mark.parametrize(
    "name", ["accuracy", "pearson", "spearman", "kendall", "bo_r", "mrr", "ndcg", "margin_accuracy"]
)
def test_a_perfect_proxy_has_one(name: str) -> None:
    scores = np.random.default_rng(0).normal(size=(1, 20, 5)).astype(np.float32)
    value, defined = per_prompt(name, np.concatenate([scores, scores]))
    assert defined.all()
    np.testing.assert_allclose(value[:, 0, 1], 1.0, atol=1e-12)


def test_a_reversed_proxy_has_no_accuracy() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 20, 5)).astype(np.float32)
    value, _ = per_prompt("accuracy", np.concatenate([scores, -scores]))
    assert not value[:, 0, 1].any()


RANK_MEASURES = ["accuracy", "spearman", "kendall", "xi", "bo_r", "mrr", "ndcg", "margin_accuracy"]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(RANK_MEASURES))
def test_rank_measures_do_not_see_an_increasing_map_of_the_proxy(seed: int, name: str) -> None:
    scores = tied_scores(seed)
    mapped = scores.copy()
    mapped[1] = np.exp(scores[1]) * 3 - 7
    before, after = per_prompt(name, scores)[0], per_prompt(name, mapped)[0]
    np.testing.assert_allclose(before[:, 0, 1], after[:, 0, 1], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([n for n in MEASURES if n not in ("accuracy_pair", "xi")]))
def test_the_order_of_responses_prompts_and_models_does_not_matter(seed: int, name: str) -> None:
    scores = tied_scores(seed)
    rng = np.random.default_rng(seed)
    models, prompts, responses = (rng.permutation(size) for size in scores.shape)
    shuffled = scores[models][:, prompts][:, :, responses]
    before, after = (MEASURES[name].terms(Responses(s)) for s in (scores, shuffled))
    expected = before[:, prompts][:, :, models][:, :, :, models]
    np.testing.assert_allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.3, 0.8])
def test_accuracy_of_gaussian_models_is_the_closed_form(rho: float) -> None:
    scores = gaussian_models(np.random.default_rng(1), [rho], P=4000, R=5)
    value, _ = per_prompt("accuracy", scores)
    error = value[:, 0, 1].std() / math.sqrt(4000)
    assert value[:, 0, 1].mean() == pytest.approx(0.5 + math.asin(rho) / math.pi, abs=4 * error)
