"""A run of RLOO in two repeats, GRPO and SFT, with many samples on some prompts: its rows, a kill, and an extension."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import flow, runs
from pipeline.config import Config, load_profile
from pipeline.runs import extend
from pipeline.stages.checkpoints import Job
from pipeline.stages.pool import POLICY as POOL_POLICY
from tests.conftest import TINY_RUN, made_once, righttree_process
from tests.helpers.kills import killed
from tests.pipeline.runs.test_resume import rows
from warehouse import reads, store
from warehouse.schema import INITIAL, TABLES

RUN = "optimizers"
SETTINGS = """
[ppo]
algorithms = ["rloo", "grpo", "sft"]
reward_models = ["flip-0.00", "depth-0"]
steps = 2
checkpoints = [1, 2]
test_samples = 2
checkpoint_samples = 1
trainable_layers = 1
batch_responses = 8
samples_per_prompt = 4
epochs = 1
minibatches = 1
kl_coefficient = 0.1
truncation_penalty = 1.5

[ppo.each.rloo]
repeats = 2
sweep = [0.3]
sweep_reward_models = ["depth-0"]

[ppo.each.sft]
reward_models = ["flip-0.20"]
pool_responses = 3
steps = 1
checkpoints = [1]
"""
MANY, FEW = 12, 8
TRAINED = ("rloo/flip-0.00", "rloo/depth-0", "grpo/flip-0.00", "grpo/depth-0", "sft/flip-0.20")
REPEATED = ("rloo-r1/flip-0.00", "rloo-r1/depth-0", "rloo-kl0.3/depth-0")


@pytest.fixture(scope="module")
def config(tiny_profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The tiny profile with other optimisers, and more samples on one RL-test prompt of each category."""
    tiny = tiny_profile.read_text().split("[ppo]")[0].replace('"tiny"', '"optimizers"')
    path = tmp_path_factory.mktemp("optimizers") / "optimizers.toml"
    many = f"[test]\nmany_samples = {MANY}\nmany_prompts_per_category = 1\n"
    path.write_text(tiny.replace("[test]\n", many) + SETTINGS)
    return load_profile(str(path))


