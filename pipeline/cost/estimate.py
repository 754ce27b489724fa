"""Estimates a run's time, memory and disk space by scaling what finished runs needed by the ratio of the costs.

Each stage is scaled from the newest finished run on this machine that executed it: first from runs of the same profile,
then from others, then from the run that comes with the package (`reference.json`, from another machine, which is
named). The seconds before the first unit (loading a model) are constant; those of the units are proportional to the
costs. A reward model trained elsewhere is measured instead.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import runs
from pipeline.config import EMBEDDED_MODEL, AddedRewardModel, Config, validated
from pipeline.cost.costs import Costs, total
from pipeline.cost.counts import counts
from pipeline.cost.model_size import KNOWN, model_size
from pipeline.errors import InvalidSetting, PipelineError
from pipeline.machine import peak_resident_bytes
from pipeline.provenance import host
from pipeline.scoring import added, texts
from warehouse import formats

_MEASURED_TEXTS = 32
"""Most texts that are scored to measure a reward model trained elsewhere."""
_STAGES = ("train_responses", "features", "reward_models", "test_responses", "scores", "best_of_n", "ppo")
"""Stages that take time."""
_FOLDERS = ("features", "reward_models", "ppo", "tables")
_MORE_MEMORY = 1.1
"""Ratio of the computed memory above which a run is said to need more than another; less drowns in the libraries'
own."""


@dataclass(frozen=True)
class Finished:
    """A finished run: its name for a reader, settings, facts of its stages, and the bytes of its folders."""

    name: str
    config: Config
    stages: Mapping[str, Mapping[str, Any]]
    sizes: Callable[[], Mapping[str, int]]


@dataclass(frozen=True)
class Estimate:
    """What a run is likely to need; None where no finished run can tell.

    `memory_is_least`: it needs more memory than the runs it is estimated from. `stages` gives seconds, `sources` the
    names of the runs it is estimated from.
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
    return _scaled(work(config), _disk(config), config, _finished(data, config))


def of_extension(data: Path, run_id: str, config: Config) -> Estimate:
    """What extending a run to these settings will need: only what is missing. Raises UnknownRun or DamagedRun."""
    old = runs.open_run(data, run_id)
    done, missing = work(old.config), _missing(old.config, config)
    missing |= {
        stage: more + (1.0 - _share_done(old, stage)) * done[stage]
        for stage, more in missing.items()
        if stage != "best_of_n"
    }
    return _scaled(missing, _added_bytes(old.config, config), config, _finished(data, config))


def in_place(old: Finished, config: Config) -> Estimate:
    """What extending a finished run to these settings would take where and as it was made."""
    return _scaled(_missing(old.config, config), _added_bytes(old.config, config), config, [old])


def of_new(like: Finished, config: Config) -> Estimate:
    """What a new run of these settings would take where and as another one was made."""
    return _scaled(work(config), _disk(config), config, [like])


def _missing(old: Config, config: Config) -> dict[str, float]:
    """`work` that a finished run lacks; best-of-n is recomputed completely."""
    whole, done = work(config), work(old)
    missing = {stage: max(0.0, whole[stage] - done[stage]) for stage in _STAGES}
    if set(config.reward_models.depths) - set(old.reward_models.depths):
        missing["features"] = whole["features"]
    if set(config.reward_models.plans) - set(old.reward_models.plans):
        again = work(old, by_trunk=True)
        missing = {stage: more + again[stage] for stage, more in missing.items()}
    return missing | {"best_of_n": whole["best_of_n"]}


def _added_bytes(old: Config, config: Config) -> dict[str, float]:
    return {folder: size - _disk(old)[folder] for folder, size in _disk(config).items()}


def text(result: Estimate) -> str:
    """An estimate as the command line prints it."""
    if not result.sources:
        return "unknown: no run with this model, sampler and data has finished here, and none comes with the package"
    stages = (f"  {stage:<16} {seconds:8.0f} s" for stage, seconds in result.stages.items())
    return "\n".join([f"{result.needs}; estimated from {' and '.join(result.sources)}", *stages])


def of_added(data: Path, run_id: str, settings: AddedRewardModel) -> str:
    """Time and memory that an added reward model needs, as `of_scoring` says it for the run's texts.

    Raises UnknownRun, DamagedRun, and what a reward model raises that cannot score.
    """
    run = runs.open_run(data, run_id)
    answers = (texts.answered(run, stage).select("prompt", "text") for stage in ("test_responses", "scores", "ppo"))
    to_score = {*pl.concat(answers).iter_rows(), *texts.of_pairs(run.read("preference").filter(split="validation"))}
    return of_scoring(settings, to_score, run_id)


