"""Estimates a run's time, memory and disk space by scaling its costs with what finished runs needed for theirs.

Each stage is scaled from the newest finished run on this machine that did it: first from runs of the same profile, then
from others, then from the run that comes with the package (`reference.json`, on another machine, which is named). A
stage's seconds are those before its first unit (loading a model), and those of its units, which grow as its costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.config import EMBEDDED_MODEL, Config, validated
from pipeline.errors import InvalidSetting, PipelineError
from pipeline.plan.costs import Costs, total
from pipeline.plan.counts import counts
from pipeline.plan.model_size import KNOWN, model_size
from pipeline.provenance import host
from warehouse import formats

_STAGES = ("train_responses", "features", "reward_models", "test_responses", "scores", "best_of_n", "ppo")
"""Stages that take time."""
_MORE_MEMORY = 1.1
"""A run needs more memory than another one if its costs say so by this factor; less is lost in the libraries' own."""


@dataclass(frozen=True)
class Load:
    """Costs to scale, in any unit: work and memory by stage, disk space by folder; `by_trunk` is part of `work`."""

    work: Mapping[str, float]
    by_trunk: Mapping[str, float]
    memory: Mapping[str, float]
    disk: Mapping[str, float]


@dataclass(frozen=True)
class Finished:
    """A finished run: its name for a reader, settings, facts of its stages, and bytes of its folders."""

    name: str
    config: Config
    stages: Mapping[str, Mapping[str, Any]]
    sizes: Callable[[], Mapping[str, int]]


@dataclass(frozen=True)
class Estimate:
    """What a run is likely to need; None where no finished run tells.

    `memory_is_least`: it needs more memory than the runs it is estimated from. `stages` are the seconds of each.
    `sources` name the runs it is estimated from.
    """

    wall_s: float | None
    memory_bytes: int | None
    memory_is_least: bool
    disk_bytes: int | None
    stages: Mapping[str, float]
    sources: tuple[str, ...]

    @property
    def needs(self) -> str:
        """`about 17 min; up to 2.0 GiB of memory; 5 MiB of disk space`."""
        time = "time unknown" if self.wall_s is None else f"about {formats.roughly(self.wall_s)}"
        most = "at least" if self.memory_is_least else "up to"
        disk = "disk space unknown" if self.disk_bytes is None else f"{formats.size(self.disk_bytes)} of disk space"
        return f"{time}; {most} {formats.size(self.memory_bytes or 0)} of memory; {disk}"


def estimate(data: Path, config: Config) -> Estimate:
    """What a new run of these settings will need."""
    load = load_of(config)
    return _scaled(load.work, load.disk, config, _finished(data, config))


def of_extension(data: Path, run_id: str, config: Config) -> Estimate:
    """What extending a run to these settings will need: only what it lacks. Raises UnknownRun or DamagedRun."""
    old = runs.open_run(data, run_id)
    whole, done = load_of(config), load_of(old.config)
    work = {stage: max(0.0, whole.work[stage] - done.work[stage]) for stage in _STAGES}
    if set(config.reward_models.depths) - set(old.config.reward_models.depths):
        work["features"] = whole.work["features"]
    if set(config.reward_models.plans) - set(old.config.reward_models.plans):
        work = {stage: more + done.by_trunk[stage] for stage, more in work.items()}
    work = {stage: more + (1.0 - _share_done(old, stage)) * done.work[stage] for stage, more in work.items()}
    work["best_of_n"] = whole.work["best_of_n"]  # is computed again as a whole
    disk = {folder: whole.disk[folder] - done.disk.get(folder, 0.0) for folder in whole.disk}
    return _scaled(work, disk, config, _finished(data, config))


def text(found: Estimate) -> str:
    """An estimate as the command line prints it."""
    if not found.sources:
        return "unknown: no run with this model, sampler and data has finished here, and none comes with the package"
    stages = (f"  {stage:<16} {seconds:8.0f} s" for stage, seconds in found.stages.items())
    return "\n".join([f"{found.needs}; estimated from {' and '.join(found.sources)}", *stages])


def sizes(folder: Path) -> dict[str, int]:
    """Bytes in a run's directory: of each folder in its `work`, by name, and of everything else, `tables`."""
    found: dict[str, int] = {"tables": 0}
    for path in folder.rglob("*"):
        if path.is_file():
            place = path.relative_to(folder).parts
            name = place[1] if place[0] == "work" else "tables"
            found[name] = found.get(name, 0) + path.stat().st_size
    return found


