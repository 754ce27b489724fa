"""Optimised policies and their values on small simulated runs with best-of-n and PPO, finished and diverged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from tests.helpers.study import Study, publish
from tests.helpers.study import rows as study_rows
from tests.warehouse.rows import inserted, tiny_run
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice
from warehouse.reads.policies import strengths

RUN = "simulated"
STEPS = (5, 10, 20, 40)


def test_values_at_each_strength_are_those_read_one_by_one(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(ppo_steps=STEPS))) as connection:
        for optimizer, steps in (("bon", (1, 2, 4, 8)), ("ppo", STEPS)):
            curves = reads.values.value_curves(connection, RUN, optimizer)
            assert curves.strengths == tuple(float(n) for n in steps)
            assert curves.left_out == ()
            for values, strength in zip(curves.values, steps, strict=True):
                one = reads.values.policy_values(connection, RUN, optimizer, strength)
                assert np.array_equal(values.optimised_MMQ, one.optimised_MMQ)
                assert np.array_equal(values.initial_MQ, one.initial_MQ)
                assert (values.prompts, values.categories) == (one.prompts, one.categories)
        assert curves.kl_SM[:, 0].tolist() == [0.5, 1.0, 2.0, 4.0]


def test_values_at_a_kl_are_those_of_the_strength_that_has_it_for_both_optimizers(tmp_path: Path) -> None:
    study = Study(ppo_steps=STEPS, stops=(("rm-01", 10),))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        bound = math.log(4) - 3 / 4
        at_bound = reads.values.policy_values_at_kl(connection, RUN, "bon", bound)
        assert at_bound.optimised_MMQ == pytest.approx(
            reads.values.policy_values(connection, RUN, "bon", 4).optimised_MMQ
        )
        at_two = reads.values.policy_values_at_kl(connection, RUN, "ppo", 2.0)
        step_20 = reads.values.policy_values(connection, RUN, "ppo", 20)
        assert np.array_equal(at_two.optimised_MMQ, step_20.optimised_MMQ)
        assert at_two.optimised_M is not None
        assert at_two.optimised_M.tolist() == [True, False, True, True]
        with pytest.raises(InvalidChoice, match="no policy gets that far"):
            reads.values.policy_values_at_kl(connection, RUN, "bon", 100.0)
        with pytest.raises(InvalidChoice, match="no policies of 'rloo' whose KL is known"):
            reads.values.policy_values_at_kl(connection, RUN, "rloo", 1.0)


def test_a_reward_model_whose_ppo_stopped_early_is_left_out(tmp_path: Path) -> None:
    study = Study(ppo_steps=STEPS, stops=(("rm-01", 10),))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        curves = reads.values.value_curves(connection, RUN, "ppo")
    assert curves.reward_models == ("rm-00", "rm-02", "rm-03")
    assert curves.left_out == ("rm-01",)
    assert curves.values[0].optimised_MMQ.shape == (3, 3, 16)


def test_where_hardly_any_reached_the_end_the_common_steps_are_taken(tmp_path: Path) -> None:
    study = Study(reward_models=3, ppo_steps=STEPS, stops=(("rm-01", 10), ("rm-02", 20)))
    with store.open_read_only(publish(tmp_path, study)) as connection:
        curves = reads.values.value_curves(connection, RUN, "ppo")
    assert curves.reward_models == ("rm-00", "rm-01", "rm-02")
    assert curves.strengths == (5.0, 10.0)


def test_an_optimizer_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with (
        store.open_read_only(publish(tmp_path, Study())) as connection,
        pytest.raises(InvalidChoice, match="no policies of 'ppo'"),
    ):
        reads.values.value_curves(connection, RUN, "ppo")


def test_lengths_are_means_over_a_checkpoints_samples(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(ppo_steps=STEPS))) as connection:
        tokens = reads.responses.mean_tokens(connection, RUN, "ppo")
        (expected,) = connection.execute(
            "SELECT avg(tokens) FROM response WHERE policy_id = 'ppo-20/rm-02' AND prompt_id = 'chat-rl/01'"
        ).fetchone() or (None,)
        assert reads.responses.mean_tokens(connection, RUN, "bon").is_empty()
    assert tokens.height == 4 * 4 * 16
    row = tokens.filter(reward_model="rm-02", strength=20.0, prompt_id="chat-rl/01")
    assert row["tokens"].to_list() == [expected]


def test_best_of_n_that_is_not_stored_is_computed_from_the_scores(tmp_path: Path) -> None:
    rows = study_rows(Study())
    with store.open_read_only(publish(tmp_path / "stored", Study())) as connection:
        stored = reads.values.value_curves(connection, RUN, "bon")
    rows["policy_value"] = rows["policy_value"].filter(policy_id="initial")
    ingest.publish(tmp_path / "scores", rows, RUN)
    with store.open_read_only(tmp_path / "scores") as connection:
        computed = reads.values.value_curves(connection, RUN, "bon")
        samples = reads.scores.initial_scores(connection, RUN, "rl_test")
        one = reads.values.policy_values(connection, RUN, "bon", 4, samples=lambda: samples)
        half = replace(samples, scores_MPR=samples.scores_MPR / 2)
        other = reads.values.policy_values(connection, RUN, "bon", 4, samples=lambda: half)
    assert one.optimised_MMQ == pytest.approx(stored.values[stored.strengths.index(4)].optimised_MMQ)
    assert other.optimised_MMQ == pytest.approx(one.optimised_MMQ / 2)
    assert computed.strengths == stored.strengths
    for one, other in zip(computed.values, stored.values, strict=True):
        assert one.optimised_MMQ == pytest.approx(other.optimised_MMQ)


def test_without_a_profile_the_penalty_of_most_policies_comes_first_and_ties_go_to_the_smallest() -> None:
    with trained_with([(0.1, 1), (0.05, 1), (0.2, 1), (0.05, 2), (0.0, 1), (None, 1)]) as connection:
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == (0.05, 0.0, 0.1, 0.2)
        assert reads.policies.kl_coefficients(connection, RUN, "bon") == ()
    with trained_with([(0.2, 1), (0.2, 2), (0.1, 3), (0.1, 4)]) as connection:
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == (0.1, 0.2)
    with trained_with([(None, 1)]) as connection:
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == ()


@pytest.mark.parametrize("config", ["{}", "[]", "null", "no JSON", '{"ppo": null}', '{"ppo": {"kl_coefficient": "x"}}'])
def test_settings_that_are_no_profile_leave_it_to_the_policies(config: str) -> None:
    with trained_with([(0.2, 1), (0.2, 2), (0.1, 3)], config) as connection:
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == (0.2, 0.1)


def test_the_profiles_own_penalty_is_the_default_even_if_others_have_more_policies() -> None:
    config = '{"ppo": {"kl_coefficient": 0.1}}'
    with trained_with([(0.1, 1), (0.0, 1), (0.0, 2), (0.2, 1)], config) as connection:
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == (0.1, 0.0, 0.2)
        assert reads.policies.chosen_kl_coefficient(connection, RUN, "ppo", None) == 0.1
        assert reads.policies.chosen_kl_coefficient(connection, RUN, "ppo", 0.0) == 0.0
        with pytest.raises(InvalidChoice, match=r"no ppo with KL coefficient 0.3; it has \[0.0, 0.1, 0.2\]"):
            reads.policies.chosen_kl_coefficient(connection, RUN, "ppo", 0.3)
    with trained_with([(0.0, 1), (0.0, 2), (0.2, 1)], config) as connection:  # all of its policies diverged
        assert reads.policies.kl_coefficients(connection, RUN, "ppo") == (0.0, 0.2)


def test_every_read_takes_the_same_default_whichever_policies_are_missing(tmp_path: Path) -> None:
    """At step 20 and 40 most policies have a penalty of 0.5, over all steps too; the profile's own is 0."""
    rows = study_rows(Study(reward_models=5, swept=5, ppo_steps=STEPS, penalties=(0.5,)))
    rows["run"] = rows["run"].with_columns(config=pl.lit('{"ppo": {"kl_coefficient": 0.0}}'))
    own = (pl.col("optimizer") == "ppo") & (pl.col("kl_coefficient") == 0)
    lost = rows["policy"].filter(own & ((pl.col("strength") == 40) | (pl.col("reward_model_id") > "rm-01")))
    lost = lost.filter((pl.col("strength") == 40) | (pl.col("strength") == 20))["policy_id"]
    for table in ("policy", "policy_value", "response", "score"):
        gone = pl.col("response_id").str.split("|").list.first() if table == "score" else pl.col("policy_id")
        rows[table] = rows[table].filter(~gone.is_in(lost.implode()))
    ingest.publish(tmp_path, rows, RUN)
    with store.open_read_only(tmp_path) as connection:
        default, explicit = None, 0.0
        assert set(reads.policies.of_optimizer(connection, RUN, "ppo")["kl_coefficient"]) == {0.0}
        at_20 = [reads.values.policy_values(connection, RUN, "ppo", 20, penalty) for penalty in (default, explicit)]
        np.testing.assert_array_equal(at_20[0].optimised_MMQ, at_20[1].optimised_MMQ)
        assert at_20[0].optimised_M is not None
        assert at_20[0].optimised_M.tolist() == [True, True, False, False, False]
        along = [reads.values.value_curves(connection, RUN, "ppo", penalty) for penalty in (default, explicit)]
        assert along[0].strengths == along[1].strengths == (5.0, 10.0, 20.0)
        np.testing.assert_array_equal(along[0].kl_SM, along[1].kl_SM)
        at_kl = [reads.values.policy_values_at_kl(connection, RUN, "ppo", 1.5, one) for one in (default, explicit)]
        np.testing.assert_array_equal(at_kl[0].optimised_MMQ, at_kl[1].optimised_MMQ)
        tokens = [reads.responses.mean_tokens(connection, RUN, "ppo", penalty) for penalty in (default, explicit)]
        assert tokens[0].equals(tokens[1])
        assert strengths(connection, RUN).filter(optimizer="ppo")["strength"].to_list() == [
            5.0,
            10.0,
            20.0,
        ]
        assert strengths(connection, RUN, 0.5).filter(optimizer="ppo")["strength"].to_list() == list(STEPS)
        with pytest.raises(InvalidChoice, match=r"no policies of 'ppo' at 40; it has .*'ppo 20'"):
            reads.values.policy_values(connection, RUN, "ppo", 40)
        assert reads.values.policy_values(connection, RUN, "ppo", 40, 0.5).optimised_M is None


def trained_with(policies: list[tuple[float | None, int]], config: str = "{}") -> duckdb.DuckDBPyConnection:
    """A run whose PPO policies have these KL penalties at these strengths."""
    rows = tiny_run(RUN)
    initial = rows["policy"].to_dicts()[0]
    about = {"optimizer": "ppo", "reward_model_id": "flip-0.00", "kl": 1.0}
    others = [
        initial | about | {"policy_id": f"ppo-{place}", "kl_coefficient": penalty, "strength": float(strength)}
        for place, (penalty, strength) in enumerate(policies)
    ]
    rows["policy"] = pl.DataFrame([initial, *others], infer_schema_length=None)
    rows["run"] = rows["run"].with_columns(config=pl.lit(config))
    return inserted(rows)
