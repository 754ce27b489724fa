"""The claim about reactions to edits, on runs in a database: planted, with nothing to see, and without any edits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.planted_reactions import STUDY, likes, rows_with
from tests.helpers.study import rows
from tests.warehouse.rows import inserted
from warehouse.claims import Claim
from warehouse.claims.claim import Study
from warehouse.claims.policies.reactions import reactions_forecast_drift
from warehouse.metrics.cube import spread_within_prompts
from warehouse.reads.scores import initial_scores
from warehouse.reads.study import study
from warehouse.schema import EDITS


@pytest.fixture(scope="module")
def planted() -> tuple[Study, np.ndarray]:
    """A study whose reward models react as they like, and how much, `[E, M]` in their own units."""
    liked_EM = likes(1)
    with inserted(rows_with(liked_EM, liked_EM)) as connection:
        spread_M = spread_within_prompts(initial_scores(connection, STUDY.run_id, "rm_test"))
        return study(connection, STUDY.run_id, replicates=400), liked_EM / spread_M


def test_reactions_are_read_in_the_reward_models_own_units(planted: tuple[Study, np.ndarray]) -> None:
    of_run, reaction_EM = planted
    assert of_run.reactions is not None
    assert of_run.reactions.reward_models == tuple(STUDY.names)
    assert len(of_run.reactions.prompts) == 4 * STUDY.prompts
    means = of_run.reactions.means(replicates=200)
    found_EM = np.array([[estimate.value for estimate in means[edit]] for edit in EDITS])
    np.testing.assert_allclose(found_EM, reaction_EM, atol=0.2)
    inside = [
        estimate.low <= truth <= estimate.high
        for edit, truth_M in zip(EDITS, reaction_EM, strict=True)
        for estimate, truth in zip(means[edit], truth_M, strict=True)
        if estimate.low is not None and estimate.high is not None
    ]
    assert len(inside) == reaction_EM.size
    assert np.mean(inside) > 0.85


def test_drifts_are_those_that_were_planted(planted: tuple[Study, np.ndarray]) -> None:
    of_run, _ = planted
    drift = of_run.optimised["ppo"].drift
    assert drift is not None
    liked_EM, drift_EM = likes(1), drift.change_EMQ.mean(axis=2)
    expected_EM = 0.25 * liked_EM
    np.testing.assert_allclose(drift_EM[EDITS.index("padding")], 20 * expected_EM[0], atol=4.0)
    for edit in ("polite", "list", "unfinished"):
        np.testing.assert_allclose(drift_EM[EDITS.index(edit)], expected_EM[EDITS.index(edit)], atol=0.2)
    exact = of_run.optimised["bon"].drift
    assert exact is not None
    for e in range(len(EDITS)):
        assert np.corrcoef(exact.change_EMQ[e].mean(axis=1), liked_EM[e])[0, 1] > 0.8


def test_the_planted_forecast_holds_for_every_optimiser(planted: tuple[Study, np.ndarray]) -> None:
    claim = reactions_forecast_drift(planted[0])
    assert claim.beyond_paper
    assert [(finding.about, finding.verdict) for finding in claim.findings] == [
        ("best-of-16", "holds"),
        ("PPO at step 10", "holds"),
    ]
    (table,) = claim.tables
    assert [row[:2] for row in table.rows] == [(finding.about, edit) for finding in claim.findings for edit in EDITS]
    assert all(row[-1] == STUDY.reward_models for row in table.rows)


def verdicts(claim: Claim) -> list[str]:
    return [finding.verdict for finding in claim.findings]


def test_reactions_to_something_else_forecast_nothing() -> None:
    with inserted(rows_with(likes(2), likes(3))) as connection:
        claim = reactions_forecast_drift(study(connection, STUDY.run_id, replicates=400))
    assert "holds" not in verdicts(claim)


def test_a_run_without_edited_responses_cannot_answer() -> None:
    with inserted(rows(STUDY)) as connection:
        of_run = study(connection, STUDY.run_id, replicates=40)
    assert of_run.reactions is None
    assert all(policies.drift is None for policies in of_run.optimised.values())
    claim = reactions_forecast_drift(of_run)
    assert (claim.missing, claim.findings) == ("no edited responses were scored", ())
