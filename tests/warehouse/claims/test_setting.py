"""`claims/setting.py`: what is said of a claim of the paper that a run does not confirm, and of no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.warehouse.claims.studies import of_noise, study
from warehouse.claims import examine
from warehouse.claims.policies.optimising import optimising_harder
from warehouse.claims.prediction import accuracy_predicts
from warehouse.claims.setting import PAPER, difference, unconfirmed

GROWING = np.linspace(0.2, 3.0, 8)


def test_a_claim_that_holds_has_no_paragraph_and_one_that_does_not_has_the_figures_of_the_run() -> None:
    built = study(of_noise(GROWING, P=1500, Q=1500), kinds={f"rm-{m}": "flip" for m in range(8)} | {})
    built = replace(built, kinds=dict.fromkeys(built.first.curves.reward_models, "flip"))
    claim = accuracy_predicts(built)
    holds = replace(claim, findings=claim.findings[:1])
    assert difference(built, holds) == ""
    text = difference(built, claim)
    assert text.startswith("Not confirmed here: best-of-16: only weakly.")
    assert "8 reward models of one kind, flip" in text
    assert "1,500 prompts" in text
    assert PAPER in text
    policies = built.first
    own_M = np.arange(8)
    gain_M = (policies.values.optimised_MMQ[own_M, own_M] - policies.values.initial_MQ).mean(axis=1) / policies.spread_M
    assert f"gains {gain_M.mean():.2f} standard deviations of its own reward" in text
    efficiency = (gain_M**2).mean() / (2 * policies.curves.kl_SM[-1].mean())
    assert f"efficiency gain²/(2·KL) of {efficiency:.2f}" in text


def test_claims_beyond_the_paper_have_none() -> None:
    built = study(of_noise(np.full(4, 1.5), P=6, Q=8))
    claim = optimising_harder(built)
    assert claim.beyond_paper
    assert unconfirmed(claim) == ()
    for examined in examine(built):
        assert bool(examined.setting) == bool(unconfirmed(examined)), examined.name
