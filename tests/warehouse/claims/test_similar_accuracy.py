"""`claims/similar_accuracy.py` on studies whose reward models lose alike, or do not."""

from __future__ import annotations

import numpy as np

from tests.warehouse.claims.studies import of_noise, study, valued, verdicts
from tests.warehouse.study.simulate import normal_scores
from warehouse.claims.similar_accuracy import similar_but_different

OPEN = "cannot be told at this size"


def test_reward_models_of_one_noise_lose_alike_and_those_that_turn_bad_on_other_prompts_do_not() -> None:
    alike = similar_but_different(study(of_noise(np.full(8, 0.7), P=600, Q=600)))
    assert verdicts(alike) == ["does not hold"]
    different = similar_but_different(study(of_noise(np.full(8, 0.7), np.geomspace(0.2, 6.0, 8), P=600, Q=600)))
    assert verdicts(different) == ["holds"]
    small = similar_but_different(study(of_noise(np.full(5, 1.0), P=30, Q=12)))
    assert set(verdicts(small)) <= {OPEN, "undefined"}


def test_the_typical_difference_is_that_of_the_truth_without_the_noise_of_the_prompts() -> None:
    """NDR of ±0.2 by turns, so that half of all pairs of proxies differ by 0.4: a root mean square of 0.4·√(h)."""
    M = 8
    scores = normal_scores(np.random.default_rng(1), np.full(M, 0.5), 300, 6)
    ndr = np.where(np.arange(M) % 2 == 0, 0.3, 0.7)[None, :].repeat(M, axis=0)
    np.fill_diagonal(ndr, 1.0)
    found = similar_but_different(study(valued(scores, ndr, noise=0.5)))
    # of a golden's seven proxies, four are of the other kind: 12 of 21 pairs differ; the window takes nearly all
    assert found.findings[0].estimate.value is not None
    assert abs(found.findings[0].estimate.value - 0.4 * np.sqrt(12 / 21)) < 0.03
    assert verdicts(found) == ["holds"]
