"""Several processes that train one reward model together, each on the device that Hugging Face's accelerate gives it.

accelerate reads rank and address from the environment, chooses `cuda:0`, `cuda:1`, … or the CPU, and how the processes
talk (NCCL, gloo). Weights, gradients and optimiser are cut into as many shards, block by block (FSDP's second version,
`torch.distributed.fsdp.fully_shard`): a block's weights come together only while it computes. accelerate's own wrapper
of it refuses the CPU, on which this is tested.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from pipeline.errors import InvalidConfig
from pipeline.models.reward_model import RewardModel
from pipeline.models.team import Team


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
