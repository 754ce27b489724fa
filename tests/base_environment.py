"""An environment with the base install alone: what pyproject.toml's dependencies bring, and nothing of the extras.

Nothing is downloaded. The packages are links to those of the environment that runs the tests, chosen by following the
declared requirements; so an import that the base install lacks fails here as it does for a user.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def base_requirements() -> list[Requirement]:
    """What the base install depends on, as pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def base_packages(folder: Path) -> Path:
    """Make `folder` a site-packages folder of links to the base dependencies and to all that these depend on."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting, seen = base_requirements(), set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        package = metadata.distribution(requirement.name)
        for name in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (folder / name).exists():
                (folder / name).symlink_to(str(package.locate_file(name)))
        for further in map(Requirement, package.requires or []):
            extras = requirement.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(further)
    return folder


def base_python(folder: Path) -> Path:
    """Make a virtual environment in `folder` with this checkout and its base dependencies; returns its interpreter."""
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = base_packages(folder / "lib" / version / "site-packages")
    (site / "checkout.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def assert_serves_the_dashboard(command: list[str], log: Path, **options: Any) -> None:
    """Start `righttree app` by this command on a free port, wait until the server is well, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as printed:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=printed, stderr=subprocess.STDOUT, **options)
    try:
        deadline = time.monotonic() + 120
        while not is_well(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def is_well(port: int) -> bool:
    """Whether a Streamlit server answers on this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=3) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False
