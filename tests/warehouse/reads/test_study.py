"""`warehouse/reads/study.py` on simulated runs: what is there is read as the pages read it, what is not is None."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.helpers.study import Study, publish
from tests.helpers.study import rows as study_rows
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.reads.study import study
from warehouse.study import evaluate

RUN = "simulated"
WHOLE = Study(ppo_steps=(5, 10, 20), penalties=(0.1, 0.5), paraphrases=True)


def test_a_run_with_everything_is_read_whole(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, WHOLE)) as connection:
        found = study(connection, RUN, replicates=50, seed=3)
        cube = reads.scores.score_cube(connection, RUN)
        ppo = reads.values.value_curves(connection, RUN, "ppo")
        weak = reads.values.policy_values(connection, RUN, "ppo", 20, 0.5)
        at_kl = reads.values.policy_values_at_kl(connection, RUN, "ppo", found.optimised["ppo"].matched_kl or 0, 0.5)
    assert (list(found.optimised), found.replicates, found.seed) == (["bon", "ppo"], 50, 3)
    assert found.kinds == dict.fromkeys(WHOLE.names, "flip")
    one = found.optimised["ppo"]
    assert np.array_equal(one.cube.scores_MPR, cube.scores_MPR)
    assert np.array_equal(one.values.optimised_MMQ, ppo.values[-1].optimised_MMQ)
    assert (one.called, one.title, found.optimised["bon"].called) == ("PPO at step 20", "PPO", "best-of-8")
    assert one.paraphrased is not None
    assert not np.array_equal(one.paraphrased.scores_MPR, cube.scores_MPR)
    assert one.samples is not None
    assert one.samples.prompts == one.values.prompts
    assert (one.responses, found.optimised["bon"].responses) == (2, None)
    assert one.tokens_SMQ is not None
    assert one.tokens_SMQ.shape == (3, 4, 16)
    assert one.initial_tokens_Q is not None
    assert one.penalised is not None
    assert one.penalised.strengths == (0.0, 0.1, 0.5)
    assert one.penalised.reward_models == ("rm-00", "rm-01", "rm-02")
    assert np.array_equal(one.penalised.values[2].optimised_MMQ, weak.optimised_MMQ[:3, :3])
    assert one.penalised.kl_SM[:, 0].tolist() == pytest.approx([2.0, 2.0 / 3, 2.0 / 11])
    assert one.matched_kl == pytest.approx(2.0 / 11)
    assert one.at_kl is not None
    assert np.array_equal(one.at_kl.values[2].optimised_MMQ, at_kl.optimised_MMQ[:3, :3])
    assert found.optimised["bon"].penalised is None


def test_flip_rates_and_other_sources_of_responses_are_read(tmp_path: Path) -> None:
    simulated = Study(sources=("initial-t0.50", "other"), responses=3)
    with store.open_read_only(publish(tmp_path, simulated)) as connection:
        found = study(connection, RUN)
        other = reads.scores.score_cube(connection, RUN, "other")
    assert found.flip_rates == pytest.approx(dict(zip(simulated.names, (0.0, 0.15, 0.3, 0.45), strict=True)))
    assert list(found.sources) == ["initial-t0.50", "other"]
    assert np.array_equal(found.sources["other"].scores_MPR, other.scores_MPR)


def test_policies_of_reward_models_are_one_source_and_those_with_one_response_are_none(tmp_path: Path) -> None:
    rows = study_rows(replace(WHOLE, sources=("single", "ppo-twice", "ppo-again"), responses=2))
    optimised = {"ppo-twice": "rm-00", "ppo-again": "rm-01"}
    by_optimised = pl.col("policy_id").is_in(list(optimised))
    rows["policy"] = rows["policy"].with_columns(
        optimizer=pl.when(by_optimised).then(pl.lit("ppo")).otherwise("optimizer"),
        strength=pl.when(by_optimised).then(20.0).otherwise("strength"),
        kl_coefficient=pl.when(by_optimised).then(0.0).otherwise("kl_coefficient"),
        reward_model_id=pl.when(by_optimised)
        .then(pl.col("policy_id").replace_strict(optimised, default=None))
        .otherwise("reward_model_id"),
    )
    rows["response"] = rows["response"].filter(~((pl.col("policy_id") == "single") & (pl.col("sample") > 0)))
    rows["score"] = rows["score"].join(rows["response"].select("response_id"), on="response_id")
    ingest.publish(tmp_path, rows, RUN)
    with store.open_read_only(tmp_path) as connection:
        found = reads.study._sources(connection, RUN)
    assert list(found) == ["ppo"]
    assert found["ppo"].scores_MPR.shape[2] == 4


def test_what_a_run_has_not_is_left_out(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study())) as connection:
        (one,) = study(connection, RUN).optimised.values()
    assert (one.paraphrased, one.penalised, one.at_kl, one.matched_kl) == (None, None, None, None)


def test_a_reward_model_whose_ppo_stopped_is_left_out_there_alone(tmp_path: Path) -> None:
    home = publish(tmp_path, replace(WHOLE, penalties=(), stops=(("rm-01", 5),)))
    with store.open_read_only(home) as connection:
        found = study(connection, RUN)
    assert found.optimised["ppo"].cube.reward_models == ("rm-00", "rm-02", "rm-03")
    assert found.optimised["bon"].cube.reward_models == tuple(WHOLE.names)


def test_a_golden_whose_ppo_stopped_stays_golden(tmp_path: Path) -> None:
    home = publish(tmp_path, replace(WHOLE, penalties=(), stops=(("rm-01", 5),)))
    with store.open_read_only(home) as connection:
        ppo = study(connection, RUN, goldens=["rm-01"]).optimised["ppo"]
    assert ppo.curves.roles.goldens == (False, True, False, False)
    assert evaluate(ppo.cube, ppo.values, replicates=20).quantity == "gain"


def test_a_run_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(reward_models=1))) as connection:
        with pytest.raises(InvalidChoice, match="has 1 reward models"):
            study(connection, RUN)
        with pytest.raises(UnknownName, match="'other' is not in the warehouse"):
            study(connection, "other")
