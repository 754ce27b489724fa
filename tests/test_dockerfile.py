"""The Dockerfile's own steps, done in a folder with an environment of its own; no image is built: see `dockerfile.py`.

Not shown: that the base image has what is needed, that user 1000 may write to the volume, and that the packages beside
the project can be downloaded; `make install` downloads them by the same constraints.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dockerfile import ROOT, Build, ignored, stages
from tests.reliability.streamlit_client import Session, has_key

TEXT = (ROOT / "Dockerfile").read_text()
STAGES = stages(TEXT)
PORT = 8501
HADOLINT = Path(sys.executable).parent / "hadolint"


# What the file says ---------------------------------------------------------------------------------------------------


def linted(path: Path) -> subprocess.CompletedProcess[str]:
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed: there is no wheel of it for this platform")
    return subprocess.run([HADOLINT, "--no-color", path], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing() -> None:
    assert linted(ROOT / "Dockerfile").stdout == ""


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [("python:3.11-slim", "python:latest", "DL3007"), ("USER 1000", "USER root", "DL3002")],
)
def test_hadolint_would_find_something(tmp_path: Path, good: str, bad: str, rule: str) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(TEXT.replace(good, bad))
    assert rule in linted(path).stdout


def test_the_default_image_reads_only_as_a_user_without_rights_and_says_whether_it_is_well() -> None:
    *_, default = STAGES.values()
    assert default.name == "dashboard"
    assert re.search(r"\bRIGHTTREE_READ_ONLY=1\b", default.last("ENV") or "")
    assert default.last("HEALTHCHECK") is not None
    for target in ("dashboard", "pipeline"):
        assert STAGES[target].base == "base"
        assert STAGES[target].last("USER") is None
    assert STAGES["base"].last("USER") == "1000"


def test_no_data_history_or_environment_gets_into_an_image() -> None:
    assert {"data", ".git", ".venv"} <= set(ignored())
    copied = [text.split()[0] for name in STAGES for step, text in STAGES[name].steps if step == "COPY"]
    assert set(copied) == {"pyproject.toml", "app", "pipeline", "warehouse", "--from=build"}


# What it does ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The stages `build` and `base`."""
    made = Build(tmp_path_factory.mktemp("image"))
    printed = made.do(STAGES["build"])
    installed = " ".join(re.findall(r"^Successfully installed (.*)$", printed, re.MULTILINE)).split()
    beside = {name.rpartition("-")[0] for name in installed} - {"setuptools"}  # torch wants a newer one than `venv` has
    assert beside == {"righttree"}, printed
    made.do(STAGES["base"], run=False)
    (made.folder / "data").mkdir()
    return made


def test_the_environment_has_all_that_the_project_asks_for_and_the_project_itself(build: Build) -> None:
    assert build.run(["pip", "check"]).stdout.strip() == "No broken requirements found."
    where = build.run(["python", "-c", "import app, pipeline, warehouse; print(app.__file__)"])
    assert where.stdout.startswith(str(build.folder / "opt")), where
    files = build.run(["pip", "show", "--files", "righttree"]).stdout
    source = {path.relative_to(ROOT) for room in ("app", "pipeline", "warehouse") for path in (ROOT / room).rglob("*")}
    kinds = (".py", ".toml", ".jsonl", ".json", ".parquet")
    assert {str(path) for path in source if path.suffix in kinds} <= {line.strip() for line in files.splitlines()}


def test_the_pipeline_s_command_is_understood(build: Build) -> None:
    pipeline = STAGES["pipeline"]
    entry, command = pipeline.command("ENTRYPOINT"), pipeline.command("CMD")
    assert "usage: righttree" in build.run([*entry, "--help"]).stdout
    done = build.run([*entry, *command, "--help"])
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "righttree", "run"])
    done = build.run([*entry, "runs"])
    assert done.stdout.startswith(f"no runs in {build.folder}/data"), done.stderr


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
