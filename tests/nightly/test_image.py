"""The Dockerfile's own steps, done in a folder with an environment of its own; no image is built: see `dockerfile.py`.

Not shown: that the base image has what is needed, that user 1000 may write to the volume, and that the packages beside
the project can be downloaded; `make install` downloads them by the same constraints.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.models.installed import PIPELINE_PACKAGES
from tests.base_environment import base_packages
from tests.nightly.dockerfile import ROOT, Build, stages
from tests.reliability.streamlit_client import Session, has_key

TEXT = (ROOT / "Dockerfile").read_text()
STAGES = stages(TEXT)
PORT = 8501


def built(folder: Path, image: str, packages: Path) -> Build:
    """The stages of an image up to `base`, in an environment that sees these packages and downloads none."""
    nowhere = folder / "empty-index"
    nowhere.mkdir(parents=True)
    made = Build(folder, packages, {"TORCH_INDEX": nowhere.as_uri()})
    printed = made.do(STAGES["build"]) + made.do(STAGES[f"build-{image}"])
    installed = " ".join(re.findall(r"^Successfully installed (.*)$", printed, re.MULTILINE)).split()
    beside = {name.rpartition("-")[0] for name in installed} - {"setuptools"}  # torch wants a newer one than `venv` has
    assert beside == {"righttree"}, printed
    made.do(STAGES["base"], run=False)
    (made.folder / "data").mkdir()
    return made


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The dashboard's image, which has the packages of the base install alone."""
    folder = tmp_path_factory.mktemp("dashboard-image")
    return built(folder, "dashboard", base_packages(folder / "base" / "site-packages"))


@pytest.fixture(scope="module")
def pipeline_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The pipeline's image."""
    return built(
        tmp_path_factory.mktemp("pipeline-image"), "pipeline", Path(str(metadata.distribution("torch").locate_file("")))
    )


def test_the_environment_has_all_that_the_project_asks_for_and_the_project_itself(build: Build) -> None:
    assert build.run(["pip", "check"]).stdout.strip() == "No broken requirements found."
    where = build.run(["python", "-c", "import app, pipeline, righttree, warehouse; print(app.__file__)"])
    assert where.stdout.startswith(str(build.folder / "opt")), where
    files = build.run(["pip", "show", "--files", "righttree"]).stdout
    source = {path.relative_to(ROOT) for room in ("app", "pipeline", "warehouse") for path in (ROOT / room).rglob("*")}
    kinds = (".py", ".toml", ".jsonl", ".json", ".parquet")
    packaged = {str(path) for path in source if path.suffix in kinds} | {"righttree.py"}
    assert packaged <= {line.strip() for line in files.splitlines()}


def test_the_dashboard_s_environment_has_no_torch_and_says_what_a_run_needs(build: Build) -> None:
    absent = f"from importlib.util import find_spec; print([n for n in {PIPELINE_PACKAGES} if find_spec(n)])"
    assert build.run(["python", "-c", absent]).stdout.strip() == "[]"
    refused = build.run(["righttree", "run", "--profile", "smoke"])
    assert (refused.returncode, "righttree[pipeline]" in refused.stderr) == (2, True), refused.stderr


def test_the_pipeline_s_command_is_understood(pipeline_build: Build) -> None:
    pipeline = STAGES["pipeline"]
    entry, command = pipeline.command("ENTRYPOINT"), pipeline.command("CMD")
    assert "usage: righttree" in pipeline_build.run([*entry, "--help"]).stdout
    done = pipeline_build.run([*entry, *command, "--help"])
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "righttree", "run"])
    done = pipeline_build.run([*entry, "runs"])
    assert done.stdout.startswith(f"no runs of your own in {pipeline_build.folder}/data"), done.stderr
    can_run = pipeline_build.run(
        ["python", "-c", "import torch; from pipeline.models import installed as i; i.require_pipeline()"]
    )
    assert can_run.returncode == 0, can_run.stderr


@pytest.fixture
def dashboard(build: Build) -> Iterator[subprocess.Popen[bytes]]:
    """The command of the default image, as a process."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"something else listens on port {PORT}, which the image has for itself")
    build.do(STAGES["dashboard"])
    with (build.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            STAGES["dashboard"].command("CMD"), cwd=build.place, env=build.environment, stdout=log, stderr=log
        )
        yield process
        process.terminate()
        process.wait(timeout=20)


def test_the_dashboard_is_well_by_its_own_check_and_starts_no_run(
    build: Build, dashboard: subprocess.Popen[bytes]
) -> None:
    check = STAGES["dashboard"].command("HEALTHCHECK")
    deadline = time.monotonic() + 60
    while build.run(check).returncode:
        assert dashboard.poll() is None, (build.folder / "log").read_text()
        assert time.monotonic() < deadline
    session = Session(f"http://127.0.0.1:{PORT}", "runs")
    answer = session.load()
    assert answer.exceptions == []
    assert not has_key(session, "start")
    assert any("this server only reads" in text for text in answer.texts)
    session.close()
    dashboard.terminate()
    dashboard.wait(timeout=20)
    assert build.run(check).returncode != 0
    assert not (build.folder / "data" / "runs").exists()
