"""Stage `ppo` in a real run: what its checkpoints leave in the warehouse, and what a policy that diverges does not."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from pipeline import flow, runs
from pipeline.config import load_profile
from pipeline.models.optimizers import trained_policy
from pipeline.models.reward_model import Judge
from pipeline.stages.checkpoints import Job, jobs
from tests.conftest import SMOKE_RUN, TINY_RUN
from warehouse import reads, store
from warehouse.study import evaluate

CONFIG = load_profile("smoke")
SETTINGS = CONFIG.ppo
assert SETTINGS is not None
IDS = sorted(CONFIG.reward_models.ids)


@pytest.fixture(scope="module")
def warehouse(smoke_home: Path) -> duckdb.DuckDBPyConnection:
    return store.open_read_only(smoke_home)


def test_every_reward_model_has_a_policy_at_every_checkpoint(warehouse: duckdb.DuckDBPyConnection) -> None:
    policies = warehouse.execute("SELECT * FROM policy WHERE optimizer = 'ppo' ORDER BY policy_id").pl()
    expected = sorted(f"ppo-{step}/{name}" for name in IDS for step in SETTINGS.checkpoints)
    assert policies["policy_id"].to_list() == expected
    assert set(policies["kl_estimator"]) == {"k3"}
    assert (policies["kl"] > 0).all()
    assert (policies["kl_coefficient"] == 0).all()
    runs_there = warehouse.execute("SELECT * FROM ppo_run").pl()
    assert sorted(runs_there["ppo_id"]) == [f"ppo/{name}" for name in IDS]
    assert set(runs_there["state"]) == {"finished"}
    assert (runs_there["steps_done"] == SETTINGS.steps).all()


def test_values_of_a_checkpoint_are_the_means_of_its_samples_scores(warehouse: duckdb.DuckDBPyConnection) -> None:
    again = warehouse.execute(
        """
        SELECT policy_id, reward_model_id AS golden_id, prompt_id, avg(score::DOUBLE) AS value
        FROM response JOIN score USING (run_id, response_id) JOIN prompt USING (run_id, prompt_id)
        WHERE policy_id LIKE 'ppo-%' AND split = 'rl_test' GROUP BY ALL ORDER BY ALL
        """
    ).pl()
    stored = warehouse.execute(
        "SELECT policy_id, golden_id, prompt_id, value FROM policy_value WHERE policy_id LIKE 'ppo-%' ORDER BY ALL"
    ).pl()
    assert stored.height == len(IDS) ** 2 * len(SETTINGS.checkpoints) * 4 * CONFIG.prompts.rl_test_per_category
    assert again.drop("value").equals(stored.drop("value"))
    np.testing.assert_allclose(again["value"], stored["value"], rtol=1e-6)


def test_the_last_policies_also_answer_the_rm_test_prompts(warehouse: duckdb.DuckDBPyConnection) -> None:
    there = reads.scores.sources(warehouse, SMOKE_RUN)
    last = f"ppo-{SETTINGS.steps}/{IDS[0]}"
    assert {last, "ppo"} <= set(there["source"])
    assert f"ppo-{SETTINGS.checkpoints[0]}/{IDS[0]}" not in set(there["source"])
    cube = reads.scores.score_cube(warehouse, SMOKE_RUN, "ppo")
    assert cube.scores_MPR.shape[2] == len(IDS)


def test_curves_have_every_step_and_the_checkpoints(warehouse: duckdb.DuckDBPyConnection) -> None:
    curves = warehouse.execute("SELECT * FROM training_curve WHERE model_id LIKE 'ppo/%'").pl()
    wanted = {"reward", "kl_k1", "kl_k3", "entropy", "clip_share", "value_loss", "response_tokens"}
    for name in IDS:
        one = curves.filter(model_id=f"ppo/{name}")
        assert wanted | {"test_kl_k1", "test_kl_k3"} <= set(one["metric"])
        assert one.filter(metric="reward")["step"].sort().to_list() == list(range(SETTINGS.steps))
        assert one.filter(metric="test_kl_k3")["step"].sort().to_list() == list(SETTINGS.checkpoints)
        assert one.filter(metric="kl_k3", step=0)["value"].item() == 0.0


def test_a_policy_that_diverges_says_why_and_the_others_are_there(
    tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores that are no numbers, given to one policy from its second step on."""
    shutil.copytree(tiny_home / "runs" / TINY_RUN, tmp_path / "runs" / TINY_RUN)
    run = runs.open_run(tmp_path, TINY_RUN)
    for name in ("stages/ppo.json", "stages/publish.json", "manifest.json"):
        (run.path / name).unlink()
    for table in ("policy", "response", "score", "policy_value", "training_curve", "ppo_run"):
        for part in (run.path / table).glob("ppo-*.parquet"):
            part.unlink()
    begun: list[Judge] = []
    scores = Judge.scores

    class Broken(Judge):
        def scores(self, *arguments):  # type: ignore[no-untyped-def]
            if self is not begun[0] or begun.count(self) > 1:
                return scores(self, *arguments)
            self.calls = getattr(self, "calls", 0) + 1
            given = scores(self, *arguments)
            return given * float("nan") if self.calls > 1 else given

        def __init__(self, *arguments):  # type: ignore[no-untyped-def]
            super().__init__(*arguments)
            begun.append(self)

    monkeypatch.setattr(trained_policy, "Judge", Broken)
    flow.execute(run, io.StringIO())
    with store.open_read_only(tmp_path) as connection:
        ended = connection.execute("SELECT * FROM ppo_run ORDER BY ppo_id").pl()
        values = reads.values.policy_values(connection, TINY_RUN, "ppo", float(SETTINGS.steps))
        first = reads.values.policy_values(connection, TINY_RUN, "ppo", 1.0)
        cube = reads.scores.score_cube(connection, TINY_RUN)
    assert ended["state"].to_list().count("diverged") == 1
    lost = ended.filter(state="diverged").row(0, named=True)
    assert "in step 2" in lost["reason"]
    assert lost["steps_done"] == 1
    assert lost["weights"] is None
    place = values.reward_models.index(lost["reward_model_id"])
    assert values.optimised_M is not None
    assert values.optimised_M.tolist() == [m != place for m in range(len(IDS))]
    assert first.optimised_M is None
    found = evaluate(cube, values, replicates=50)
    assert not found.ndr_defined_MM[place].any()
    assert not found.ndr_defined_MM[:, place].any()
    assert found.undefined_pairs >= 2 * (len(IDS) - 1)


def test_a_sweep_adds_policies_of_its_own_names() -> None:
    settings = SETTINGS.model_copy(update={"sweep": (0.05, 0.2), "sweep_reward_models": ("flip-0.00",)})
    found = jobs(settings, ("flip-0.00", "flip-0.20"))
    assert found == [
        Job("flip-0.00", 0.0, ""),
        Job("flip-0.20", 0.0, ""),
        Job("flip-0.00", 0.05, "-kl0.05"),
        Job("flip-0.00", 0.2, "-kl0.2"),
    ]
    assert found[2].ppo_id == "ppo-kl0.05/flip-0.00"
    assert found[2].policy_id(4) == "ppo-4-kl0.05/flip-0.00"
    assert pl.Series([job.unit for job in found]).n_unique() == 4
