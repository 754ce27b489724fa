"""Lets OpenRLHF 0.11.2, unchanged, train without a GPU: what it asks of `torch.cuda` is answered by the CPU.

`make openrlhf-cpu` copies this module into OpenRLHF's environment, where a `.pth` file imports it in every process. It
sets variables of the environment, and does the rest when OpenRLHF is imported:

- Ray: the machine has four GPUs, on paper, and sixteen CPUs.
- `torch.cuda`: the current device is the CPU; waiting for it and emptying its cache do nothing; the id of a "GPU" is
  the number that Ray gave to the process, so that actors that share one find each other.
- flash-attention: only its Python part is installed; the compiled part is an empty module. Attention is SDPA.
- DeepSpeed would compile its AdamW and its sums in shared memory, which takes minutes and a compiler: torch's are used.
- vLLM (`vllm-cpu`): sleep mode is accepted, and ignored by its CPU worker; layers read their weights as they are, as
  those that were packed for the CPU could not be written again.
- Weights go to vLLM on OpenRLHF's way through a GPU's memory; instead of a handle, it hands over the tensor.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

for _name, _value in {
    "DS_ACCELERATOR": "cpu",
    "TORCHDYNAMO_DISABLE": "1",  # nothing is compiled
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 16, "GPU": 4}',
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}.items():
    os.environ.setdefault(_name, _value)


class _BeforeOpenRLHF(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "openrlhf":
            _prepare()
        elif name == "openrlhf.trainer.ray":
            from vllm.platforms.cpu import CpuPlatform

            CpuPlatform.is_sleep_mode_available = lambda self: True
        elif name == "openrlhf.trainer.ray.vllm_worker_wrap":  # imported by vLLM's worker, before it loads the model
            from vllm.model_executor.layers import utils

            utils.dispatch_cpu_unquantized_gemm = _keep_weights


def _prepare() -> None:
    sys.modules.setdefault("flash_attn_2_cuda", ModuleType("flash_attn_2_cuda"))
    sys.modules["flash_attn.ops.triton.cross_entropy"] = None  # type: ignore[assignment]  # OpenRLHF has its own
    _add_arguments()
    _answer_for_cuda()
    import deepspeed.comm.torch
    import deepspeed.ops.adam
    import torch

    deepspeed.ops.adam.FusedAdam = lambda parameters, adam_w_mode, **settings: torch.optim.AdamW(parameters, **settings)
    sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # type: ignore[attr-defined]


def _add_arguments() -> None:
    """In a trainer's process, `python -m openrlhf.cli.train_…`."""
    module = next((word for word in sys.orig_argv if word.startswith("openrlhf.cli.train_")), None)
    if module is not None:
        sys.argv.append("--ds.attn_implementation=sdpa")
    if module == "openrlhf.cli.train_ppo_ray":
        sys.argv.append("--vllm.enforce_eager")


class _Device(str):
    """The CPU, where a device is asked for, and the number 0 in `f"cuda:{device}"`."""

    def __format__(self, spec: str) -> str:
        return "0"


def _answer_for_cuda() -> None:
    import torch
    import torch.distributed.device_mesh as meshes
    import torch.multiprocessing.reductions as reductions

    for name, answer in {
        "current_device": lambda: _Device("cpu"),
        "current_stream": lambda device=None: None,
        "empty_cache": lambda: None,
        "set_device": lambda device: None,
        "synchronize": lambda device=None: None,
        "get_device_properties": lambda device=None: SimpleNamespace(uuid=os.environ["CUDA_VISIBLE_DEVICES"]),
    }.items():
        setattr(torch.cuda, name, _to_openrlhf(answer, getattr(torch.cuda, name)))
    mesh = meshes.init_device_mesh
    meshes.init_device_mesh = lambda device, *args, **more: mesh("cpu" if device == "cuda" else device, *args, **more)
    reductions.reduce_tensor = lambda tensor: (_handed_over, (_written(tensor), *[None] * 6))


def _to_openrlhf(answer: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """What answers OpenRLHF's own code so; others, who ask whether there is CUDA at all, get the true answer."""

    def answered(*args: Any, **more: Any) -> Any:
        asks = sys._getframe(1).f_globals.get("__name__", "")
        return (answer if asks.startswith("openrlhf.") else otherwise)(*args, **more)

    return answered


def _written(tensor: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(tensor.detach(), file)
    return file.getvalue()


def _handed_over(written: bytes, *_: Any) -> Any:
    """In the place of a function that opens a handle to a GPU's memory."""
    import torch

    return torch.load(io.BytesIO(written))


def _keep_weights(layer: Any, remove_weight: bool) -> None:
    import torch

    layer.cpu_linear = torch.nn.functional.linear


sys.meta_path.insert(0, _BeforeOpenRLHF())
