"""`policies/length_share.py` on policies of which it is known how much of their gain length and finishing explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, study, verdicts
from tests.warehouse.study.curves.answers import planted
from warehouse.claims import CLAIMS
from warehouse.claims.claim import Optimised
from warehouse.claims.policies.length_share import length_explains_little


def of_share(share: float, optimizer: str = "bon", seed: int = 0) -> Optimised:
    of = planted(share, seed, optimizer=optimizer, Q=200)
    return Optimised(of.curves, of.features.samples, None, of.spread_M, features=of.features)


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "holds"), (1.0, "refuted")])
def test_it_holds_where_length_explains_nothing_and_not_where_it_explains_all(share: float, verdict: str) -> None:
    claim = length_explains_little(study(of_share(share), of_share(share, "ppo")))
    assert verdicts(claim) == [verdict, verdict]
    assert [finding.about for finding in claim.findings] == ["best-of-8", "PPO at step 8"]
    explained, matched = claim.tables
    assert [row[:2] for row in explained.rows] == [("Best-of-n", "8"), ("PPO", "8")]
    assert explained.rows[0][5] == claim.findings[0].estimate
    assert [row[0] for row in matched.rows] == ["best-of-8", "PPO at step 8"]
    assert claim.beyond_paper
    assert CLAIMS[-1] is length_explains_little


def test_a_run_without_lengths_has_no_such_claim_and_an_optimiser_without_is_undefined() -> None:
    without = of_noise(np.linspace(0.2, 2.0, 5), P=20, Q=20)
    assert "was not recorded" in length_explains_little(study(without)).missing
    ppo = replace(of_share(0.0, "ppo"), features=None)
    claim = length_explains_little(study(of_share(0.0), ppo))
    assert verdicts(claim) == ["holds", "undefined"]
    assert "was not recorded" in claim.findings[1].why
    assert not claim.missing


def test_equal_scores_are_undefined_and_lengths_in_characters_are_said() -> None:
    of = of_share(0.0)
    flat = length_explains_little(study(replace(of, spread_M=np.zeros(8))))
    assert verdicts(flat) == ["undefined"]
    assert of.features is not None
    characters = replace(of, features=replace(of.features, unit="characters"))
    assert "best-of-8: lengths are in characters" in length_explains_little(study(characters)).notes[-1]
