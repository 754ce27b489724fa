"""What a run's figures depend on: the versions of the code and of packages, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("righttree", "torch", "transformers", "numpy", "scipy", "polars", "duckdb", "safetensors", "gguf")


def code_version() -> str:
    """The git commit of the code, with `+dirty` if files differ from it; the package's version outside a checkout."""
    folder = Path(__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # fails if installed inside another checkout
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return metadata.version("righttree")


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages; the base install has no torch."""
    installed = {package.name for package in metadata.distributions()}
    versions = {name: metadata.version(name) for name in _PACKAGES if name in installed}
    return {"python": platform.python_version(), **versions}


def host() -> dict[str, Any]:
    """Operating system, processor, cores and memory, but no name of the machine or its user."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
