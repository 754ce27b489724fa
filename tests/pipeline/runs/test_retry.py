"""`resume --retry`: a policy that OpenRLHF failed to train is made again, all else stays.

Against the trainer that stands in for OpenRLHF's, which fails where it is told to: `standin_trainer.py`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import flow, runs
from pipeline.backends.openrlhf.launch import PYTHON
from pipeline.config import Config
from pipeline.errors import ModelUnavailable, PipelineError, RunBusy
from pipeline.runs import RunDirectory, extend, jobs, retry
from tests.conftest import righttree, righttree_process
from tests.pipeline.backends.openrlhf.site import site
from tests.pipeline.backends.openrlhf.test_run import config, jobs_of
from tests.pipeline.reward_models_elsewhere import checkpoint
from tests.pipeline.runs.test_extend import content, smaller
from tests.pipeline.runs.test_resume import rows, wait_until
from warehouse import files
from warehouse.schema import TABLES

RUN, FAILED, DIVERGED, FINISHED = "retried", "rloo/flip-0.00", "rloo/flip-0.20", "rloo/flip-0.40"
TROUBLE = {"rloo:flip-0.00": "late", "rloo:flip-0.20": "no number"}


@pytest.fixture(scope="module", autouse=True)
def _python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    python = site(
        wheel,
        Path(__file__).parents[1] / "backends" / "openrlhf" / "standin_trainer.py",
        tmp_path_factory.mktemp("openrlhf-site"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(python))
        yield


@pytest.fixture(scope="module")
def failed(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a policy each that failed, diverged and finished. Tests must not write into it."""
    home = tmp_path_factory.mktemp("failed")
    model = checkpoint(home / "policy", causal=True, initializer_range=0.2)
    ppo = config(model, algorithms=["rloo"]).model_dump(mode="json")["ppo"]
    settings = {**smaller(tiny_config).model_dump(mode="json"), "ppo": ppo}
    settings["policy"] |= {"model": str(model)}
    settings["reward_models"] |= {"flip_rates": [0.0, 0.2, 0.4]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANDIN_TROUBLE", json.dumps(TROUBLE))
        run = runs.create(home, Config.model_validate(settings), RUN)
        flow.execute(run, io.StringIO())
    assert {name: row["state"] for name, row in jobs_of(run).items()} == {
        FAILED: "failed",
        DIVERGED: "diverged",
        FINISHED: "finished",
    }
    assert policies(home, RUN, FAILED) == ["rloo-2/flip-0.00"]
    return home


@pytest.fixture
def home(failed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(failed, tmp_path / "home", symlinks=True))


def policies(home: Path, run_id: str, ppo_id: str) -> list[str]:
    model = ppo_id.partition("/")[2]
    return rows(home, run_id, "policy").filter(optimizer="rloo", reward_model_id=model)["policy_id"].to_list()


def of_failed(table: str, frame: pl.DataFrame) -> pl.Series:
    """Which rows are of the policy that failed, by the ids that begin with its own or its checkpoints'."""
    key = next((name for name in ("ppo_id", "policy_id", "model_id", "response_id") if name in frame.columns), None)
    if key is None or table == "reward_model":
        return pl.Series([False] * frame.height, dtype=pl.Boolean)
    return frame.select(pl.col(key).str.contains(r"^rloo(-\d+)?/flip-0\.00(\||$)")).to_series()


def assert_retried(before: Path, after: Path) -> None:
    """The policy that failed is there, whole and once; every other row is the same bit for bit."""
    run = runs.open_run(after, RUN)
    ended = jobs_of(run)
    assert {name: row["state"] for name, row in ended.items()} == {
        FAILED: "finished",
        DIVERGED: "diverged",
        FINISHED: "finished",
    }
    assert (ended[FAILED]["steps_done"], ended[FAILED]["reason"]) == (4, None)
    assert policies(after, RUN, FAILED) == ["rloo-2/flip-0.00", "rloo-4/flip-0.00"]
    for table in set(TABLES) - {"run"}:
        old, new = rows(before, RUN, table), rows(after, RUN, table)
        assert_frame_equal(new.filter(~of_failed(table, new)), old.filter(~of_failed(table, old)))
        keys = [name for name in TABLES[table].keys if name != "run_id"]
        assert not new.select(keys).is_duplicated().any(), table
    curve = rows(after, RUN, "training_curve").filter(model_id=FAILED)
    assert curve.filter(metric="reward")["step"].sort().to_list() == [0, 1, 2, 3]
    assert curve.filter(metric="test_kl_k3")["step"].sort().to_list() == [2, 4]
    assert not retry.is_requested(run)
    assert jobs.status(after, RUN).state == "finished"


def test_a_failed_policy_is_trained_again_and_the_rest_is_kept(failed: Path, home: Path) -> None:
    before = content(runs.open_run(home, RUN))
    first = jobs.manifest(home, RUN)
    done = righttree_process("resume", RUN, "--retry", home=home)
    assert done.returncode == 0, done.stderr
    assert f"retrying {FAILED}" in done.stderr
    assert_retried(failed, home)
    after = content(runs.open_run(home, RUN))
    changed = {name for name in before if after.get(name) != before[name]}
    tables = {name for name in changed if name.partition("/")[0] in TABLES or name.startswith("work/")}
    assert all("flip-0.00" in name for name in tables), tables
    assert {"response/ppo-rloo-flip-0.00-00004.parquet", "policy/ppo-rloo-flip-0.00-00004.parquet"} <= after.keys()
    second = jobs.manifest(home, RUN)
    assert first is not None
    assert second is not None
    assert second["stages"]["ppo"]["earlier_s"] == pytest.approx(first["stages"]["ppo"]["wall_s"], abs=0.01)
    assert second["stages"]["ppo"]["made"] == 4
    log = runs.open_run(home, RUN).work_path("ppo", "rloo-flip-0.00.log").read_text()
    assert log.index("CUDA out of memory") < log.rindex("Global step 4")

    again = righttree("resume", RUN, "--retry", home=home)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == (
        f"nothing to retry in {RUN}: none of its policies failed; {DIVERGED} diverged and would diverge again with "
        "the same seed\n"
    )
    assert content(runs.open_run(home, RUN)) == after
    with pytest.raises(PipelineError, match="nothing to retry"):
        jobs.retry(home, RUN)


@pytest.mark.nightly
def test_a_retry_that_is_killed_can_be_resumed(failed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.open_run(home, RUN)
    with monkeypatch.context() as patch:
        patch.setenv("STANDIN_PAUSE_S", "1")
        assert jobs.retry(home, RUN) == [FAILED]  # a process of its own, in the background
    half = run.work_path("ppo", ".training", "rloo-flip-0.00", "checkpoints", "global_step2_hf", "tokenizer.json")
    wait_until(lambda: half.exists() or not run.is_running, 90)
    worker = run.worker()
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not run.is_running, 90)
    assert jobs.status(home, RUN).state == "interrupted"
    flow.execute(run, io.StringIO())
    assert_retried(failed, home)


class KilledAfter:
    """Removes a number of files, then raises."""

    def __init__(self, number: int) -> None:
        self.left, self.remove = number, files.remove

    def __call__(self, path: Path) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.remove(path)


def test_a_retry_killed_while_it_removes_files_removes_the_rest_later(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every file that is removed, as a kill would leave it."""
    whole = runs.open_run(Path(shutil.copytree(home, tmp_path / "whole", symlinks=True)), RUN)
    retry.request(whole)
    assert retry.remove_failed(whole) == [FAILED]
    wanted, number = parts(whole), 0
    while True:
        data = tmp_path / f"after-{number}"
        run = runs.open_run(Path(shutil.copytree(home, data, symlinks=True)), RUN)
        assert retry.request(run) == [FAILED]
        assert jobs.status(data, RUN).state == "interrupted"
        with monkeypatch.context() as patch:
            patch.setattr(files, "remove", KilledAfter(number))
            try:
                retry.remove_failed(run)
                break
            except KeyboardInterrupt:
                pass
        assert retry.is_requested(run)
        assert retry.request(run) == [FAILED]  # asked once more, or only resumed
        with pytest.raises(RunBusy, match=f"righttree resume {RUN}"):
            extend.create(data, RUN, {"flip_rates": [0.1]})
        assert retry.remove_failed(run) == [FAILED]
        assert parts(run) == wanted
        shutil.rmtree(data)
        number += 1
    assert number >= 10


def parts(run: RunDirectory) -> list[str]:
    """Names of all files that say what the run has made."""
    own = ("log.txt", ".lock", "progress.json")
    return sorted(name for name in content(run) if name not in own)


def test_without_openrlhf_a_retry_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(runs.open_run(home, RUN))
    monkeypatch.delenv(PYTHON)
    with pytest.raises(ModelUnavailable, match="is not set"):
        jobs.retry(home, RUN)
    assert content(runs.open_run(home, RUN)) == before
    assert jobs.status(home, RUN).state == "finished"
