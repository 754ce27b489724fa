"""What a run needs on this machine, and whether it is here; nothing is downloaded or loaded."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.cli import doctor
from pipeline.cli.doctor import Finding
from pipeline.config import EMBEDDED_MODEL, Config
from pipeline.cost.model_size import cached

_HUB = "hf://"
_HUB_ADDRESS = "https://huggingface.co"
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU: its peak in dense bfloat16 products and its memory, from the maker's data sheet."""

    name: str
    tflops: float
    memory_gb: float


GPUS: Mapping[str, Gpu] = {
    gpu.name: gpu for gpu in (Gpu("h100", 989, 80), Gpu("h200", 989, 141), Gpu("a100", 312, 80), Gpu("l40s", 362, 48))
}


def needs(data: Path, config: Config, gpu: Gpu, *, gpus: int, ray: bool, disk_bytes: float) -> list[Finding]:
    """Findings on GPUs, packages, the model, files of data, and disk space."""
    return [
        _gpus(gpus, gpu),
        *doctor.packages(),
        *([doctor.vllm(needed=True)] if config.policy.sampler == "vllm" else []),
        *_openrlhf(config),
        *([doctor.package("ray", "`pip install 'righttree[ray]'`")] if ray else []),
        _model(config.policy.model),
        *_files((*config.prompts.files, *config.preferences.files)),
        _disk_space(data, disk_bytes),
    ]


def _openrlhf(config: Config) -> list[Finding]:
    """It trains policies, on GPUs that Ray reserves CPUs for, or reward models."""
    if config.ppo and config.ppo.engine == "openrlhf":
        return doctor.openrlhf(needed=True, gpus=config.ppo.openrlhf.gpus)
    return doctor.openrlhf(needed=True) if config.reward_models.engine == "openrlhf" else []


def _gpus(number: int, gpu: Gpu) -> Finding:
    planned = f"{number} with {gpu.memory_gb:g} GB each"
    try:
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        printed = ""
    gpus = re.findall(r"^(.*\S)\s*,\s*([\d.]+)\s*$", printed, re.MULTILINE)
    enough = [name for name, mebibytes in gpus if float(mebibytes) * 2**20 >= 0.9 * gpu.memory_gb * 1e9]
    available = ", ".join(f"{name} ({float(mebibytes) / 1024:.0f} GiB)" for name, mebibytes in gpus) or "none"
    remedy = "run it on a machine that has them"
    return Finding("gpus", len(enough) >= number, f"{available}; the plan is for {planned}", remedy)


def _model(name: str) -> Finding:
    if name == EMBEDDED_MODEL:
        return doctor.embedded_model()
    folder = Path(name) if Path(name).is_dir() else cached(name)
    if folder is not None:
        return Finding("model", ok=True, found=f"{name} in {folder}")
    remedy = "the run downloads it if the hub answers (set HF_TOKEN for a licensed one), or give a folder"
    return Finding("model", ok=False, found=f"{name} is neither a folder nor in the hub's cache", remedy=remedy)


def _files(places: Iterable[str]) -> Iterator[Finding]:
    on_hub = [place for place in places if place.startswith(_HUB)]
    for place in (place for place in places if place not in on_hub):
        exists = Path(place).exists()
        yield Finding("data", exists, place if exists else f"{place} does not exist", "put it there: docs/data.md")
    if on_hub:
        address = os.environ.get("HF_ENDPOINT", _HUB_ADDRESS)
        problem = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else _unreachable(address)
        listed = f"{len(on_hub)} data sets on the hub: {', '.join(on_hub)}; {address} " + (problem or "answers")
        yield Finding("data", not problem, listed, "download them and give the files or folders instead: docs/data.md")


def _unreachable(address: str) -> str | None:
    parts = urlsplit(address)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        with socket.create_connection((parts.hostname or "", port), timeout=_ANSWER_S):
            return None
    except (OSError, ValueError) as error:
        return f"does not answer ({error})"


def _disk_space(data: Path, needed: float) -> Finding:
    free = shutil.disk_usage(next(path for path in (data, *data.parents) if path.exists())).free
    compared = f"{data}: {free / 1e9:,.0f} GB free, {needed / 1e9:,.0f} GB needed"
    return Finding("disk space", free >= needed, compared, "set RIGHTTREE_HOME to a folder with more free space")
