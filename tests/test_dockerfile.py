"""What the Dockerfile says; its steps are done in `tests/nightly/test_image.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nightly.dockerfile import ROOT, ignored, stages

TEXT = (ROOT / "Dockerfile").read_text()
STAGES = stages(TEXT)
HADOLINT = Path(sys.executable).parent / "hadolint"


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
    sources = {"pyproject.toml", "app", "pipeline", "warehouse", "righttree.py"}
    assert set(copied) == sources | {"--from=build-dashboard", "--from=build-pipeline"}


def test_only_the_pipeline_s_image_asks_for_torch_and_by_default_for_that_without_cuda() -> None:
    installs = {name: " ".join(text for step, text in STAGES[name].steps if step == "RUN") for name in STAGES}
    assert [name for name, steps in installs.items() if "[pipeline]" in steps] == ["build-pipeline"]
    assert STAGES["build-pipeline"].last("ARG") == "TORCH_INDEX=https://download.pytorch.org/whl/cpu"
    assert '--extra-index-url "$TORCH_INDEX"' in installs["build-pipeline"]
