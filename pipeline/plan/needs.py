"""What a run of these settings needs of this machine, each looked at; nothing is fetched or loaded."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import doctor
from pipeline.config import EMBEDDED_MODEL, Config
from pipeline.doctor import Finding
from pipeline.errors import ModelUnavailable
from pipeline.openrlhf import VERSION
from pipeline.openrlhf_launch import launch
from pipeline.plan.assumptions import Assumptions
from pipeline.plan.model_size import cached

_HUB = "hf://"
_HUB_ADDRESS = "https://huggingface.co"
_ANSWER_S = 3.0


def needs(data: Path, config: Config, assumed: Assumptions, disk_bytes: float) -> list[Finding]:
    """Findings on GPUs, packages, the model, files of data, and room."""
    return [
        _gpus(assumed),
        *doctor.packages(),
        *([doctor.vllm(needed=True)] if config.policy.sampler == "vllm" else []),
        *_openrlhf(config),
        *([doctor.package("ray", "`pip install 'righttree[ray]'`")] if assumed.ray else []),
        _model(config.policy.model),
        *_files((*config.prompts.files, *config.preferences.files)),
        _room(data, disk_bytes),
    ]


def _gpus(assumed: Assumptions) -> Finding:
    wanted = f"{assumed.gpus} with {assumed.gpu.memory_gb:g} GB each"
    try:
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
        there = [line.rsplit(",", 1) for line in said.splitlines() if "," in line]
    except (OSError, subprocess.SubprocessError):
        there = []
    enough = [name for name, mebibytes in there if _number(mebibytes) * 2**20 >= 0.9 * assumed.gpu.memory_gb * 1e9]
    found = ", ".join(f"{name.strip()} ({_number(size) / 1024:.0f} GiB)" for name, size in there) or "none"
    return Finding("gpus", len(enough) >= assumed.gpus, f"{found}; the plan is for {wanted}", "run it where they are")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _openrlhf(config: Config) -> Iterator[Finding]:
    if config.ppo is None or config.ppo.engine != "openrlhf":
        return
    try:
        found = launch()
        yield Finding("openrlhf", True, f"{VERSION} in {found.python}")
    except ModelUnavailable as error:
        said, _, remedy = str(error).rpartition("; ")
        yield Finding("openrlhf", False, said, remedy)


def _model(name: str) -> Finding:
    if name == EMBEDDED_MODEL:
        return doctor.embedded_model()
    folder = Path(name) if Path(name).is_dir() else cached(name)
    if folder is not None:
        return Finding("model", True, f"{name} in {folder}")
    remedy = "the run fetches it where the hub answers (HF_TOKEN, where a licence is to be accepted); or give a folder"
    return Finding("model", False, f"{name} is no folder, nor in the hub's cache", remedy)


def _files(places: Iterable[str]) -> Iterator[Finding]:
    of_hub = [place for place in places if place.startswith(_HUB)]
    for place in places:
        if place not in of_hub:
            there = Path(place).exists()
            yield Finding("data", there, place if there else f"{place} is not there", "put it there: docs/data.md")
    if of_hub:
        address = os.environ.get("HF_ENDPOINT", _HUB_ADDRESS)
        wrong = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else _unreachable(address)
        found = f"{len(of_hub)} data sets of the hub: {', '.join(of_hub)}; {address} " + (wrong or "answers")
        yield Finding("data", not wrong, found, "download them, and give files or folders in their place: docs/data.md")


def _unreachable(address: str) -> str | None:
    parts = urlsplit(address)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        with socket.create_connection((parts.hostname or "", port), timeout=_ANSWER_S):
            return None
    except (OSError, ValueError) as error:
        return f"does not answer ({error})"


def _room(data: Path, wanted: float) -> Finding:
    there = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{data}, {free / 1e9:,.0f} GB free of {wanted / 1e9:,.0f} GB wanted"
    return Finding("room", free >= wanted, found, "set RIGHTTREE_HOME to a folder with room")
