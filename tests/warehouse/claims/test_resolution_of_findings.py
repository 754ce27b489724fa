"""Every claim about Kendall τ says what would decide a finding that cannot be told, and says nothing of the others."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, study
from warehouse.claims import examine
from warehouse.claims.findings import predicts
from warehouse.claims.verdict import CANNOT_BE_TOLD, NEGLIGIBLE
from warehouse.study import evaluate
from warehouse.study.resolution import Sizes


def test_what_cannot_be_told_has_a_resolution_and_what_is_told_has_none() -> None:
    noise = np.linspace(0.6, 1.4, 8)
    policies = [of_noise(noise, P=40, R=6, Q=40, seed=seed, optimizer=name) for seed, name in enumerate(("bon", "ppo"))]
    flips = {f"rm-{m}": 0.06 * m for m in range(8)}
    claims = examine(study(*policies, flip_rates=flips))
    findings = [(claim.name, finding) for claim in claims for finding in claim.findings]
    still_open = [(name, finding) for name, finding in findings if finding.verdict == CANNOT_BE_TOLD]
    assert len(still_open) > 8
    for name, finding in still_open:
        if finding.estimate.value is None:
            continue
        assert finding.resolution is not None, (name, finding)
        assert finding.resolution.effect >= NEGLIGIBLE
        assert finding.resolution.detectable > 0
    assert all(finding.resolution is None for _, finding in findings if finding.verdict != CANNOT_BE_TOLD)


def test_the_overviews_finding_has_one_by_its_interval() -> None:
    policies = of_noise(np.full(6, 1.2), P=24, Q=24)
    finding = predicts(evaluate(policies.cube, policies.values, replicates=200))
    assert finding.verdict == CANNOT_BE_TOLD
    assert finding.resolution is not None
    assert finding.resolution.sizes == Sizes(6, 24, 24)
    assert finding.resolution.all is not None
    growth = finding.resolution.all.reward_models / 6
    assert growth == pytest.approx((finding.resolution.detectable / finding.resolution.effect) ** 2, rel=0.2)
