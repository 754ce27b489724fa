"""Runs on a real Ray cluster of two nodes on this machine: the local engine's rows, whatever is lost on the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from polars.testing import assert_frame_equal
from ray.cluster_utils import Cluster

from pipeline import runs
from pipeline.backends.ray import submitted
from pipeline.backends.ray.options import EngineOptions
from pipeline.config import Config, load_profile
from pipeline.errors import InvalidConfig, PipelineError, RunBusy
from pipeline.runs import RunDirectory, extend, jobs
from tests.conftest import righttree_process
from tests.pipeline.reward_models_elsewhere import checkpoint
from tests.pipeline.runs.test_resume import rows, wait_until
from warehouse.schema import TABLES

pytestmark = pytest.mark.nightly
LOCAL = "local"
PATIENCE_S = 600.0  # beside busy processes, Ray takes minutes to start a worker
_PROFILE = """
profile = "tiny"
threads = 1

[policy]
model = "{model}"
max_new_tokens = 8
batch_responses = 48

[prompts]
rm_train_per_category = 6
rm_test_per_category = 2
rl_test_per_category = 2

[preferences]
cool_samples = 1
extra_samples = 2

[reward_models]
flip_rates = [0.0, 0.2, 0.4]
trainable_layers = 1
epochs = 1

[[reward_models.others]]
kind = "depth"
trainable_layers = 0

[test]
rm_test_responses = 4
rl_test_samples = 8
source_temperatures = [1.5]

[ppo]
algorithms = ["ppo", "sft"]
steps = {steps}
checkpoints = [1, {steps}]
test_samples = 1
trainable_layers = 1
batch_responses = 16

[ppo.each.sft]
reward_models = ["flip-0.20"]
pool_responses = 2
"""


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file is there, no job begins."""
    return tmp_path_factory.mktemp("bin") / "hold"


