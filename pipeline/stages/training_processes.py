"""A reward model, all layers, trained by several processes of this machine: started here, ended before this returns.

What is learnt is what one process learns (`pipeline/models/training.py`); which device each of them works on is
accelerate's choice (`pipeline/models/accelerated.py`), which reads ranks and address from the environment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config import RewardModelSettings
from pipeline.errors import TrainingFailed
from pipeline.scoring.texts import Text

_POLL_S = 0.02
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Job:
    """What to train: on which model, in which precision (`bfloat16`, `float32`), by how many threads (0: cores)."""

    model: str
    seed: int
    threads: int
    settings: RewardModelSettings
    dtype: str = "bfloat16"


@dataclass(frozen=True)
class Trained:
    """What came of it: where the weights are, the points of the curve, and the memory that the processes held."""

    weights: Path
    curve: list[dict[str, Any]]
    peak_bytes: int


def train(
    folder: Path, job: Job, texts: Sequence[Text], train_pairs: NDArray[np.int64], validation_pairs: NDArray[np.int64]
) -> Trained:
    """Train a reward model in the empty folder `folder`; pairs are `[pairs, 2]` text numbers, the chosen first.

    Raises TrainingFailed, in one line, if a process ends before it is done; the others are ended then.
    """
    pl.DataFrame(texts, schema=["prompt", "response"], orient="row").write_parquet(folder / "texts.parquet")
    for name, pairs in (("train", train_pairs), ("validation", validation_pairs)):
        pl.DataFrame(pairs, schema=["chosen", "rejected"]).write_parquet(folder / f"{name}.parquet")
    processes = job.settings.processes
    threads = job.threads or len(os.sched_getaffinity(0))
    facts = {
        "model": job.model,
        "dtype": job.dtype,
        "seed": job.seed,
        "threads": max(1, threads // processes),
        "settings": job.settings.model_dump(mode="json"),
    }
    (folder / "job.json").write_text(json.dumps(facts))
    (folder / "weights").mkdir()
    _run(folder, processes)
    return Trained(
        folder / "weights",
        json.loads((folder / "curve.json").read_text()),
        sum(int((folder / f"peak-{rank}").read_text()) for rank in range(processes)),
    )


def _run(folder: Path, processes: int) -> None:
    shared = {**os.environ, "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    started: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        stack.callback(_end, started)
        for rank in range(processes):
            log = stack.enter_context(_log(folder, rank).open("wb"))
            started.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-m", "pipeline.models.training_process", str(folder)],
                    env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    stdin=subprocess.PIPE,  # held open; it closes when this process ends, and then they end
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        while None in (codes := [process.poll() for process in started]) and not any(codes):
            time.sleep(_POLL_S)
    failed = next((rank for rank, code in enumerate(codes) if code), None)
    if failed is not None:
        code = codes[failed] or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else _last_line(_log(folder, failed))
        hint = " (memory may have run out)" if code == -signal.SIGKILL else ""
        raise TrainingFailed(f"training process {failed + 1} of {processes} failed: {how}{hint}")


def _end(started: list[subprocess.Popen[bytes]]) -> None:
    """End those that are still at work."""
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _log(folder: Path, rank: int) -> Path:
    return folder / f"log-{rank}.txt"


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
