"""The machine that figures are measured on: what it is, how fast its disk takes bytes, whether others worked on it."""

from __future__ import annotations

import os
import platform
import re
import resource
import time
from datetime import date
from pathlib import Path

import duckdb

_SHARED = 0.05


def processor() -> str:
    """Kind of processor and number of cores as a file name, e.g. `amd-epyc-2-cores`."""
    return re.sub(r"[^a-z0-9]+", "-", f"{_model()} {os.cpu_count()} cores".lower()).strip("-")


def described() -> str:
    """Processor, cores, memory and the versions that matter, on one line."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{_model()}, {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {date.today()}"
    )


def write_rate(folder: Path, size_bytes: int = 2**30) -> float:
    """Bytes per second of a large file, synced."""
    block, path = os.urandom(2**24), folder / "write-rate"
    begun = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(size_bytes // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begun
    path.unlink()
    return size_bytes / seconds


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


class Others:
    """How much of the cores work took that is not of this process or its children."""

    def __init__(self) -> None:
        self._begun = time.monotonic(), _busy_s(), _own_s()

    def share(self) -> float:
        """Of all cores, since this was made; children count once they have ended."""
        begun, busy_s, own_s = self._begun
        others_s = _busy_s() - busy_s - (_own_s() - own_s)
        return max(0.0, others_s / ((time.monotonic() - begun) * (os.cpu_count() or 1)))

    def line(self) -> str:
        share = self.share()
        if share < _SHARED:
            return f"Other work took {share:.0%} of the cores meanwhile."
        return f"**Shared machine**: other work took {share:.0%} of the cores; to be measured again on an idle one."


def _busy_s() -> float:
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