@pytest.fixture(scope="module", autouse=True)
def _settings(hold: Path) -> Iterator[None]:
    """No authentication, and a `python` for the jobs, in all processes that are started here."""
    python = hold.with_name("python")
    python.write_text(f'#!/bin/sh\nwhile [ -e "{hold}" ]; do sleep 0.1; done\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head node of one CPU, with the dashboard that takes jobs."""
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": True})
    yield started
    started.shutdown()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Every stage on a model of two small layers."""
    folder = tmp_path_factory.mktemp("tiny")
    model = checkpoint(folder / "model", causal=True)
    (folder / "tiny.toml").write_text(_PROFILE.format(model=model, steps=6))
    return load_profile(str(folder / "tiny.toml"))


@pytest.fixture(scope="module")
def home(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run by the local engine."""
    data = tmp_path_factory.mktemp("ray-home")
    runs.create(data, config, LOCAL)
    done = righttree_process("resume", LOCAL, home=data)
    assert done.returncode == 0, done.stderr
    return data


def on_cluster(data: Path, run_id: str, cluster: Cluster, *options: str) -> subprocess.Popen[str]:
    """Work on a run by the cluster's nodes."""
    command = [sys.executable, "-m", "pipeline", "resume", run_id, "--engine", "ray", "--ray-address", cluster.address]
    return subprocess.Popen(
        [*command, *options],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tasks(run_id: str) -> list[str]:
    """The tasks of a run that Ray's workers on this machine execute: a worker is named after its task and the run."""
    names = [" ".join(process.info["cmdline"] or []).strip() for process in psutil.process_iter(["cmdline"])]
    return [name for name in names if name.startswith("ray::") and name.endswith(f" {run_id}")]


def done_of(data: Path, run_id: str, stage: str) -> Callable[[], int]:
    """How many units of a stage are done, by the run's progress."""
    run = runs.open_run(data, run_id)
    return lambda: next((shown.done for shown in run.progress().stages if shown.name == stage), 0)


def made(run: RunDirectory) -> set[str]:
    """The parts of a run's policies that are there."""
    return {path.stem for path in run.path.glob("ppo_run/ppo-*.parquet")}


def workers(node: Any, task: str) -> list[psutil.Process]:
    """The processes of a node that are at a task of this name."""
    found = []
    for child in psutil.Process(node.all_processes["raylet"][0].process.pid).children():
        with suppress(psutil.NoSuchProcess):  # ended in between
            if f"ray::{task}" in " ".join(child.cmdline()):
                found.append(child)
    return found


def assert_same_rows(data: Path, run_id: str) -> None:
    for table in TABLES:
        assert_frame_equal(rows(data, run_id, table), rows(data, LOCAL, table))


def test_a_run_that_loses_a_node_ends_with_the_rows_of_the_local_engine(
    home: Path, config: Config, cluster: Cluster
) -> None:
    node = cluster.add_node(num_cpus=1)
    run = runs.create(home, config, "loses-a-node")
    process = on_cluster(home, "loses-a-node", cluster)
    wait_until(lambda: bool(workers(node, "ppo loses-a-node")) or process.poll() is not None, PATIENCE_S)
    (worker,) = workers(node, "ppo loses-a-node")
    worker.suspend()  # the other node goes on, and leaves over what this one is at
    policies = made(runs.open_run(home, LOCAL))
    wait_until(lambda: len(made(run)) == len(policies) - 1, PATIENCE_S)
    (held,) = policies - made(run)
    policy = held.removeprefix("ppo-")
    curve = run.work_path("curves", f"{policy}.jsonl")
    worker.resume()
    wait_until(lambda: curve.exists() and curve.stat().st_size > 0, PATIENCE_S)  # a policy is begun there
    worker.suspend()
    assert held not in made(run)
    cluster.remove_node(node, allow_graceful=False)
    worker.kill()
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    log = (run.path / "log.txt").read_text()
    assert f"ppo {policy}: lost with its worker, restarted" in log, log
    assert_same_rows(home, "loses-a-node")
    assert list(run.path.rglob(".partial-*")) == []
    assert jobs.status(home, "loses-a-node").stages[-2].done == jobs.status(home, LOCAL).stages[-2].done
    facts = {stage: run.stage_facts(stage)["engine"] for stage in ("prompts", "scores", "ppo")}
    assert facts == {"prompts": "local", "scores": "ray", "ppo": "ray"}


def test_a_run_that_is_cancelled_stops_its_tasks_and_goes_on_by_the_other_engine(
    home: Path, config: Config, cluster: Cluster
) -> None:
    run = runs.create(home, config, "cancelled")
    process = on_cluster(home, "cancelled", cluster)
    ppo = done_of(home, "cancelled", "ppo")
    wait_until(lambda: (ppo() >= 2 and bool(tasks("cancelled"))) or process.poll() is not None, PATIENCE_S)
    jobs.cancel(home, "cancelled")
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "stopped by the user" in said
    assert jobs.status(home, "cancelled").state == "interrupted"
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    wait_until(lambda: not tasks("cancelled"), 60)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before  # nobody writes any more
    done = righttree_process("resume", "cancelled", home=home)
    assert done.returncode == 0, done.stderr
    assert_same_rows(home, "cancelled")


def test_nodes_that_share_no_folder_pass_the_files_through_a_store(
    home: Path, config: Config, cluster: Cluster, tmp_path: Path
) -> None:
    run, store = runs.create(home, config, "stored"), tmp_path / "store"
    seen: set[str] = set()
    process = on_cluster(home, "stored", cluster, "--ray-storage", store.as_uri())
    while process.poll() is None:
        seen |= {name for _, _, names in os.walk(store) for name in names}  # folders come and go meanwhile
        time.sleep(0.1)
    assert process.returncode == 0, process.communicate()[0]
    assert_same_rows(home, "stored")
    assert {"ppo-flip-0.20.parquet", "00000.safetensors", "model.safetensors"} <= seen
    assert list(store.rglob("*.*")) == []  # it is emptied at the end
    weights = [path.relative_to(run.path) for path in run.work_path().rglob("*.safetensors")]
    assert sorted(weights) == sorted(
        path.relative_to(runs.open_run(home, LOCAL).path)
        for path in runs.open_run(home, LOCAL).work_path().rglob("*.safetensors")
    )


def test_what_a_task_refuses_ends_the_run_with_the_line_of_the_local_engine(home: Path, cluster: Cluster) -> None:
    added = {"name": "nobody", "url": "http://127.0.0.1:9/", "timeout_s": 2, "tries": 1}
    lines = []
    for engine in ("here", "there"):
        run = extend.create(home, LOCAL, {"added": [added]}, f"refused-{engine}")
        if engine == "here":
            done = righttree_process("resume", run.run_id, home=home)
            said, code = done.stderr, done.returncode
        else:
            process = on_cluster(home, run.run_id, cluster)
            said, code = process.communicate(timeout=PATIENCE_S)[0], process.returncode
        assert code == 2, said
        assert "Traceback" not in said
        assert jobs.status(home, run.run_id).state == "failed"
        lines.append(run.error())
    assert lines[0] is not None
    assert lines[0].startswith("reward server http://127.0.0.1:9/: no answer")
    assert lines[0] == lines[1]


def test_what_no_node_has_is_said_in_a_line_and_not_waited_for(home: Path, config: Config) -> None:
    runs.create(home, config, "too-much")
    begun = time.monotonic()
    done = righttree_process(
        "resume", "too-much", "--engine", "ray", "--ray-task", "gpus=64,memory=1M", home=home, timeout_s=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "righttree: stage train_responses: a task asks for 1 CPU, 64 GPUs, 0.0 GiB of memory, and no node of the "
        "cluster has as much; of 1 nodes, the most that one has of each is "
    )
    assert time.monotonic() - begun < 40


def test_a_cluster_that_is_not_there_is_said_in_a_line(home: Path, config: Config) -> None:
    runs.create(home, config, "nowhere")
    done = righttree_process(
        "resume", "nowhere", "--engine", "ray", "--ray-address", "127.0.0.1:1", home=home, timeout_s=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("righttree: Ray at 127.0.0.1:1 cannot be reached")


def test_background_runs_are_submitted_as_jobs_where_the_environment_says_so(
    home: Path, config: Config, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTTREE_RAY_JOBS", f"http://{cluster.webui_url}")
    run = runs.open_run(home, jobs.start(home, config))
    assert run.is_running, run.error()
    wait_until(lambda: "Ray: connecting" in jobs.log_tail(home, run.run_id), PATIENCE_S)
    assert submitted.stop(run)  # what `jobs.cancel` does for a process that it does not see
    wait_until(lambda: not run.is_running, 30)
    assert "stopped by the user" in jobs.log_tail(home, run.run_id)
    assert jobs.status(home, run.run_id).state == "interrupted"

    monkeypatch.setenv("RIGHTTREE_RAY_JOBS", "http://127.0.0.1:1")
    with pytest.raises(PipelineError, match=r"Ray at http://127\.0\.0\.1:1 refused `ray job submit`"):
        jobs.resume(home, run.run_id)
    with pytest.raises(InvalidConfig, match="cannot be passed to a job"):
        jobs.resume(home, run.run_id, EngineOptions("ray", storage="file:///tmp/$(id)"))


def test_a_run_waits_until_the_cluster_begins_with_it_and_can_be_taken_back(
    home: Path, config: Config, cluster: Cluster, hold: Path, tmp_path: Path
) -> None:
    address = f"http://{cluster.webui_url}"
    run = runs.create(home, config, "taken-back")
    hold.touch()
    submitted.submit(address, home, run, EngineOptions())
    waiting = jobs.status(home, run.run_id)
    assert (waiting.state, waiting.submitted_to, waiting.waits_for) == ("waiting", address, None)
    with pytest.raises(RunBusy, match=f"waits for Ray at {address}"):
        jobs.resume(home, run.run_id)
    jobs.cancel(home, run.run_id)
    assert jobs.status(home, run.run_id).state == "interrupted"
    with pytest.raises(PipelineError, match="is not running"):
        jobs.cancel(home, run.run_id)
    hold.unlink()

    lost = runs.create(home, config, "not-seen-there")
    submitted.submit(address, tmp_path, lost, EngineOptions())  # as if the cluster had another data folder
    wait_until(lambda: submitted.ask(lost) or submitted.awaited(lost) is None, PATIENCE_S)
    failed = jobs.status(home, lost.run_id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.startswith(f"Ray job righttree-{lost.run_id}-")

    assert not run.is_running  # what was taken back did not begin meanwhile
    assert "Ray: connecting" not in jobs.log_tail(home, run.run_id)


def test_options_of_a_stage_come_before_those_of_all() -> None:
    options = EngineOptions("ray", tasks=("cpus=2,memory=8G", "ppo:gpus=0.5,cpus=4", "ppo:gpus=1"))
    assert options.resources("ppo") == {"CPU": 4, "GPU": 1, "memory": 8 * 2**30}
    assert options.resources("scores") == {"CPU": 2, "memory": 8 * 2**30}
    assert options.arguments()[:4] == ["--engine", "ray", "--ray-task", "cpus=2,memory=8G"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("gpus=1.5", "'1.5' is above one and not a whole number"),
        ("gpus=-1", "'-1' is no amount"),
        ("memory=lots", "'lots' is no amount of memory"),
        ("disk=1", "'disk' is none of cpus, gpus and memory"),
        ("prompts:cpus=1", "no stage 'prompts' is made by tasks"),
    ],
)
def test_options_that_are_wrong_are_refused(task: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(message)):
        EngineOptions("ray", tasks=(task,)).resources("ppo")


def test_ray_options_without_ray_are_refused(tmp_path: Path) -> None:
    done = righttree_process("run", "--profile", "smoke", "--ray-address", "auto", home=tmp_path)
    assert done.returncode == 2
    assert "options that begin with --ray need --engine ray" in done.stderr
    assert runs.run_ids(tmp_path) == []
