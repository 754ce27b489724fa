"""Fixtures that several rooms share: real runs of the real pipeline, each made once a session.

With pytest-xdist, which `make test` uses, the workers share these runs and use one thread of torch each.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import resources
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.__main__ import main
from pipeline.config import Config, load_profile
from pipeline.runs import exchange

SMOKE_RUN = "smoke-test"
TINY_RUN = "tiny-test"
QUICK_RUN = "quick-test"
_MAIN = sys.modules["__main__"]
if "PYTEST_XDIST_WORKER" in os.environ:  # before anything imports torch; processes that tests start inherit it
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def main_stays() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, which a process spawned later would run first."""
    yield
    sys.modules["__main__"] = _MAIN


def righttree(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, which saves the seconds of its imports."""
    out, err, on_terminate = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("RIGHTTREE_HOME", str(home))
        try:
            code = main(arguments)
        except SystemExit as end:  # of argparse
            code = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, on_terminate)  # what works on runs has another one
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def righttree_process(*arguments: str, home: Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as what works on a run has to be."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills once a session, for all of pytest-xdist's workers, whichever asks first."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # each worker has a folder of its own in it
    folder, complete = place / f"shared-{name}", place / f"shared-{name}.complete"
    with FileLock(f"{complete}.lock"):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder


def skip_without_avx512(takes: str) -> None:
    """Skip what takes that long on a CPU without bfloat16 products, unless `RIGHTTREE_TEST_SLOW=1` asks for it."""
    from pipeline.models.performance.packed_weights import has_bfloat16_products  # torch, which many tests do without

    if not has_bfloat16_products() and not os.environ.get("RIGHTTREE_TEST_SLOW"):
        pytest.skip(f"{takes} without AVX-512; RIGHTTREE_TEST_SLOW=1 runs it all the same")


def _put_run(home: Path, profile: str, run_id: str) -> None:
    """Make the run in `home`, or copy it from `RIGHTTREE_TEST_RUNS`, which keeps runs between test sessions.

    Delete that folder after a change that should change a run's rows.
    """
    keep = os.environ.get("RIGHTTREE_TEST_RUNS")
    kept = Path(keep) / profile if keep else None
    if kept is not None and kept.is_dir():
        shutil.copytree(kept, home, symlinks=True, dirs_exist_ok=True)
        return
    done = righttree_process("run", "--profile", profile, "--run-id", run_id, home=home, timeout_s=1500)
    assert done.returncode == 0, done.stderr
    if kept is not None:
        shutil.copytree(home, kept, symlinks=True)


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile `smoke` with a model of two layers and random weights, whose run takes a few seconds."""

    def make(folder: Path) -> None:
        from tests.pipeline.reward_models_elsewhere import checkpoint  # torch, which many tests do without

        model = checkpoint(folder / "model", causal=True, initializer_range=0.2)
        smoke = (resources.files("pipeline") / "profiles" / "smoke.toml").read_text(encoding="utf-8")
        tiny = smoke.replace('"smoke"', '"tiny"').replace("[policy]\n", f'[policy]\nmodel = "{model}"\n')
        (folder / "tiny.toml").write_text(tiny, encoding="utf-8")

    return made_once(tmp_path_factory, "tiny", make) / "tiny.toml"


@pytest.fixture(scope="session")
def tiny_config(tiny_profile: Path) -> Config:
    """Its settings: of all stages, for whatever kills, damages or changes a run."""
    return load_profile(str(tiny_profile))


@pytest.fixture(scope="session")
def tiny_home(tiny_profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published run of it, uninterrupted. Tests must not write into it."""

    def make(home: Path) -> None:
        done = righttree_process("run", "--profile", str(tiny_profile), "--run-id", TINY_RUN, home=home)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "tiny-home", make)


@pytest.fixture(scope="session")
def recorded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the recorded run, published as the first command does. Tests must not write into it."""

    def make(home: Path) -> None:
        published = exchange.publish_recorded(home)
        assert published is not None
        assert published.run_id == "recorded"

    return made_once(tmp_path_factory, "recorded-home", make)


@pytest.fixture(scope="session")
def smoke_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published run of the profile `smoke`, uninterrupted. Tests must not write into it."""
    return made_once(tmp_path_factory, "smoke-home", lambda home: _put_run(home, "smoke", SMOKE_RUN))


@pytest.fixture(scope="session")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published run of the profile `quick`: some minutes. Tests must not write into it."""
    skip_without_avx512("half an hour")
    return made_once(tmp_path_factory, "quick-home", lambda home: _put_run(home, "quick", QUICK_RUN))
