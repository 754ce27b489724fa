"""Several processes of this machine that train one reward model, all layers, together.

`train_in_processes` starts them as `python -m pipeline.models.training_processes FOLDER` and ends them before it
returns. The folder says what to train; the first process writes weights and curve into it. Each process ends when its
standard input does, so that none outlives the one that started it. The result is what one process learns
(`training.train`), to rounding.

Each process works on the device that Hugging Face's accelerate assigns to it: `cuda:0`, `cuda:1`, … or the CPU, with
NCCL or gloo between them, by the rank and address in the environment. Weights, gradients and optimiser state are
sharded block by block (FSDP2, `torch.distributed.fsdp.fully_shard`); accelerate's own wrapper of it refuses the CPU, on
which this is tested.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from pipeline.config import ALL_LAYERS, RewardModelSettings
from pipeline.errors import InvalidConfig, PipelineError, TrainingFailed
from pipeline.machine import peak_resident_bytes
from pipeline.models.language_model import load
from pipeline.models.reward_model import RewardModel
from pipeline.models.training import Team, train
from pipeline.models.trunk import Tokens
from pipeline.scoring.texts import Text

_POLL_S = 0.02
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Job:
    """What to train: on which model, with how many threads (0: cores), in which precision (`bfloat16`, `float32`).

    Without one, in the one that `language_model.load` takes.
    """

    model: str
    seed: int
    threads: int
    settings: RewardModelSettings
    dtype: str | None = None


@dataclass(frozen=True)
class Trained:
    """The folder of the weights, the points of the training curve, and the memory that the processes held."""

    weights: Path
    curve: list[dict[str, Any]]
    peak_bytes: int


def train_in_processes(
    folder: Path, job: Job, texts: Sequence[Text], train_pairs: NDArray[np.int64], validation_pairs: NDArray[np.int64]
) -> Trained:
    """Train a reward model in an empty folder; pairs are text numbers `[pairs, 2]`, the chosen first.

    Raises TrainingFailed, in one line, if a process ends before it is done; the others are ended then.
    """
    processes = job.settings.processes
    task = vars(job) | {
        "threads": max(1, (job.threads or len(os.sched_getaffinity(0))) // processes),
        "settings": job.settings.model_dump(mode="json"),
        "texts": list(texts),
        "train_pairs": train_pairs.tolist(),
        "validation_pairs": validation_pairs.tolist(),
    }
    (folder / "job.json").write_text(json.dumps(task))
    (folder / "weights").mkdir()
    _run(folder, processes)
    return Trained(
        folder / "weights",
        json.loads((folder / "curve.json").read_text()),
        sum(int((folder / f"peak-{rank}").read_text()) for rank in range(processes)),
    )


def _run(folder: Path, processes: int) -> None:
    """Start the processes and wait for them. Raises TrainingFailed for the first that fails."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    shared = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    logs = [folder / f"log-{rank}.txt" for rank in range(processes)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(_process(folder, log, shared | {"RANK": rank, "LOCAL_RANK": rank}))
            for rank, log in enumerate(logs)
        ]
        stack.callback(_end, started)
        while None in (codes := [process.poll() for process in started]) and not any(codes):
            time.sleep(_POLL_S)
    failed = next((rank for rank, code in enumerate(codes) if code), None)
    if failed is not None:
        code = codes[failed] or 0
        lines = [line.strip() for line in logs[failed].read_text(errors="replace").split("\n") if line.strip()]
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else (lines or ["it printed nothing"])[-1]
        hint = " (memory may have run out)" if code == -signal.SIGKILL else ""
        raise TrainingFailed(f"training process {failed + 1} of {processes} failed: {how}{hint}")


def _process(folder: Path, log: Path, variables: Mapping[str, object]) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.models.training_processes", str(folder)],
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
            stdin=subprocess.PIPE,  # stays open until this process ends: then the started ones end too
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """End those that are still running."""
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()


class Accelerated(Team):
    """One of the processes. Raises InvalidConfig if this machine has GPUs, but fewer than processes."""

    def __init__(self, processes: int) -> None:
        devices = torch.accelerator.device_count()
        if 0 < devices < processes:
            raise InvalidConfig(
                f"reward_models.processes is {processes} and this machine has {devices} GPUs; give at most {devices}"
            )
        self._accelerator = Accelerator(cpu=devices == 0)
        self.device: torch.device = self._accelerator.device
        self.rank = self._accelerator.process_index
        self.processes = self._accelerator.num_processes

    def share(self, reward_model: RewardModel) -> None:
        mesh = init_device_mesh(self.device.type, (self.processes,))
        for block in reward_model.top.layers:
            fully_shard(block, mesh=mesh)
        fully_shard(reward_model, mesh=mesh)

    def backward(self, loss: Tensor) -> None:
        (loss * self.processes).backward()  # FSDP takes the mean of the gradients over the processes

    def total(self, values: Tensor) -> Tensor:
        summed: Tensor = self._accelerator.reduce(values.to(self.device), "sum")
        return summed.cpu()

    def end(self) -> None:
        """Wait for the others and leave the group."""
        self._accelerator.wait_for_everyone()
        torch.distributed.destroy_process_group()


def work(folder: Path) -> None:
    """Train what the folder says, together with the other processes."""
    job = json.loads((folder / "job.json").read_text())
    settings = RewardModelSettings.model_validate(job["settings"])
    train_pairs, validation_pairs = np.array(job["train_pairs"]), np.array(job["validation_pairs"])
    team = Accelerated(settings.processes)
    language_model = load(job["model"], job["threads"], job["dtype"] and getattr(torch, job["dtype"]), team.device)
    reward_model = RewardModel(language_model, ALL_LAYERS)
    language_model.base.layers = torch.nn.ModuleList()  # frees memory: the reward model has its own
    tokens = Tokens(language_model, ALL_LAYERS, job["texts"], settings.texts_at_once)
    curve = train(reward_model, tokens, train_pairs, validation_pairs, settings, seed=job["seed"], team=team)
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, Any] = get_model_state_dict(reward_model, options=options)  # all ask, the first is answered
    if team.rank == 0:
        reward_model.save(folder / "weights", weights)
        (folder / "curve.json").write_text(json.dumps([asdict(point) for point in curve]))
    (folder / f"peak-{team.rank}").write_text(str(peak_resident_bytes()))
    team.end()


def _end_with_standard_input() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    try:
        work(Path(sys.argv[1]))
    except PipelineError as error:
        sys.exit(str(error))
