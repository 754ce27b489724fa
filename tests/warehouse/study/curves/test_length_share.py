"""`length_share` and `length_features` on responses of which it is known how much length and finishing explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.curves.answers import MOST_TOKENS, N_OF, curves_of, planted
from tests.warehouse.study.simulate import cube_of
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import spread_within_prompts
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.metrics.policies.repeats import Repeats
from warehouse.study.curves.length_features import (
    Answered,
    Answers,
    features,
    matched_responses,
    weighted_features,
    weighted_matches,
)
from warehouse.study.curves.length_share import length_share

STUDIES = 40


@pytest.mark.parametrize("optimizer", ["bon", "ppo"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_planted_share_is_measured_without_bias_and_covered(share: float, optimizer: str) -> None:
    """Intervals are too wide where, as at 0 and 1, all reward models have one share: drawing them adds their noise."""
    measured = [planted(share, seed, optimizer=optimizer).measured(seed=seed).at[0].share for seed in range(STUDIES)]
    value, low, high = (np.array([getattr(one, end) for one in measured]) for end in ("value", "low", "high"))
    assert value.mean() == pytest.approx(share, abs=0.04)
    assert ((low <= share) & (share <= high)).mean() >= 0.9
    assert np.median(high - low) < 0.8


def test_what_is_left_and_the_gain_of_matched_responses_agree() -> None:
    for share, optimizer in ((0.0, "bon"), (0.5, "bon"), (1.0, "bon"), (0.0, "ppo"), (0.5, "ppo"), (1.0, "ppo")):
        found = planted(share, 1, optimizer=optimizer, Q=400).measured()
        (at,), matched = found.at, found.matched
        assert matched is not None
        for estimate in (at.gain, at.explained, at.left, matched.gain):
            assert None not in (estimate.value, estimate.low, estimate.high)
        gain, left, of_matched = (float(one.value or 0.0) for one in (at.gain, at.left, matched.gain))
        assert left == pytest.approx((1 - share) * gain, abs=0.12 * gain)
        assert of_matched == pytest.approx((1 - share) * gain, abs=0.12 * gain)
        assert 0.05 < matched.unmatched < 0.3
        assert found.initial_finished == pytest.approx(0.94, abs=0.03)


def test_r2_says_whether_pairs_with_more_gain_have_more_explained() -> None:
    none, half, whole = (planted(share, 2, Q=400).measured().at[0].r2 for share in (0.0, 0.5, 1.0))
    assert none is not None
    assert half is not None
    assert whole is not None
    assert none < 0.15 < half < whole > 0.9


def test_slopes_are_those_of_least_squares_within_prompts() -> None:
    of = planted(0.5, 3, Q=20, N=N_OF)
    scores_R, x_KR = of.features.samples.scores_MPR[2].astype(float), of.features.initial_KQR
    x = (x_KR - x_KR.mean(axis=2, keepdims=True)).reshape(3, -1).T
    slope = np.linalg.lstsq(x, (scores_R - scores_R.mean(axis=1, keepdims=True)).ravel(), rcond=None)[0]
    moved = of.features.policies_SKMQ[0, :, 5].mean(axis=1) - x_KR.mean(axis=(1, 2))
    explained = length_share(of.curves, of.features, of.spread_M, golden="rm-2", proxy="rm-5", replicates=5).at[0]
    assert explained.explained.value == pytest.approx(slope @ moved / of.spread_M[2])
    assert (explained.pairs, explained.r2) == (1, None)


def test_what_is_stored_beyond_a_prompts_responses_is_no_response() -> None:
    of = planted(0.5, 4, Q=30, N=N_OF)
    padded = np.full((3, 30, N_OF + 5), 99.0)
    padded[:, :, :N_OF] = of.features.initial_KQR
    scores = np.full((8, 30, N_OF + 5), 77.0, dtype=np.float32)
    scores[:, :, :N_OF] = of.features.samples.scores_MPR
    samples = replace(of.features.samples, scores_MPR=scores, responses_P=np.full(30, N_OF))
    ragged = of._replace(features=replace(of.features, samples=samples, initial_KQR=padded))
    assert ragged.measured().at == of.measured().at


def test_where_all_responses_are_alike_nothing_is_explained_and_matched_responses_have_the_plain_gain() -> None:
    of = planted(0.5, 5, Q=30)
    cube = of.features.samples
    alike = Answers(np.ones((30, 16), dtype=bool), np.full((30, 16), 20.0), "tokens")
    found = replace(weighted_features(of.curves, cube, alike), matched=weighted_matches(of.curves, cube, alike))
    result = length_share(of.curves, found, of.spread_M, replicates=50)
    assert result.matched is not None
    assert result.matched.gain.value == pytest.approx(result.at[0].gain.value)
    assert result.matched.unmatched == pytest.approx(0.0)
    assert result.at[0].share.value == pytest.approx(0.0, abs=1e-12)


def test_features_of_best_of_n_are_those_of_its_picks() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 5, 6))
    cube = cube_of(scores)
    tokens = np.random.default_rng(1).integers(1, 60, (5, 6)).astype(float)
    answers = Answers(tokens < 40, tokens, "tokens")
    curves = curves_of(cube, best_of_n_values(cube.scores_MPR, [6])[0], "bon", 6)
    picked = np.take_along_axis(tokens, scores[1].argmax(axis=1)[:, None], axis=1)[:, 0]
    found = weighted_features(curves, cube, answers).policies_SKMQ[0, :, 1]
    assert found == pytest.approx(np.stack([picked < 40, np.log(picked), np.log(picked) ** 2]))


def test_a_response_is_matched_with_those_that_end_as_it_does_and_are_about_as_long() -> None:
    initial = Answered(
        cube_of(np.array([[[1.0, 2.0, 4.0, 8.0]], [[0.0, 0.0, 0.0, 1.0]]])),
        Answers(np.array([[True, True, False, True]]), np.array([[10.0, 12.0, 11.0, 50.0]]), "tokens"),
    )
    own = Answered(
        cube_of(np.array([[[10.0, 20.0, 40.0]], [[1.0, 1.0, 1.0]]])),
        Answers(np.array([[True, True, True]]), np.array([[12.0, 46.0, 20.0]]), "tokens"),
    )
    found = matched_responses(own, initial, ("prompt-0", "another"))
    # 12 tokens match 10 and 12; 46 match 50, of which they are less than 10 % apart; 20 match none
    assert found.difference_MMQ[:, 0] == pytest.approx(np.array([[(8.5 + 12.0) / 3, 0.0], [(1.0 + 0.0) / 3, 0.0]]))
    assert found.share_MQ[0] == pytest.approx([2 / 3, 0.0])


def test_pairs_whose_golden_does_not_clearly_gain_are_left_out_and_counted() -> None:
    of = planted(0.5, 6)
    values = of.curves.values[0]
    lost = values.optimised_MMQ.copy()
    lost[0, 0] = values.initial_MQ[0] - 1.0
    curves = replace(of.curves, values=(replace(values, optimised_MMQ=lost),))
    (at,) = length_share(curves, of.features, of.spread_M, replicates=50).at
    assert (at.pairs, at.unclear) == (49, 7)
    (every,) = length_share(curves, of.features, of.spread_M, only_clear=False, replicates=50).at
    assert (every.pairs, every.unclear) == (56, 0)


def test_without_a_clear_mean_gain_there_is_no_share() -> None:
    of = planted(0.5, 7)
    values = of.curves.values[0]
    noise = np.random.default_rng(0).standard_normal(values.optimised_MMQ.shape)
    own = np.eye(8, dtype=bool)[:, :, None]  # every golden gains from its own policy, and from no other's
    around = np.where(own, values.optimised_MMQ, values.initial_MQ[:, None] + noise)
    curves = replace(of.curves, values=(replace(values, optimised_MMQ=around),))
    (at,) = length_share(curves, of.features, of.spread_M, replicates=200).at
    assert at.pairs == 56
    assert at.gain.value is not None
    assert at.share.value is None


def test_of_one_pair_the_noise_of_training_is_in_what_is_left() -> None:
    of = planted(0.5, 8, optimizer="ppo")
    values = of.curves.values[0]
    apart = np.zeros((2, *values.optimised_MMQ.shape))
    apart[0], apart[1] = 1.0, -1.0
    repeated = replace(values, repeats=Repeats(apart, np.ones((2, 8), dtype=bool)))
    curves = replace(of.curves, values=(repeated,))

    def width(one: object, golden: str | None) -> float:
        proxy = None if golden is None else "rm-1"
        found = length_share(one, of.features, of.spread_M, golden=golden, proxy=proxy, only_clear=False)  # type: ignore[arg-type]
        left = found.at[0].left
        return float((left.high or 0.0) - (left.low or 0.0))

    assert width(curves, "rm-0") > 2 * width(of.curves, "rm-0")
    assert width(curves, None) == pytest.approx(width(of.curves, None))


def test_features_and_what_cannot_be_measured() -> None:
    assert features([True, False], [1.0, MOST_TOKENS]).tolist() == [
        [1.0, 0.0],
        [0.0, np.log(64.0)],
        [0.0, np.log(64.0) ** 2],
    ]
    of = planted(0.5, 9, Q=10)
    with pytest.raises(InvalidChoice, match="no golden–proxy pair"):
        length_share(of.curves, of.features, np.zeros(8))
    single = replace(of.features.samples, responses_P=np.ones(10, dtype=int))
    with pytest.raises(InvalidChoice, match="two responses"):
        length_share(of.curves, replace(of.features, samples=single), spread_within_prompts(of.features.samples))
