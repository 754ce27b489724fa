"""One of several processes that train a reward model together: `python -m pipeline.models.training_process FOLDER`.

`pipeline.stages.training_processes` starts them, says in the folder what to train, and takes what the first
of them leaves in
it: weights and curve. Each ends when its standard input does, so that none outlives the process that started it.

Each works on the device that Hugging Face's accelerate gives it: accelerate reads rank and address from the
environment, chooses `cuda:0`, `cuda:1`, … or the CPU, and how the processes talk (NCCL, gloo). Weights, gradients and
optimiser are cut into as many shards, block by block (FSDP's second version, `torch.distributed.fsdp.fully_shard`): a
block's weights come together only while it computes. accelerate's own wrapper of it refuses the CPU, on which this is
tested.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from pipeline.config import ALL_LAYERS, RewardModelSettings
from pipeline.errors import InvalidConfig, PipelineError
from pipeline.machine import peak_resident_bytes
from pipeline.models.language_model import load
from pipeline.models.reward_model import RewardModel
from pipeline.models.training import Team, train
from pipeline.models.trunk import Tokens


class Accelerated(Team):
    """One of the processes. Raises InvalidConfig if there are GPUs here, but fewer than processes."""

    def __init__(self, processes: int) -> None:
        devices = torch.accelerator.device_count()
        if 0 < devices < processes:
            raise InvalidConfig(
                f"reward_models.processes is {processes} and this machine has {devices} GPUs; give at most {devices}"
            )
        self._accelerator = Accelerator(cpu=devices == 0)
        self.rank = self._accelerator.process_index
        self.processes = self._accelerator.num_processes

    @property
    def device(self) -> torch.device:
        return self._accelerator.device

    def share(self, reward_model: RewardModel) -> None:
        mesh = init_device_mesh(self.device.type, (self.processes,))
        for block in reward_model.top.layers:
            fully_shard(block, mesh=mesh)
        fully_shard(reward_model, mesh=mesh)

    def backward(self, loss: Tensor) -> None:
        (loss * self.processes).backward()  # of gradients the mean over the processes is taken

    def total(self, values: Tensor) -> Tensor:
        summed: Tensor = self._accelerator.reduce(values.to(self.device), "sum")
        return summed.cpu()

    def weights(self, reward_model: RewardModel) -> dict[str, Tensor]:
        """All weights by their names, on the CPU, for the first process; every one has to ask for them."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        found: dict[str, Any] = get_model_state_dict(reward_model, options=options)
        return found

    def end(self) -> None:
        """Take leave of the others."""
        self._accelerator.wait_for_everyone()
        torch.distributed.destroy_process_group()


def work(folder: Path) -> None:
    """Train, together with the others, what the folder says."""
    job = json.loads((folder / "job.json").read_text())
    settings = RewardModelSettings.model_validate(job["settings"])
    texts = list(pl.read_parquet(folder / "texts.parquet").iter_rows())
    pairs = {name: pl.read_parquet(folder / f"{name}.parquet").to_numpy() for name in ("train", "validation")}
    team = Accelerated(settings.processes)
    language_model = load(job["model"], job["threads"], getattr(torch, job["dtype"]), team.device)
    reward_model = RewardModel(language_model, ALL_LAYERS, job["seed"])
    language_model.base.layers = torch.nn.ModuleList()  # the reward model has its own; these are in the way
    tokens = Tokens(language_model, ALL_LAYERS, texts, settings.texts_at_once)
    curve = train(reward_model, tokens, pairs["train"], pairs["validation"], settings, job["seed"], team)
    weights = team.weights(reward_model)
    if team.rank == 0:
        reward_model.save(folder / "weights", weights)
        (folder / "curve.json").write_text(json.dumps([asdict(point) for point in curve]))
    (folder / f"peak-{team.rank}").write_text(str(peak_resident_bytes()))
    team.end()


def _end_with_the_one_that_started_it() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_one_that_started_it, daemon=True).start()
    try:
        work(Path(sys.argv[1]))
    except PipelineError as error:
        sys.exit(str(error))
