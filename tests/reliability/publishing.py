"""Reader processes in a loop, while publishes replace the warehouse under them.

Every build holds two runs, both of one version: the number of the publish is in the run's row and in every score. A
read opens what is published, reads both runs twice, and has to see one version everywhere.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store

READERS, PUBLISHES = 8, 20
_RUNS = ("left", "right")
_SAMPLES = 60
_PATIENCE_S = 120.0


@dataclass
class Reads:
    """What one reader process saw: seconds of each read, versions, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """All readers' reads, seconds of each publish, and the names of what is in the data folder in the end."""

    readers: tuple[Reads, ...]
    publish_s: tuple[float, ...]
    files: frozenset[str]
    build: str

    @property
    def failures(self) -> list[str]:
        return [failure for reader in self.readers for failure in reader.failures]

    @property
    def reads(self) -> int:
        return sum(len(reader.seconds) for reader in self.readers)

    @property
    def versions(self) -> set[int]:
        return set().union(*(reader.versions for reader in self.readers))

    @property
    def line(self) -> str:
        """What the document says of it."""
        times = sorted(second for reader in self.readers for second in reader.seconds)
        return (
            f"{len(self.readers)} reader processes, {len(self.publish_s)} publishes: {self.reads:,} reads, "
            f"{len(self.failures)} failed or mixed; a read took {1000 * statistics.median(times):.0f} ms (median), "
            f"{1000 * times[int(0.99 * (len(times) - 1))]:.0f} ms (99th percentile), a publish "
            f"{1000 * statistics.median(self.publish_s):.0f} ms."
        )


def publish(data: Path, version: int) -> float:
    """Publish both runs in a version; returns the seconds that it took."""
    runs = [tiny_run(name, float(version), _SAMPLES) for name in _RUNS]
    rows = {table: pl.concat([run[table] for run in runs]) for table in runs[0]}
    rows["run"] = rows["run"].with_columns(seed=pl.lit(version))
    begun = time.perf_counter()
    ingest.publish(data, rows, f"version {version}")
    return time.perf_counter() - begun


def seen(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """The versions that a connection shows: one, unless builds were mixed."""
    found = set(reads.runs.all_runs(connection)["seed"].to_list())
    for run_id in _RUNS:
        scores_MPR = reads.scores.score_cube(connection, run_id).scores_MPR
        # the first reward model's scores are version · index of the response
        found |= set((scores_MPR[0, 0, 1:] / np.arange(1, scores_MPR.shape[2])).tolist())
    return found


def read(data: Path, stop: Path, ready: Path) -> Reads:
    """Read until the file `stop` is there; `ready` is made after the first read."""
    os.nice(5)  # there are more readers than cores: publishing is to get on all the same
    done = Reads()
    while not stop.exists():
        begun = time.perf_counter()
        try:
            with store.open_read_only(data) as connection:
                versions = seen(connection) | seen(connection)
            if len(versions) != 1:
                done.failures.append(f"mixed: {sorted(versions)}")
            done.versions |= {int(version) for version in versions}
        except Exception as error:
            done.failures.append(f"{type(error).__name__}: {error}")
        done.seconds.append(time.perf_counter() - begun)
        ready.touch()
    return done


def read_while_publishing(place: Path, readers: int, publishes: int) -> Found:
    """Publish so many times under so many reader processes, all of which have read before the first."""
    data, stop = place / "home", place / "stop"
    publish(data, 0)
    ready = [place / f"ready-{number}" for number in range(readers)]
    command = [sys.executable, "-m", "tests.reliability.publishing", str(data), str(stop)]
    processes = [subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE) for file in ready]
    try:
        _wait(lambda: all(file.exists() for file in ready))
        publish_s = tuple(publish(data, version) for version in range(1, publishes + 1))
    finally:
        stop.touch()
    told = [json.loads(process.communicate()[0]) for process in processes]
    found = tuple(Reads(one["seconds"], set(one["versions"]), one["failures"]) for one in told)
    return Found(found, publish_s, frozenset(path.name for path in data.iterdir()), str(store.build_id(data)))


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "a reader did not begin to read"
        time.sleep(0.05)


def leftovers(found: Found) -> set[str]:
    """What is in the data folder beside the link, the lock, the published build and the one before it."""
    builds = sorted(name for name in found.files if name.startswith("warehouse-"))
    return set(found.files) - {store.LINK, ".publish.lock", found.build, *builds[-2:]}


if __name__ == "__main__":
    mine = read(*map(Path, sys.argv[1:]))
    print(json.dumps({"seconds": mine.seconds, "versions": sorted(mine.versions), "failures": mine.failures}))
