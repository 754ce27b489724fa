"""The command as a job of a real Ray cluster, on this machine: its log comes here, and it is stopped from here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.backends.openrlhf.launch import Launch
from pipeline.backends.openrlhf.log import step_in
from pipeline.backends.openrlhf.trainer import train
from tests.pipeline.backends.openrlhf.site import site

pytestmark = pytest.mark.nightly
pytest.importorskip("ray.job_submission")
pytest.importorskip("aiohttp_cors")  # of ray[default]: the dashboard, which takes jobs

_CLUSTER = """
import sys, ray
print("at:", "http://" + ray.init(num_cpus=2, include_dashboard=True, dashboard_port=8299).dashboard_url, flush=True)
sys.stdin.read()
"""
_TRAINER = """
import sys, time
print(sys.argv[1:])
print("✨ Global step 1: {'policy_loss': 0.5}", flush=True)
if "--hang" in sys.argv:
    time.sleep(600)
sys.exit(int("--fail" in sys.argv))
"""
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster's dashboard; the cluster is one of its own."""
    environment = {**os.environ, **_ENVIRONMENT}
    environment.pop("RAY_ADDRESS", None)
    cluster = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert cluster.stdout is not None
    assert cluster.stdin is not None
    line = next((said for said in cluster.stdout if said.startswith("at: ")), "")
    assert line
    yield line.removeprefix("at: ").strip()
    cluster.stdin.close()
    cluster.wait(60)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ray-site")
    (folder / "trainer.py").write_text(_TRAINER)
    return site(wheel, folder / "trainer.py", folder)


def test_its_log_and_its_exit_code_come_here(address: str, python: Path, tmp_path: Path) -> None:
    for options, wanted in (([], 0), (["--fail"], 1)):
        heard: list[str] = []
        command, at_end = Launch(str(python), 2, address).command(
            ["--a.b=1", *options], f"job-{wanted}-{time.time_ns()}"
        )
        code = train(command, tmp_path / "log", 120.0, heard.append, environment=_ENVIRONMENT, at_end=at_end)
        assert (code != 0) == bool(wanted), heard
        assert any(step_in(line) for line in heard)
        assert any(str(["--a.b=1", *options]) in line for line in heard)


def test_what_is_given_up_here_is_stopped_there(address: str, python: Path, tmp_path: Path) -> None:
    from ray.job_submission import JobStatus, JobSubmissionClient

    def enough(line: str) -> None:
        if step_in(line):
            raise KeyboardInterrupt

    job = f"job-{time.time_ns()}"
    command, at_end = Launch(str(python), 2, address).command(["--hang"], job)
    with pytest.raises(KeyboardInterrupt):
        train(command, tmp_path / "log", 120.0, enough, environment=_ENVIRONMENT, at_end=at_end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        assert JobSubmissionClient(address).get_job_status(job) == JobStatus.STOPPED
