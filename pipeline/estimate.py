"""What a run will take, before it is started: time, memory and disk, scaled stage by stage from finished runs.

From the newest finished run on this machine: of the same profile if there is one, else of another one; a stage that it
did not have to do, from the next. Without any, from a run on another machine, `reference.json`, which is named as such.
A stage's seconds are those before its first unit (loading a model) and those of its units, which grow as
`workload.work`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline import runs, workload
from pipeline.config import Config, validated
from pipeline.errors import PipelineError
from pipeline.provenance import host


@dataclass(frozen=True)
class Finished:
    """A finished run as an estimate sees it: what it is called, settings, stages, and bytes of its folders."""

    name: str
    config: Config
    stages: Mapping[str, Mapping[str, Any]]
    sizes: Callable[[], Mapping[str, int]]


@dataclass(frozen=True)
class Estimate:
    """What a run is likely to take; None where no run tells.

    `memory_is_least`: its batches are larger than those of the runs it is judged by, so that it takes more. `stages`
    are the seconds of each. `sources` name the runs it is judged by.
    """

    wall_s: float | None
    memory_bytes: int | None
    memory_is_least: bool
    disk_bytes: int | None
    stages: Mapping[str, float]
    sources: tuple[str, ...]


def estimate(data: Path, config: Config) -> Estimate:
    """What a new run of these settings will take."""
    return _scaled(workload.work(config), workload.disk(config), config, _finished(data, config))


def of_extension(data: Path, run_id: str, config: Config) -> Estimate:
    """What extending a run to these settings will take: only what it lacks. Raises UnknownRun or DamagedRun."""
    old = runs.open_run(data, run_id)
    work = workload.work(config, old.config)
    for stage, whole in workload.work(old.config).items():
        work[stage] += (1.0 - _share_done(old, stage)) * whole
    work["best_of_n"] = workload.work(config)["best_of_n"]
    return _scaled(work, workload.disk(config, old.config), config, _finished(data, config))


def text(found: Estimate) -> str:
    """An estimate as the command line says it."""
    if not found.sources:
        return "not known: no run of this model, sampler and data has finished here, nor does one come with the package"
    time = "time not known" if found.wall_s is None else f"about {duration(found.wall_s)}"
    memory = f"{'at least' if found.memory_is_least else 'up to'} {(found.memory_bytes or 0) / 1e9:.1f} GB of memory"
    disk = "disk not known" if found.disk_bytes is None else f"about {found.disk_bytes / 1e6:,.0f} MB on the disk"
    lines = [f"{time}, {memory}, {disk}; judged by {' and '.join(found.sources)}"]
    return "\n".join([*lines, *(f"  {stage:<16} {seconds:8.0f} s" for stage, seconds in found.stages.items())])


def duration(seconds: float) -> str:
    """Seconds in a reader's unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of a run's directory: of the folders in its work folder, by name, and of all else, `tables`."""
    found: dict[str, int] = {"tables": 0}
    for path in folder.rglob("*"):
        if path.is_file():
            place = path.relative_to(folder).parts
            name = place[1] if place[0] == "work" else "tables"
            found[name] = found.get(name, 0) + path.stat().st_size
    return found


def _scaled(work: Mapping[str, float], disk: Mapping[str, float], config: Config, known: list[Finished]) -> Estimate:
    seconds, used, peaks, least = {}, [], [0], False
    for stage, wanted in work.items():
        if not wanted:
            seconds[stage] = 0.0
            continue
        telling = (one for one in known if workload.tells_of(stage, config, one.config))
        source = next((one for one in telling if _rate(one, stage)), None)
        if source is None:
            continue
        facts, batch = source.stages[stage], workload.batches(config).get(stage, 0)
        attempt_s = facts["wall_s"] - facts.get("earlier_s", 0.0)
        before = attempt_s - facts.get("work_s", attempt_s)
        seconds[stage] = before + wanted * _rate(source, stage)
        used.append(source)
        peaks.append(facts["peak_resident_bytes"])
        least |= batch > workload.batches(source.config).get(stage, 0)
    whole = len(seconds) == len(work)
    return Estimate(
        wall_s=sum(seconds.values()) if whole else None,
        memory_bytes=max(peaks) or None,
        memory_is_least=least,
        disk_bytes=_bytes(disk, used),
        stages=seconds,
        sources=tuple(dict.fromkeys(one.name for one in used)),
    )


def _rate(run: Finished, stage: str) -> float:
    """Seconds per work of a stage; 0 where the run did not do it, or not on one machine."""
    facts = run.stages.get(stage)
    if facts and facts.get("engine", "local") != "local":
        return 0.0
    units = facts.get("units", 0) if facts else 0
    share = facts.get("made", units) / units if facts and units else 0.0
    whole = workload.work(run.config)[stage]
    return facts.get("work_s", facts["wall_s"]) / (whole * share) if facts and whole and share else 0.0


def _bytes(disk: Mapping[str, float], used: list[Finished]) -> int | None:
    total = 0.0
    for name, wanted in disk.items():
        if not wanted:
            continue
        source = next((one for one in used if workload.disk(one.config)[name] and name in one.sizes()), None)
        if source is None:
            return None
        total += wanted * source.sizes()[name] / workload.disk(source.config)[name]
    return round(total)


def _finished(data: Path, config: Config) -> list[Finished]:
    """Finished runs that can be compared: of the same profile, of others, each the newest first; the package's."""
    here = [run for run in _of_this_machine(data) if workload.comparable(config, run.config)]
    here.sort(key=lambda run: run.config.profile != config.profile)  # stable: the newest stays first
    return [*here, *(run for run in [reference()] if workload.comparable(config, run.config))]


def _of_this_machine(data: Path) -> Iterator[Finished]:
    machine = _machine(host())
    for run_id in runs.run_ids(data):
        try:
            run = runs.open_run(data, run_id)
        except PipelineError:
            continue
        manifest = run.manifest()
        if manifest is not None and _machine(manifest["host"]) == machine:
            yield Finished(f"run {run_id}", run.config, manifest["stages"], cache(partial(sizes, run.path)))


def _machine(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    return facts.get("processor"), facts.get("cores")


def reference() -> Finished:
    """The run that comes with the package, named with its machine."""
    facts = json.loads((resources.files("pipeline") / "reference.json").read_text(encoding="utf-8"))
    machine = f"{facts['host']['processor']}, {facts['host']['cores']} cores"
    config = validated(facts["config"], "reference.json")
    name = f"a run of {config.profile} on another machine ({machine}, {facts['finished_at'][:10]})"
    return Finished(name, config, facts["stages"], lambda: facts["sizes"])


def _share_done(run: runs.RunDirectory, stage: str) -> float:
    """How much of a stage a run has made."""
    if run.is_done(stage):
        return 1.0
    shown = {state["name"]: state for state in run.progress().get("stages", [])}.get(stage, {})
    return min(1.0, shown["done"] / shown["total"]) if shown.get("total") else 0.0