@lru_cache(maxsize=64)
def load_of(config: Config) -> Load:
    """The costs of a run. A model of unknown size is taken for the embedded one: only ratios within a model count."""
    try:
        size = model_size(config.policy.model)
    except InvalidSetting:
        size = KNOWN[EMBEDDED_MODEL]
    costs = Costs(config, size, counts(config))
    trunk = {stage.name: sum(term.at_peak for term in stage.terms if term.by_trunk) for stage in costs.stages}
    values = costs.counts.prompts["rl_test"] * config.test.rl_test_samples * len(config.reward_models.plans) ** 2
    disk: dict[str, float] = {}
    for term in costs.disk:
        if term.folder:
            disk[term.folder] = disk.get(term.folder, 0.0) + term.size.value
    return Load(
        work=dict.fromkeys(_STAGES, 0.0) | {s.name: s.at_peak for s in costs.stages} | {"best_of_n": float(values)},
        by_trunk=dict.fromkeys(_STAGES, 0.0) | trunk,
        memory={stage: total(terms) for stage, terms in costs.memory.items()},
        disk=disk,
    )


def _scaled(work: Mapping[str, float], disk: Mapping[str, float], config: Config, known: list[Finished]) -> Estimate:
    seconds, used, peaks, least = {}, [], [0], False
    for stage, amount in work.items():
        if not amount:
            seconds[stage] = 0.0
            continue
        comparable = (run for run in known if _same_processes(stage, config, run.config))
        source = next((run for run in comparable if _seconds_per_work(run, stage)), None)
        if source is None:
            continue
        facts = source.stages[stage]
        attempt_s = facts["wall_s"] - facts.get("earlier_s", 0.0)
        before_s = attempt_s - facts.get("work_s", attempt_s)
        seconds[stage] = before_s + amount * _seconds_per_work(source, stage)
        used.append(source)
        peaks.append(facts["peak_resident_bytes"])
        memory = load_of(config).memory.get(stage, 0.0)
        least |= memory > _MORE_MEMORY * load_of(source.config).memory.get(stage, memory)
    return Estimate(
        wall_s=sum(seconds.values()) if len(seconds) == len(work) else None,
        memory_bytes=max(peaks) or None,
        memory_is_least=least,
        disk_bytes=_disk_bytes(disk, used),
        stages=seconds,
        sources=tuple(dict.fromkeys(run.name for run in used)),
    )


def _seconds_per_work(run: Finished, stage: str) -> float:
    """Seconds that a stage took per work; 0 where the run did none of it, or did it on several machines."""
    facts = run.stages.get(stage)
    if not facts or facts.get("engine", "local") != "local":
        return 0.0
    units = facts.get("units", 0)
    done = load_of(run.config).work[stage] * (facts.get("made", units) / units if units else 0.0)
    return float(facts.get("work_s", facts["wall_s"]) / done) if done else 0.0


def _disk_bytes(disk: Mapping[str, float], used: list[Finished]) -> int | None:
    needed = 0.0
    for folder, amount in disk.items():
        if not amount:
            continue
        source = next((run for run in used if load_of(run.config).disk.get(folder) and folder in run.sizes()), None)
        if source is None:
            return None
        needed += amount * source.sizes()[folder] / load_of(source.config).disk[folder]
    return round(needed)


def _finished(data: Path, config: Config) -> list[Finished]:
    """Comparable finished runs: of the same profile, of others, each the newest first; then the package's."""
    here = [run for run in _of_this_machine(data) if _alike(config, run.config)]
    here.sort(key=lambda run: run.config.profile != config.profile)  # stable: the newest stays first
    return [*here, *(run for run in [reference()] if _alike(config, run.config))]


def _alike(config: Config, other: Config) -> bool:
    """Whether two runs have the same model, sampler, engine and data, so that one tells how fast the other is."""

    def facts(config: Config) -> tuple[object, ...]:
        engine = config.ppo.engine if config.ppo else "in_process"
        return config.policy.model, config.policy.sampler, config.prompts.files, config.preferences.files, engine

    return facts(config) == facts(other)


def _same_processes(stage: str, config: Config, other: Config) -> bool:
    """Processes that share cores gain nothing, those with a GPU each do: only a run with as many tells the time."""
    return stage != "reward_models" or config.reward_models.processes == other.reward_models.processes


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
    """How much of a stage a run has done, 0 to 1."""
    if run.is_done(stage):
        return 1.0
    shown = {state["name"]: state for state in run.progress().get("stages", [])}.get(stage, {})
    return min(1.0, shown["done"] / shown["total"]) if shown.get("total") else 0.0
