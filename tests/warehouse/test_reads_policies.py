"""`warehouse/reads_policies.py` on small simulated runs with best-of-n and PPO, finished and diverged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.app.study import Study, publish
from tests.app.study import rows as study_rows
from warehouse import ingest, reads, reads_policies, store
from warehouse.errors import InvalidChoice
from warehouse.measures.cube import ScoreCube

RUN = "simulated"
STEPS = (5, 10, 20, 40)


def test_values_at_each_strength_are_those_read_one_by_one(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(ppo_steps=STEPS))) as connection:
        for optimizer, strengths in (("bon", (1, 2, 4, 8)), ("ppo", STEPS)):
            curves = reads_policies.value_curves(connection, RUN, optimizer)
            assert curves.strengths == tuple(float(n) for n in strengths)
            assert curves.left_out == ()
            for values, strength in zip(curves.values, strengths, strict=True):
                one = reads.policy_values(connection, RUN, optimizer, strength)
                assert np.array_equal(values.optimised_MMQ, one.optimised_MMQ)
                assert np.array_equal(values.initial_MQ, one.initial_MQ)
                assert (values.prompts, values.categories) == (one.prompts, one.categories)
        assert curves.kl_SM[:, 0].tolist() == [0.5, 1.0, 2.0, 4.0]


def test_values_at_a_kl_are_those_of_the_strength_that_has_it_for_both_optimizers(tmp_path: Path) -> None:
    study = Study(ppo_steps=STEPS, stops=(("rm-01", 10),))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        bound = math.log(4) - 3 / 4
        at_bound = reads_policies.policy_values_at_kl(connection, RUN, "bon", bound)
        assert at_bound.optimised_MMQ == pytest.approx(reads.policy_values(connection, RUN, "bon", 4).optimised_MMQ)
        at_two = reads_policies.policy_values_at_kl(connection, RUN, "ppo", 2.0)
        step_20 = reads.policy_values(connection, RUN, "ppo", 20)
        assert np.array_equal(at_two.optimised_MMQ, step_20.optimised_MMQ)
        assert at_two.optimised_M is not None
        assert at_two.optimised_M.tolist() == [True, False, True, True]
        with pytest.raises(InvalidChoice, match="no policy gets that far"):
            reads_policies.policy_values_at_kl(connection, RUN, "bon", 100.0)
        with pytest.raises(InvalidChoice, match="no policies of 'rloo' whose KL is known"):
            reads_policies.policy_values_at_kl(connection, RUN, "rloo", 1.0)


def test_a_reward_model_whose_ppo_stopped_early_is_left_out(tmp_path: Path) -> None:
    study = Study(ppo_steps=STEPS, stops=(("rm-01", 10),))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        curves = reads_policies.value_curves(connection, RUN, "ppo")
    assert curves.reward_models == ("rm-00", "rm-02", "rm-03")
    assert curves.left_out == ("rm-01",)
    assert curves.values[0].optimised_MMQ.shape == (3, 3, 16)


def test_where_hardly_any_reached_the_end_the_common_steps_are_taken(tmp_path: Path) -> None:
    study = Study(reward_models=3, ppo_steps=STEPS, stops=(("rm-01", 10), ("rm-02", 20)))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        curves = reads_policies.value_curves(connection, RUN, "ppo")
    assert curves.reward_models == ("rm-00", "rm-01", "rm-02")
    assert curves.strengths == (5.0, 10.0)


def test_an_optimizer_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with (
        store.open_read_only(publish(tmp_path, Study())) as connection,
        pytest.raises(InvalidChoice, match="no policies of 'ppo'"),
    ):
        reads_policies.value_curves(connection, RUN, "ppo")


def test_lengths_are_means_over_a_checkpoints_samples(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(ppo_steps=STEPS))) as connection:
        tokens = reads_policies.policy_tokens(connection, RUN, "ppo")
        (expected,) = connection.execute(
            "SELECT avg(tokens) FROM response WHERE policy_id = 'ppo-20/rm-02' AND prompt_id = 'chat-rl/01'"
        ).fetchone() or (None,)
        assert reads_policies.policy_tokens(connection, RUN, "bon").is_empty()
    assert tokens.height == 4 * 4 * 16
    row = tokens.filter(reward_model="rm-02", strength=20.0, prompt_id="chat-rl/01")
    assert row["tokens"].to_list() == [expected]


def test_best_of_n_that_is_not_stored_is_computed_from_the_scores(tmp_path: Path) -> None:
    rows = study_rows(Study())
    with store.open_read_only(publish(tmp_path / "stored", Study())) as connection:
        stored = reads_policies.value_curves(connection, RUN, "bon")
    rows["policy_value"] = rows["policy_value"].filter(policy_id="initial")
    ingest.publish(tmp_path / "scores", rows, RUN)
    with store.open_read_only(tmp_path / "scores") as connection:
        computed = reads_policies.value_curves(connection, RUN, "bon")
        samples = ScoreCube(*reads.initial_scores(connection, RUN, "rl_test"))
        one = reads.policy_values(connection, RUN, "bon", 4, samples=lambda: samples)
        half = replace(samples, scores_MPR=samples.scores_MPR / 2)
        other = reads.policy_values(connection, RUN, "bon", 4, samples=lambda: half)
    assert one.optimised_MMQ == pytest.approx(stored.values[stored.strengths.index(4)].optimised_MMQ)
    assert other.optimised_MMQ == pytest.approx(one.optimised_MMQ / 2)
    assert computed.strengths == stored.strengths
    for one, other in zip(computed.values, stored.values, strict=True):
        assert one.optimised_MMQ == pytest.approx(other.optimised_MMQ)


def test_the_penalty_of_most_policies_comes_first_and_optimizers_without_have_none() -> None:
    frame = pl.DataFrame({"kl_coefficient": [0.1, 0.05, 0.2, 0.05, 0.0, None]})
    assert reads_policies.kl_coefficients(frame) == [0.05, 0.0, 0.1, 0.2]
    assert (
        reads_policies.kl_coefficients(pl.DataFrame({"kl_coefficient": [None]}, schema={"kl_coefficient": float})) == []
    )
    assert reads_policies.kl_coefficients(pl.DataFrame({"strength": [1.0]})) == []
