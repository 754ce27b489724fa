"""The wheel alone: built, installed into a fresh environment somewhere else, and used there as a user does.

Packages come from pip's index, at the versions of constraints.txt: first the base install, then the extra `pipeline`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.models.installed import PIPELINE_PACKAGES
from tests.base_environment import assert_serves_the_dashboard

pytestmark = pytest.mark.nightly
ROOT = Path(__file__).parents[2]
SOURCES = ("app", "pipeline", "warehouse", "righttree.py", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Installed:
    """The fresh environment, the wheel in it, and an empty folder to work in."""

    environment: Path
    wheel: Path
    folder: Path

    def run(self, *command: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; none of the checkout is in sight."""
        program, *arguments = command
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    @property
    def variables(self) -> dict[str, str]:
        dropped = ("PYTHONPATH", "VIRTUAL_ENV", "RIGHTTREE_READ_ONLY", "RIGHTTREE_HOME")
        return {name: value for name, value in os.environ.items() if name not in dropped}

    def install(self, extras: str = "") -> None:
        """Install the wheel with these extras by pip."""
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        done = self.run("pip", "install", "--quiet", *constraints, f"{self.wheel}{extras}", timeout_s=900)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this checkout's files, with the base install."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, source / name)
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment, symlinks=True, with_pip=True)
    command = [environment / "bin" / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert built.returncode == 0, built.stderr
    shutil.rmtree(source)
    (wheel,) = folder.glob("righttree-*.whl")
    found = Installed(environment, wheel, elsewhere)
    found.install()
    return found


def test_the_base_install_brings_no_torch_and_nothing_is_missing_or_in_conflict(installed: Installed) -> None:
    assert installed.run("pip", "check").stdout.strip() == "No broken requirements found."
    absent = f"from importlib.util import find_spec; print([n for n in {PIPELINE_PACKAGES} if find_spec(n)])"
    assert installed.run("python", "-c", absent).stdout.strip() == "[]"
    where = installed.run("python", "-c", "import righttree; print(righttree.__file__)")
    assert where.stdout.startswith(str(installed.environment)), where.stderr


def test_the_base_install_measures_and_opens_the_recorded_run(installed: Installed) -> None:
    notebook = installed.run("python", "-c", "import righttree as rt; print(rt.evaluate(rt.open(), replicates=20))")
    assert "42 reward models" in notebook.stdout, notebook.stderr
    measured = installed.run("righttree", "measure", "--run", "recorded", "--replicates", "20")
    assert measured.returncode == 0, measured.stderr
    found = installed.run("righttree", "findings", "--replicates", "20")
    assert found.returncode == 0, found.stderr
    refused = installed.run("righttree", "run", "--profile", "smoke")
    assert (refused.returncode, "righttree[pipeline]" in refused.stderr) == (2, True), refused.stderr


def test_the_base_install_serves_the_dashboard(installed: Installed) -> None:
    command = [str(installed.environment / "bin" / "righttree"), "app"]
    log = installed.folder.parent / "app.log"
    assert_serves_the_dashboard(command, log, cwd=installed.folder, env=installed.variables)


def test_with_the_extra_pipeline_it_runs_the_whole_pipeline(installed: Installed, tiny_profile: Path) -> None:
    installed.install("[pipeline]")
    assert installed.run("pip", "check").stdout.strip() == "No broken requirements found."
    planned = installed.run("righttree", "run", "--profile", "smoke", "--plan")  # a profile that comes with the wheel
    assert planned.returncode == 0, planned.stderr
    embedded = installed.run("python", "-m", "pipeline.models.embedded")
    assert Path(embedded.stdout.strip()).is_dir(), embedded.stderr
    done = installed.run("righttree", "run", "--profile", str(tiny_profile), "--run-id", "first", timeout_s=600)
    assert done.returncode == 0, done.stderr
    measured = installed.run("righttree", "measure", "--run", "first", "--replicates", "20")
    assert measured.returncode == 0, measured.stderr
