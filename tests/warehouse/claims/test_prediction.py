"""`claims/prediction.py` on studies built so that a claim holds, so that it does not, and too small to tell."""

from __future__ import annotations

import numpy as np

from tests.warehouse.claims.studies import of_noise, study, valued, verdicts
from tests.warehouse.study.simulate import normal_scores
from warehouse.claims.prediction import (
    accuracy_predicts,
    another_measure_predicts_better,
    other_kinds,
)
from warehouse.study import Estimate, evaluate

GROWING = np.linspace(0.2, 3.0, 8)
OPEN = "cannot be told at this size"


def test_accuracy_predicts_where_noise_is_the_same_on_both_sides_and_then_not_weakly() -> None:
    claim = accuracy_predicts(study(of_noise(GROWING, P=1500, Q=1500)))
    assert verdicts(claim) == ["holds", "refuted"]
    assert claim.findings[0].estimate == claim.tables[0].rows[0][2]
    assert claim.tables[0].rows[0][9:] == (0.656, 56, 0)


def test_accuracy_misleads_where_the_noise_of_one_side_is_turned_round_on_the_other() -> None:
    noise = np.linspace(0.3, 1.2, 8)
    claim = accuracy_predicts(study(of_noise(noise, noise[::-1], P=400, Q=400)))
    assert verdicts(claim) == ["refuted", "holds"]


def test_nothing_is_told_of_few_prompts_and_nothing_is_defined_of_two_reward_models() -> None:
    small = of_noise(np.full(4, 1.5), P=6, Q=8)
    assert set(verdicts(accuracy_predicts(study(small)))) == {OPEN}
    two = accuracy_predicts(study(of_noise([0.3, 1.0])))
    assert set(verdicts(two)) == {"undefined"}
    assert "takes three" in two.findings[0].why


def test_reward_models_of_another_kind_whose_accuracy_says_nothing_make_prediction_harder() -> None:
    flips, others = np.linspace(0.2, 1.5, 7), np.array([0.3, 0.4, 0.5])
    kinds = {f"rm-{m}": ("flip", "seed")[m % 2] if m < 7 else "length" for m in range(10)}
    misjudged = of_noise(np.concatenate([flips, others]), np.concatenate([flips, [4.0, 5.0, 6.0]]), P=300, Q=300)
    claim = other_kinds(study(misjudged, kinds=kinds))
    assert verdicts(claim) == ["holds"]
    assert [row[3] for row in claim.tables[0].rows] == [42, 90]
    assert len(claim.tables[1].rows) == 10
    alike = of_noise(np.concatenate([flips, others]), P=300, Q=300)
    assert verdicts(other_kinds(study(alike, kinds=kinds))) != ["holds"]
    assert other_kinds(study(alike)).missing == "all its reward models differ in label noise alone"


def ndr_of(scores: np.ndarray, measure: str) -> np.ndarray:
    """An NDR that is one of the measures."""
    plain = valued(scores, np.ones((len(scores), len(scores))))
    ndr = evaluate(plain.cube, plain.values, measure=measure, replicates=5).value_MM
    np.fill_diagonal(ndr, 1.0)
    return ndr


def test_another_measure_beats_accuracy_where_regret_is_made_of_it_and_not_where_it_is_made_of_accuracy() -> None:
    rng = np.random.default_rng(2)
    M, P, R = 10, 300, 8
    truth = rng.standard_normal((P, R))
    best = truth == truth.max(axis=1, keepdims=True)
    overall, at_top = rng.permutation(np.linspace(0.3, 2.5, M)), rng.permutation(np.linspace(0.0, 3.0, M))
    scores = truth + overall[:, None, None] * rng.standard_normal((M, P, R)) + best * (3.0 - at_top[:, None, None])
    claim = another_measure_predicts_better(study(valued(scores, ndr_of(scores, "bo_r"), noise=0.01)))
    assert verdicts(claim) == ["holds"]
    assert "Best of R has the greatest τ of 14 measures" in claim.notes[0]
    rows = claim.tables[0].rows
    assert len(rows) == 14
    assert rows[0][0] == "Best of R"
    assert "1" in str(rows[0][3])
    adjusted = {row[0]: row[6] for row in rows}
    assert adjusted.pop("Accuracy") == ""
    beating = [row for row in rows if isinstance(row[4], Estimate) and (row[4].value or 0) > 0 and row[6] < 0.05]
    assert f"{len(beating)} of 13 others beat accuracy" in claim.notes[0]
    plain = normal_scores(rng, np.geomspace(0.2, 3.0, 20), 300, 4)
    of_accuracy = valued(plain, ndr_of(plain, "accuracy"), noise=0.001)
    assert verdicts(another_measure_predicts_better(study(of_accuracy))) == ["refuted"]
    small = of_noise(np.full(5, 1.0), P=10, Q=10)
    assert verdicts(another_measure_predicts_better(study(small))) == [OPEN]
    two = another_measure_predicts_better(study(of_noise([0.3, 1.0], P=10, Q=10)))
    assert verdicts(two) == ["undefined"]