def of_scoring(settings: AddedRewardModel, to_score: Collection[texts.Text], origin: str) -> str:
    """Time and memory that a reward model needs for distinct texts of a run or of files, and what is read of it.

    Two lines, measured on every k-th text in the order of their lengths. Raises ModelUnavailable or NoScore.
    """
    ordered = sorted(to_score, key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    sample = ordered[:: -(-len(ordered) // _MEASURED_TEXTS)]
    started = time.perf_counter()
    scoring = added.opened(settings)
    scoring.score(sample[:1])
    loading_s = time.perf_counter() - started
    started = time.perf_counter()
    scoring.score(sample)
    text_s = (time.perf_counter() - started) / len(sample)
    return (
        f"about {formats.roughly(loading_s + text_s * len(ordered))}; up to {formats.size(peak_resident_bytes())} of "
        f"memory; {settings.name} scores {len(ordered):,} texts of {origin}\n"
        f"  {text_s:.3f} s a text, measured on {len(sample)} of them; {loading_s:.1f} s until the first; "
        f"{scoring.description}"
    )


def sizes(folder: Path) -> dict[str, int]:
    """Bytes in a run's directory: of each folder in its `work`, by name, and of everything else, `tables`."""
    size_bytes = Counter(tables=0)
    for path in folder.rglob("*"):
        if path.is_file():
            place = path.relative_to(folder).parts
            size_bytes[place[1] if place[0] == "work" else "tables"] += path.stat().st_size
    return size_bytes


@lru_cache(maxsize=64)
def costs_of(config: Config) -> Costs:
    """The costs of a run. A model of unknown size counts as the embedded one: only ratios for one model are used."""
    try:
        size = model_size(config.policy.model)
    except InvalidSetting:
        size = KNOWN[EMBEDDED_MODEL]
    return Costs(config, size, counts(config))


def work(config: Config, *, by_trunk: bool = False) -> dict[str, float]:
    """By stage, what its seconds are proportional to; `by_trunk`: only what is read again for added reward models."""
    costs = costs_of(config)
    amounts = {
        stage: sum(term.at_peak for term in costs.stages.get(stage, ()) if term.by_trunk or not by_trunk)
        for stage in _STAGES
    }
    values = costs.counts.rl_test_texts * len(config.reward_models.plans) ** 2
    return amounts if by_trunk else amounts | {"best_of_n": float(values)}


def _disk(config: Config) -> dict[str, float]:
    """Bytes by folder of the run."""
    terms = costs_of(config).disk
    return {folder: total([term for term in terms if term.folder == folder]) for folder in _FOLDERS}


def _memory(config: Config, stage: str) -> float:
    return total(costs_of(config).memory.get(stage, ()))


def _scaled(amounts: Mapping[str, float], disk: Mapping[str, float], config: Config, known: list[Finished]) -> Estimate:
    seconds, used, peaks, least = {}, [], [0], False
    for stage, amount in amounts.items():
        if not amount:
            seconds[stage] = 0.0
            continue
        # processes that share cores gain nothing, those with a GPU each do: only a run with as many tells the time
        processes = config.reward_models.processes if stage == "reward_models" else None
        comparable = (run for run in known if processes in (None, run.config.reward_models.processes))
        source = next((run for run in comparable if _seconds_per_work(run, stage)), None)
        if source is None:
            continue
        facts = source.stages[stage]
        attempt_s = facts["wall_s"] - facts.get("earlier_s", 0.0)
        before_s = attempt_s - facts.get("work_s", attempt_s)
        seconds[stage] = before_s + amount * _seconds_per_work(source, stage)
        used.append(source)
        peaks.append(facts["peak_resident_bytes"])
        least |= _memory(config, stage) > _MORE_MEMORY * _memory(source.config, stage)
    return Estimate(
        wall_s=sum(seconds.values()) if len(seconds) == len(amounts) else None,
        memory_bytes=max(peaks) or None,
        memory_is_least=least,
        disk_bytes=_disk_bytes(disk, used),
        stages=seconds,
        sources=tuple(dict.fromkeys(run.name for run in used)),
    )


def _seconds_per_work(run: Finished, stage: str) -> float:
    """Seconds that a stage took per unit of `work`; 0 if the run did none of it, or did it on several machines."""
    facts = run.stages.get(stage)
    if not facts or facts.get("engine", "local") != "local":
        return 0.0
    units = facts.get("units", 0)
    done = work(run.config)[stage] * (facts.get("made", units) / units if units else 0.0)
    return float(facts.get("work_s", facts["wall_s"]) / done) if done else 0.0


def _disk_bytes(disk: Mapping[str, float], used: list[Finished]) -> int | None:
    needed = 0.0
    for folder, amount in disk.items():
        if not amount:
            continue
        source = next((run for run in used if _disk(run.config)[folder] and folder in run.sizes()), None)
        if source is None:
            return None
        needed += amount * source.sizes()[folder] / _disk(source.config)[folder]
    return round(needed)


def _finished(data: Path, config: Config) -> list[Finished]:
    """Comparable finished runs: of the same profile, of others, each the newest first; then the package's."""

    def speed_facts(config: Config) -> tuple[object, ...]:
        engine = config.ppo.engine if config.ppo else "in_process"
        return config.policy.model, config.policy.sampler, config.prompts.files, config.preferences.files, engine

    here = sorted(_of_this_machine(data), key=lambda run: run.config.profile != config.profile)  # stable: newest first
    return [run for run in (*here, reference()) if speed_facts(run.config) == speed_facts(config)]


def _of_this_machine(data: Path) -> Iterator[Finished]:
    machine = host()
    for run_id in runs.run_ids(data):
        try:
            run = runs.open_run(data, run_id)
            manifest = run.manifest() or {}
        except PipelineError:
            continue
        if all(manifest.get("host", {}).get(fact) == machine[fact] for fact in ("processor", "cores")):
            yield Finished(f"run {run_id}", run.config, manifest.get("stages", {}), cache(partial(sizes, run.path)))


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
    progress = next((shown for shown in run.progress().stages if shown.name == stage and shown.total), None)
    return min(1.0, progress.done / progress.total) if progress else 0.0
