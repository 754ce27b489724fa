"""Values at a KL: what interpolation gives, where a policy does not get so far, and what cannot be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues
from warehouse.study.curves.value_curves import strengths_read, values_at_kl

M, Q, S = 3, 5, 4


def _values(rng: np.random.Generator) -> list[PolicyValues]:
    initial_MQ = rng.normal(size=(M, Q))
    names = tuple(f"rm-{m}" for m in range(M))
    prompts = tuple(f"p{q}" for q in range(Q))
    about = {"reward_models": names, "prompts": prompts, "categories": ("Chat",) * Q, "subsets": ("chat",) * Q}
    return [PolicyValues(initial_MQ, rng.normal(size=(M, M, Q)), **about) for _ in range(S)]


def test_values_are_linear_in_the_root_of_kl_as_numpy_interpolates_them() -> None:
    rng = np.random.default_rng(0)
    values, kl_SM = _values(rng), np.sort(rng.uniform(0.1, 9, size=(S, M)), axis=0)
    kl = 0.7 * float(kl_SM.max(axis=0).min())
    found = values_at_kl(values, kl_SM, kl)
    assert found.optimised_M is None
    for g, m, q in np.ndindex(M, M, Q):
        knots = [values[0].initial_MQ[g, q], *(one.optimised_MMQ[g, m, q] for one in values)]
        expected = np.interp(np.sqrt(kl), [0.0, *np.sqrt(kl_SM[:, m])], knots)
        assert found.optimised_MMQ[g, m, q] == pytest.approx(expected)


def test_at_a_strength_that_all_reach_alike_the_values_are_that_strength_s_own() -> None:
    values = _values(np.random.default_rng(1))
    kl_SM = np.repeat([[0.5], [1.0], [2.0], [4.0]], M, axis=1)
    assert np.array_equal(values_at_kl(values, kl_SM, 2.0).optimised_MMQ, values[2].optimised_MMQ)


def test_a_policy_that_comes_back_counts_where_it_first_was_so_far() -> None:
    values = _values(np.random.default_rng(2))
    kl_SM = np.repeat([[1.0], [4.0], [1.0], [9.0]], M, axis=1)
    found = values_at_kl(values, kl_SM, 2.25)
    assert found.optimised_MMQ == pytest.approx((values[0].optimised_MMQ + values[1].optimised_MMQ) / 2)


def test_a_policy_that_never_gets_so_far_or_that_is_missing_is_marked_and_stays_the_initial_one() -> None:
    values = _values(np.random.default_rng(3))
    kl_SM = np.array([[1.0, 1.0, 1.0], [2.0, 1.5, 4.0], [3.0, 1.6, 9.0], [4.0, 1.7, 16.0]])
    cut = np.array([True, True, False])
    values = [values[0], *(replace(one, optimised_M=cut) for one in values[1:])]
    found = values_at_kl(values, kl_SM, 2.0)
    assert found.optimised_M is not None
    assert found.optimised_M.tolist() == [True, False, False]
    assert np.array_equal(found.optimised_MMQ[:, 1], found.initial_MQ)
    assert np.array_equal(found.optimised_MMQ[:, 2], found.initial_MQ)


@pytest.mark.parametrize("kl", [0.0, -1.0, float("nan")])
def test_a_kl_that_is_not_above_0_is_refused(kl: float) -> None:
    with pytest.raises(InvalidChoice, match="nats above 0"):
        values_at_kl(_values(np.random.default_rng(4)), np.ones((S, M)), kl)


def test_a_kl_that_no_policy_reaches_is_refused_with_the_farthest() -> None:
    with pytest.raises(InvalidChoice, match="the farthest is at 3"):
        values_at_kl(_values(np.random.default_rng(5)), np.full((S, M), 3.0), 3.5)


@pytest.mark.parametrize("seed", range(20))
def test_the_strengths_that_are_read_say_all_that_all_of_them_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kl_SM, there_SM = rng.uniform(0.1, 9, size=(S, M)), rng.random((S, M)) < 0.8
    values = [replace(one, optimised_M=there) for one, there in zip(_values(rng), there_SM, strict=True)]
    for kl in (0.05, *rng.uniform(0.1, 9, 4), 8.9):
        read = strengths_read(kl_SM, there_SM, kl)
        try:
            whole = values_at_kl(values, kl_SM, kl)
        except InvalidChoice as refused:
            with pytest.raises(InvalidChoice, match=str(refused)):
                values_at_kl([values[s] for s in read], kl_SM[read], kl)
            continue
        part = values_at_kl([values[s] for s in read], kl_SM[read], kl)
        assert np.array_equal(part.optimised_MMQ, whole.optimised_MMQ)
        assert (part.optimised_M is None) == (whole.optimised_M is None)
        assert part.optimised_M is None or np.array_equal(part.optimised_M, whole.optimised_M)
    assert strengths_read(np.repeat([[1.0], [2.0], [3.0], [4.0]], M, axis=1), np.ones((S, M), dtype=bool), 2.5) == [
        1,
        2,
    ]