@pytest.fixture(scope="module")
def home(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the published run, uninterrupted. Tests must not write into it."""

    def make(data: Path) -> None:
        runs.create(data, config, RUN)
        done = righttree_process("resume", RUN, home=data)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "optimizers-home", make)


@pytest.fixture(scope="module")
def warehouse(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with store.open_read_only(home) as connection:
        yield connection


def test_every_algorithm_repeat_and_coefficient_has_a_policy_with_a_seed_of_its_own(home: Path, config: Config) -> None:
    trained = rows(home, RUN, "ppo_run")
    assert set(trained["ppo_id"]) == {*TRAINED, *REPEATED}
    assert set(trained["state"]) == {"finished"}
    assert trained["seed"].is_unique().all()
    assert dict(trained.select("ppo_id", "repeat").iter_rows()) == {
        name: int(name.startswith("rloo-r1")) for name in (*TRAINED, *REPEATED)
    }
    assert config.ppo is not None
    steps = {name: config.ppo.of("sft" if name.startswith("sft") else "rloo").steps for name in trained["ppo_id"]}
    assert dict(trained.select("ppo_id", "steps_done").iter_rows()) == steps
    weights = [runs.open_run(home, RUN).path / path for path in trained["weights"]]
    assert len({path.read_bytes() for path in weights}) == len(weights)  # no two of them are the same policy


def test_a_checkpoint_is_a_policy_that_says_how_its_responses_end(home: Path) -> None:
    policies = rows(home, RUN, "policy").filter(pl.col("optimizer").is_in(["rloo", "grpo", "sft"]))
    expected = {f"{name.replace('/', f'-{step}/', 1)}" for name in TRAINED[:4] for step in (1, 2)} | {
        "sft-1/flip-0.20",
        *(f"rloo-{step}-r1/{model}" for step in (1, 2) for model in ("flip-0.00", "depth-0")),
        *(f"rloo-{step}-kl0.3/depth-0" for step in (1, 2)),
    }
    assert set(policies["policy_id"]) == expected
    assert policies["finished_share"].is_between(0, 1).all()
    assert policies["mean_tokens"].is_between(1, 8).all()
    assert policies.filter(repeat=1)["policy_id"].str.contains("-r1/").all()
    assert (policies["kl"] >= 0).all()
    assert dict(policies.group_by("optimizer").agg(pl.max("strength")).iter_rows()) == {
        "rloo": 2.0,
        "grpo": 2.0,
        "sft": 1.0,
    }


def test_values_are_the_mean_scores_of_fewer_samples_before_the_last_step_than_at_it(
    warehouse: duckdb.DuckDBPyConnection, config: Config
) -> None:
    again = warehouse.execute(
        """
        SELECT policy_id, score.reward_model_id AS golden_id, prompt_id, avg(score::DOUBLE) AS value,
            count(*) AS samples
        FROM response JOIN score USING (run_id, response_id) JOIN prompt USING (run_id, prompt_id)
        JOIN policy USING (run_id, policy_id)
        WHERE optimizer IN ('rloo', 'grpo', 'sft') AND split = 'rl_test' GROUP BY ALL ORDER BY ALL
        """
    ).pl()
    stored = warehouse.execute(
        """
        SELECT policy_id, golden_id, prompt_id, value FROM policy_value JOIN policy USING (run_id, policy_id)
        WHERE optimizer IN ('rloo', 'grpo', 'sft') ORDER BY ALL
        """
    ).pl()
    assert again.select("policy_id", "golden_id", "prompt_id").equals(stored.drop("value"))
    assert stored.height == 15 * len(config.reward_models.ids) * 4 * config.prompts.rl_test_per_category
    np.testing.assert_allclose(again["value"], stored["value"], rtol=1e-6)
    last = pl.col("policy_id").str.contains("-2|sft-1")
    assert set(again.filter(last)["samples"]) == {2}
    assert set(again.filter(~last)["samples"]) == {1}


def test_the_pool_of_sft_is_sampled_once_for_every_training_prompt_and_scored_by_all_once(
    warehouse: duckdb.DuckDBPyConnection, config: Config
) -> None:
    pool = warehouse.execute(
        """
        SELECT prompt_id, split, count(DISTINCT response_id) AS responses, count(*) AS scores,
            count(DISTINCT (response_id, reward_model_id)) AS distinct_scores
        FROM response JOIN prompt USING (run_id, prompt_id) JOIN score USING (run_id, response_id)
        WHERE policy_id = ? GROUP BY ALL
        """,
        [POOL_POLICY],
    ).pl()
    assert pool.height == 4 * config.prompts.rm_train_per_category
    assert set(pool["split"]) == {"rm_train"}
    assert set(pool["responses"]) == {3}
    assert set(pool["scores"]) == set(pool["distinct_scores"]) == {3 * len(config.reward_models.ids)}
    metrics = warehouse.execute("SELECT DISTINCT metric FROM training_curve WHERE model_id = 'sft/flip-0.20'").pl()
    assert {"sft_loss", "test_kl_k3", "test_finished_share"} <= set(metrics["metric"])


def test_more_samples_on_some_prompts_change_no_other_response_and_no_score(home: Path, tiny_home: Path) -> None:
    ours, usual = (rows(data, run_id, "response") for data, run_id in ((home, RUN), (tiny_home, TINY_RUN)))
    numbers = (
        ours.filter(policy_id=INITIAL)
        .join(rows(home, RUN, "prompt").filter(split="rl_test").select("prompt_id", "category"), on="prompt_id")
        .group_by("category", "prompt_id")
        .len()
    )
    assert sorted(numbers["len"]) == [*4 * [FEW], *4 * [MANY]]
    assert numbers.filter(len=MANY)["category"].n_unique() == 4
    sampled = usual.filter(pl.col("policy_id").str.starts_with(INITIAL))
    kept = ours.join(sampled.select("response_id"), on="response_id")
    assert_frame_equal(kept.sort("response_id"), sampled.sort("response_id"))
    scores, usual_scores = (
        rows(data, run_id, "score").join(sampled.select("response_id"), on="response_id", how="semi")
        for data, run_id in ((home, RUN), (tiny_home, TINY_RUN))
    )
    assert usual_scores.height > 0
    assert_frame_equal(scores, usual_scores)


def test_ragged_samples_are_scored_once_by_each_reward_model(
    warehouse: duckdb.DuckDBPyConnection, config: Config
) -> None:
    scored = warehouse.execute(
        """
        SELECT response_id, count(*) AS scores, count(DISTINCT reward_model_id) AS models
        FROM response JOIN score USING (run_id, response_id) WHERE policy_id = 'initial' GROUP BY ALL
        """
    ).pl()
    assert set(scored["scores"]) == set(scored["models"]) == {len(config.reward_models.ids)}
    strengths = reads.policies.strengths(warehouse, RUN).filter(optimizer="bon")["strength"]
    assert strengths.to_list() == [1, 2, 4, 8, 12]
    values = reads.values.policy_values(warehouse, RUN, "bon", float(MANY))
    assert len(values.prompts) == 4


def test_killed_in_the_pool_and_between_checkpoints_it_ends_with_the_same_rows(
    home: Path, config: Config, tmp_path: Path
) -> None:
    runs.create(tmp_path, config, "killed")
    assert killed(tmp_path, "killed", [("ppo", number) for number in (2, 3, 8, 13)]) == [-9] * 4
    done = righttree_process("resume", "killed", home=tmp_path)
    assert done.returncode == 0, done.stderr
    for table in TABLES:
        assert_frame_equal(rows(tmp_path, "killed", table), rows(home, RUN, table))


def test_a_reward_model_that_is_added_scores_pool_and_checkpoints_and_changes_no_policy(
    home: Path, config: Config, tmp_path: Path
) -> None:
    shutil.copytree(home / "runs" / RUN, tmp_path / "runs" / RUN)
    run = extend.create(tmp_path, RUN, {"others": [{"kind": "seed", "number": 1}]}, "extended")
    flow.execute(run, io.StringIO())
    assert_frame_equal(rows(home, RUN, "ppo_run"), rows(tmp_path, "extended", "ppo_run"))
    scored = rows(tmp_path, "extended", "score").filter(reward_model_id="seed-1")
    responses = rows(tmp_path, "extended", "response")
    of_pool = responses.filter(policy_id=POOL_POLICY)
    assert of_pool.height == 3 * 4 * config.prompts.rm_train_per_category
    assert of_pool.join(scored, on="response_id", how="anti").is_empty()
    last = responses.filter(policy_id="rloo-2-r1/depth-0")
    assert last.join(scored, on="response_id", how="anti").is_empty()


def test_ids_of_repeats_and_of_a_sweep_are_distinct() -> None:
    plain, repeated = Job("flip-0.00", 0.0, "", "rloo"), Job("flip-0.00", 0.0, "", "rloo", repeat=1)
    swept = Job("flip-0.00", 0.3, "-kl0.3", "rloo")
    assert [job.ppo_id for job in (plain, repeated, swept)] == [
        "rloo/flip-0.00",
        "rloo-r1/flip-0.00",
        "rloo-kl0.3/flip-0.00",
    ]
    assert repeated.policy_id(2) == "rloo-2-r1/flip-0.00"
    assert [job.unit for job in (plain, repeated, swept)] == [
        "rloo-flip-0.00",
        "rloo-flip-0.00-r1",
        "rloo-flip-0.00-kl0.3",
    ]
