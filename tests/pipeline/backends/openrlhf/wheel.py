"""OpenRLHF's own code, taken out of its wheel: some of it runs without the packages that OpenRLHF asks for."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from transformers import AutoConfig, AutoModel

from pipeline.backends.openrlhf.launch import VERSION

WHEEL_SHA256 = "c969d70db03a70724c3d8a5a01186c6e0728bce624fb3dff95e39b5396acefa6"
"""Of the wheel whose code is executed."""


def openrlhf_wheel(folder: Path) -> Path:
    """The wheel, fetched into a folder; the test is skipped where it is not to be had."""
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux1_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--retries", "1", "--timeout", "20", *options]
    try:
        subprocess.run(
            [*command, "--dest", str(folder), f"openrlhf=={VERSION}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"OpenRLHF's wheel is not to be had: {error.stderr.strip().splitlines()[-1:]}")
    except subprocess.TimeoutExpired:
        pytest.skip("OpenRLHF's wheel is not to be had: no answer in two minutes")
    (wheel,) = folder.glob("*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == WHEEL_SHA256
    return wheel


def source_of(wheel: Path, module: str) -> str:
    """The source of one of its modules, by its dotted name."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(f"{module.replace('.', '/')}.py"))
        return archive.read(name).decode()


def reward_model_class(wheel: Path) -> Callable[[Path, str], Any]:
    """What loads a folder with OpenRLHF's reward model, given the head's name, as its loader does but for the GPU.

    The class is OpenRLHF's own function `_get_reward_model`; the lines around it are those of
    `get_llm_for_sequence_regression`, with float32 and eager attention in the place of bfloat16 and flash-attention.
    """
    tree = ast.parse(source_of(wheel, "openrlhf.models.model"))
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_get_reward_model")
    names: dict[str, Any] = {"torch": torch, "nn": torch.nn, "AutoConfig": AutoConfig, "Optional": Optional}
    exec(compile(ast.Module([function], type_ignores=[]), "openrlhf/models/model.py", "exec"), names)

    def load(folder: Path, head: str) -> Any:
        config: Any = AutoConfig.from_pretrained(folder)
        config.normalize_reward = False
        base: Any = AutoModel._model_mapping[type(config)]  # type: ignore[attr-defined]
        made = names["_get_reward_model"](base.__base__, base, getattr(config, "value_head_prefix", head), False)
        options = {"dtype": torch.float32, "attn_implementation": "eager", "output_loading_info": True}
        model, found = made.from_pretrained(folder, config=config, **options)
        assert not found["missing_keys"]
        assert not found["unexpected_keys"]
        return model.eval()

    return load
