"""Two processes learn what one learns; when one of them dies the others end, and one line says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from pipeline.config import RewardModelSettings
from pipeline.errors import TrainingFailed
from pipeline.models.language_model import load
from pipeline.models.reward_model import RewardModel
from pipeline.models.training import train
from pipeline.models.training_processes import Job, train_in_processes
from pipeline.models.trunk import Tokens
from tests.pipeline.models.tiny import tiny_folder, tiny_task

SETTINGS = RewardModelSettings(
    trainable_layers=-1, epochs=2, batch_pairs=8, learning_rate=3e-3, gradient_accumulation=2, processes=2
)
TEXTS, PAIRS = tiny_task(40)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny"))


def job(tiny: Path, **changed: object) -> Job:
    settings = SETTINGS.model_copy(update=changed)
    return Job(str(tiny), 3, 2, settings, dtype="float32")


@pytest.mark.parametrize("checkpointing", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_two_processes_learn_what_one_learns(tiny: Path, tmp_path: Path, checkpointing: bool) -> None:
    together = job(tiny, gradient_checkpointing=checkpointing)
    made = train_in_processes(tmp_path, together, TEXTS, PAIRS[:30], PAIRS[30:])
    language_model = load(str(tiny), dtype=torch.float32, device="cpu")
    alone = RewardModel(language_model, -1)
    untrained = {name: weight.clone() for name, weight in alone.state_dict().items()}
    settings = SETTINGS.model_copy(update={"processes": 1, "gradient_accumulation": 1})
    curve = train(alone, Tokens(language_model, -1, TEXTS, 16), PAIRS[:30], PAIRS[30:], settings, seed=3)
    assert [(point["metric"], point["step"]) for point in made.curve] == [(p.metric, p.step) for p in curve]
    np.testing.assert_allclose([point["value"] for point in made.curve], [p.value for p in curve], rtol=1e-4)
    weights = load_file(made.weights / "model.safetensors")
    assert weights.keys() == untrained.keys()
    for name, weight in alone.state_dict().items():
        torch.testing.assert_close(weights[name], weight, atol=1e-5, rtol=1e-4)
        assert not weights[name].equal(untrained[name])
    assert made.peak_bytes > 2 * 100e6


def test_a_process_that_fails_says_why_in_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingFailed, match=r"process . of 2 failed: .*processes is 2 and a batch has 1 of the 1"
    ) as it:
        train_in_processes(tmp_path, job(tiny), TEXTS, PAIRS[:1], PAIRS[30:])
    assert "\n" not in str(it.value)
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_process_that_is_killed_ends_the_others(tiny: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        while len(found := _training(os.getpid())) < 2:
            time.sleep(0.05)
        os.kill(max(found), signal.SIGKILL)
        killed.extend(found)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(TrainingFailed, match=r"of 2 failed: was ended by SIGKILL \(memory may have run out\)"):
        train_in_processes(tmp_path, job(tiny, epochs=100_000), TEXTS, PAIRS[:30], PAIRS[30:])
    killer.join()
    assert not any(Path(f"/proc/{process}").exists() for process in killed)
    assert list((tmp_path / "weights").iterdir()) == []


STARTING = """
import sys
from pathlib import Path

import tests.pipeline.models.test_training_processes as here
from pipeline.models.training_processes import train_in_processes

job = here.job(Path(sys.argv[1]), epochs=100_000)
train_in_processes(Path(sys.argv[2]), job, here.TEXTS, here.PAIRS[:30], here.PAIRS[30:])
"""


def test_they_end_with_the_process_that_started_them_however_it_ends(tiny: Path, tmp_path: Path) -> None:
    starting = subprocess.Popen([sys.executable, "-c", STARTING, str(tiny), str(tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while len(started := _training(starting.pid)) < 2:
            assert starting.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        starting.kill()
        starting.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{process}").exists() for process in started):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _training(of: int) -> list[int]:
    """The processes that a process started and that train together by now: they are connected to each other."""
    found = []
    for process in psutil.Process(of).children():
        with suppress(psutil.NoSuchProcess):
            if "training_process" in " ".join(process.cmdline()) and any(
                connection.status == psutil.CONN_ESTABLISHED for connection in process.net_connections()
            ):
                found.append(process.pid)
    return found
