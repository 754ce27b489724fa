"""Where a run's figures come from is read off the code, packages and machine at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from pipeline import provenance


def test_in_a_checkout_the_commit_is_named() -> None:
    here = Path(provenance.__file__).parent
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, check=False).returncode:
        pytest.skip("this is no checkout that git reads")
    assert re.fullmatch(r"[0-9a-f]{40}(\+dirty)?", provenance.code_version())


def test_installed_inside_another_checkout_the_package_s_version_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    installed = tmp_path / ".venv" / "provenance.py"
    installed.parent.mkdir()
    shutil.copy(provenance.__file__, installed)
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.code_version() == metadata.version("righttree")


def test_packages_and_machine_are_described_without_its_name() -> None:
    assert {"python", "torch", "duckdb"} <= set(provenance.package_versions())
    host = provenance.host()
    assert host["cores"] == os.cpu_count()
    assert host["memory_bytes"] > 2**30
    assert os.uname().nodename not in (host["processor"], host["system"])
