"""`claims/restricted_range.py` on studies in which a prediction rests on the worst reward models, or does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, study, verdicts
from warehouse.claims.restricted_range import restricted_range
from warehouse.stats.bootstrap import Estimate
from warehouse.study import evaluate

FLIPS = {f"rm-{m}": 0.05 * m for m in range(10)}
"""0, 5, … 45 %: seven within 30 %, five within 20 %."""


def test_a_prediction_that_rests_on_the_worst_reward_models_does_not_hold_within_the_range_of_real_ones() -> None:
    """The good ones' policies lose the more, the better they measure; three bad ones are bad on both sides."""
    good, bad = np.linspace(0.4, 0.9, 7), [3.0, 5.0, 8.0]
    one = of_noise(np.concatenate([good, bad]), np.concatenate([good[::-1], bad]), P=400, Q=400)
    claim = restricted_range(study(one, flip_rates=FLIPS))
    assert [finding.about for finding in claim.findings] == [
        "best-of-16, flip rates up to 30%",
        "best-of-16, flip rates up to 20%",
    ]
    assert verdicts(claim) == ["refuted", "cannot be told at this size"]
    assert claim.findings[1].why == "5 reward models say little about others"
    by_range = claim.tables[0].rows
    assert [row[2] for row in by_range] == [10, 10, 7, 5]
    assert [row[5] for row in by_range] == [90, 90, 42, 20]
    whole, within = by_range[0][3], by_range[2][3]
    assert isinstance(whole, Estimate)
    assert isinstance(within, Estimate)
    assert (whole.value or 0) > 0.3
    assert (within.value or 0) < -0.5


def test_a_prediction_among_all_holds_within_a_range_that_is_wide_enough() -> None:
    claim = restricted_range(study(of_noise(np.geomspace(0.2, 3.0, 10), P=600, Q=600), flip_rates=FLIPS))
    assert verdicts(claim)[0] == "holds"


def test_reward_models_that_differ_in_something_else_are_outside_and_those_trained_elsewhere_within() -> None:
    one = of_noise(np.geomspace(0.2, 3.0, 10), P=40, Q=40)
    kinds = dict.fromkeys(FLIPS, "flip") | {"rm-0": "size", "rm-1": "server", "rm-2": "seed"}
    known = {name: rate for name, rate in FLIPS.items() if name != "rm-1"}
    claim = restricted_range(study(one, kinds=kinds, flip_rates=known))
    assert [row[2] for row in claim.tables[0].rows] == [10, 9, 6, 4]


def test_an_ensemble_is_outside_as_its_members_may_be_of_any_noise() -> None:
    one = of_noise(np.geomspace(0.2, 3.0, 10), P=40, Q=40)
    known = {name: rate for name, rate in FLIPS.items() if name != "rm-1"}
    claim = restricted_range(study(one, kinds=dict.fromkeys(FLIPS, "flip") | {"rm-1": "ensemble"}, flip_rates=known))
    assert [row[2] for row in claim.tables[0].rows] == [10, 9, 6, 4]


def test_too_few_reward_models_within_a_range_are_no_correlation() -> None:
    rates = {f"rm-{m}": 0.1 * m for m in range(2, 8)}
    claim = restricted_range(study(of_noise(np.geomspace(0.2, 3.0, 6), P=40, Q=40), flip_rates=rates | {"rm-0": 0.4}))
    assert verdicts(claim)[1] == "undefined"
    assert claim.findings[1].why == "2 reward models: a correlation over golden–proxy pairs takes three"


def test_a_run_whose_labels_are_not_flipped_has_no_range_and_still_shows_what_each_reward_model_does() -> None:
    claim = restricted_range(study(of_noise(np.geomspace(0.2, 3.0, 6), P=40, Q=40)))
    assert claim.missing == "it has no reward model with more than 20% of its labels flipped"
    assert not claim.findings
    assert len(claim.tables[1].rows) == 7


def test_without_a_reward_model_tau_is_that_of_the_others_and_the_one_that_matters_most_comes_first() -> None:
    one = of_noise([0.5, 0.55, 0.6, 0.65, 0.7, 9.0], P=300, Q=300)
    claim = restricted_range(study(one, flip_rates={"rm-5": 0.45}))
    everybody, *rows = claim.tables[-1].rows
    assert everybody[0] == "none left out"
    assert everybody[2] == pytest.approx(evaluate(one.cube, one.values).correlations["kendall"].sample.value)
    assert rows[0][:2] == ("rm-5", 0.45)
    assert {row[0] for row in rows} == set(one.curves.reward_models)
    for name, _, without, moves in rows:
        rest = [other for other in one.curves.reward_models if other != name]
        alone = evaluate(one.cube.of_reward_models(rest), one.values.of_reward_models(rest), replicates=50)
        assert without == pytest.approx(alone.correlations["kendall"].sample.value)
        assert moves == pytest.approx(without - everybody[2])  # type: ignore[operator]
    assert [abs(row[3]) for row in rows] == sorted((abs(row[3]) for row in rows), reverse=True)  # type: ignore[arg-type]
