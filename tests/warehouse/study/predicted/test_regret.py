"""Predicted regret on studies with a known truth: its promise, a new kind, and what is not predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.simulate import cube_of, normal_scores, values_of
from warehouse.errors import InvalidChoice
from warehouse.study.predicted.known import FEATURES, USED, Known, known_of
from warehouse.study.predicted.regret import FEWEST, LEVEL, PREDICTORS, PredictedRegret, predicted_regret


def drawn(rng: np.random.Generator, M: int = 24, *, other_kind: int = 0, offset: float = 0.0) -> Known:
    """Alike reward models under one golden-only golden; the last `other_kind` have an offset that no feature shows."""
    feature_FM = 0.5 + 0.15 * rng.standard_normal((len(USED), M))
    ndr_M = feature_FM[0] + 0.3 * feature_FM[1] + 0.05 * rng.standard_normal(M)
    ndr_M[M - other_kind :] += offset
    every_GM = np.ones((1, M), dtype=bool)
    return Known(
        tuple(f"rm-{m:02}" for m in range(M)),
        ("label",),
        ("flip",) * (M - other_kind) + ("other",) * other_kind,
        feature_FM[:, None],
        every_GM,
        ndr_M[None],
        every_GM,
        has_policy_M=every_GM[0],
        quantity="ndr",
        undefined_goldens=(),
    )


def simulated(seed: int = 0, M: int = 20, *, kinds: dict[str, str] | None = None) -> Known:
    """Normal reward models of growing noise, optimised by best-of-16, every one golden and proxy."""
    rng = np.random.default_rng(seed)
    noise_M = np.linspace(0.4, 2.5, M)
    cube = cube_of(normal_scores(rng, noise_M, 80, 8))
    values = values_of(normal_scores(rng, noise_M, 60, 16).astype(np.float32), 16)
    return known_of(cube, values, kinds or dict.fromkeys(cube.reward_models, "flip"), replicates=100)


@pytest.fixture(scope="module")
def whole() -> PredictedRegret:
    return predicted_regret(simulated())


def test_of_alike_reward_models_nine_in_ten_intervals_cover() -> None:
    rng = np.random.default_rng(2)
    records = [predicted_regret(drawn(rng)).record("features") for _ in range(25)]
    covered, predicted = (sum(getattr(record, name) for record in records) for name in ("covered", "predicted"))
    assert predicted > 0.85 * 25 * 24
    assert 0.87 <= covered / predicted <= 0.95
    assert covered / predicted >= 1 - 2 * (1 - LEVEL)


def test_a_kind_with_an_offset_is_missed_without_its_kind_and_that_is_shown() -> None:
    rng = np.random.default_rng(3)
    result = predicted_regret(drawn(rng, other_kind=6, offset=-0.6))
    alone, kind = result.record("features"), result.record("features", kind=True)
    assert alone.coverage is not None
    assert kind.coverage is not None
    assert kind.coverage < 0.7 < alone.coverage
    assert kind.error is not None
    assert alone.error is not None
    assert kind.error > 1.5 * alone.error
    held = result.kind
    missed = (held.truth_UM[0] < held.low_AUM[0, 0]) | (held.truth_UM[0] > held.high_AUM[0, 0])
    assert missed[-6:].all()


def test_features_predict_better_than_the_mean(whole: PredictedRegret) -> None:
    by = {name: whole.record(name) for name in PREDICTORS}
    errors = {name: record.error for name, record in by.items()}
    assert all(error is not None for error in errors.values())
    assert errors["features"] < 0.4 * errors["mean"]  # type: ignore[operator]
    assert by["features"].width < 0.5 * by["mean"].width  # type: ignore[operator]
    assert len({record.predicted for record in by.values()}) == 1
    of_pairs = whole.record("features", by_golden=True)
    assert of_pairs.predicted > 200
    assert of_pairs.coverage is not None
    assert of_pairs.coverage > 0.8


def test_a_reward_model_without_a_policy_is_predicted_as_if_its_policy_had_been_left_out(
    whole: PredictedRegret,
) -> None:
    """What its own policy did must not leak into its prediction."""
    known = whole.known
    m = 7
    without = replace(known, defined_GM=known.defined_GM.copy(), has_policy_M=known.has_policy_M.copy())
    without.defined_GM[:, m] = without.defined_GM[m] = False
    without.has_policy_M[m] = False
    result = predicted_regret(without)
    new, measured = result.guess("rm-7"), whole.guess("rm-7")
    assert new.measured is None
    assert measured.measured is not None
    assert new[:3] == pytest.approx(measured[:3])
    assert new.low is not None
    assert new.high is not None
    assert new.low < measured.measured < new.high
    under = whole.guess("rm-7", golden="rm-2")
    assert under.measured == pytest.approx(known.ndr_GM[2, 7])
    assert result.guess("rm-7", golden="rm-2")[:3] == pytest.approx(under[:3])


def test_the_mean_over_goldens_takes_out_that_no_reward_model_judges_itself() -> None:
    """Planted: NDR is that of the golden plus that of the reward model, which a plain mean over the others distorts."""
    known = simulated(M=16)
    own_M, golden_G = np.linspace(0, 1, 16), np.linspace(0, 2, 16) ** 2
    planted = replace(known, ndr_GM=np.where(known.defined_GM, golden_G[:, None] + own_M, 0.0))
    truth_M = predicted_regret(planted).each.truth_UM[0]
    assert known.defined_GM.sum() == 16 * 15
    expected = [own_M[m] + np.delete(golden_G, m).mean() for m in range(16)]
    assert truth_M == pytest.approx(expected)


def test_with_too_few_reward_models_nothing_is_predicted() -> None:
    rng = np.random.default_rng(5)
    few, enough = (predicted_regret(drawn(rng, M)) for M in (FEWEST, FEWEST + 1))
    assert few.guess("rm-03").why == "few"
    assert few.record("features").few == FEWEST
    assert few.record("features").coverage is None
    assert enough.guess("rm-03").why in ("", "outside")
    assert enough.record("features").few == 0
    one_kind = enough.record("features", kind=True)
    assert (one_kind.predicted, one_kind.few) == (0, FEWEST + 1)


def test_a_reward_model_unlike_the_others_gets_no_interval_and_the_feature_is_named() -> None:
    known = drawn(np.random.default_rng(6))
    known.features_FGM[2, 0, 4] = 3.0
    result = predicted_regret(known)
    guess, beyond = result.guess("rm-04"), result.beyond("rm-04")
    assert guess.why == "outside"
    assert guess.low is None
    assert beyond is not None
    assert beyond.feature == FEATURES[2] == "reward_variance"
    assert beyond.greatest < 1.5 < beyond.value == 3.0
    assert result.beyond("rm-05") is None or result.beyond("rm-05").value < 3.0  # type: ignore[union-attr]
    assert result.record("features").outside >= 1


def test_what_it_is_measured_by_comes_from_the_study_itself() -> None:
    """Features and NDR are those of `evaluate`; ragged prompts and roles are honoured, and undefined goldens named."""
    from warehouse.study import TestSet
    from warehouse.study.evaluate import replicated

    rng = np.random.default_rng(8)
    noise_M = np.linspace(0.4, 2.0, 6)
    cube = replace(
        cube_of(normal_scores(rng, noise_M, 40, 6)),
        responses_P=np.array([6, 4, 3, 6] * 10),
        only=("golden", None, "proxy", None, None, None),
    )
    cube.scores_MPR[:, ~cube.is_response_PR] = 0.0
    values = replace(values_of(normal_scores(rng, noise_M, 40, 8).astype(np.float32), 8), only=cube.only)
    flat = values.optimised_MMQ.copy()
    flat[4, 4] = values.initial_MQ[4]
    values = replace(values, optimised_MMQ=flat)
    known = known_of(cube, values, {"rm-2": "size"}, replicates=100)
    assert known.reward_models == ("rm-1", "rm-2", "rm-3", "rm-4", "rm-5")
    assert known.goldens == ("rm-1", "rm-3", "rm-5")
    assert known.undefined_goldens == ("rm-4",)
    assert known.kinds[1] == "size"
    for place, measure in enumerate(USED):
        (part,) = replicated(cube, values, [(measure, TestSet())], replicates=100)
        evaluation = part.evaluation
        pairs = np.ix_([1, 3, 5], [1, 2, 3, 4, 5])
        assert np.allclose(known.features_FGM[place][known.judged_GM], evaluation.value_MM[pairs][known.judged_GM])
        assert np.allclose(known.ndr_GM[known.defined_GM], evaluation.ndr_MM[pairs][known.defined_GM])
        assert (known.defined_GM == (evaluation.ndr_defined_MM & evaluation.pair_MM)[pairs]).all()


def test_without_a_golden_that_gains_there_is_nothing_to_learn_from() -> None:
    rng = np.random.default_rng(9)
    cube = cube_of(normal_scores(rng, np.ones(4), 20, 4))
    values = values_of(normal_scores(rng, np.ones(4), 20, 4).astype(np.float32), 4)
    still = replace(values, optimised_MMQ=np.repeat(values.initial_MQ[:, None], 4, axis=1))
    with pytest.raises(InvalidChoice, match="under no golden is there a defined NDR"):
        known_of(cube, still, {}, replicates=50)
