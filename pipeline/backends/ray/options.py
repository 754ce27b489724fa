"""Which engine makes a run's parts, and what a task asks of a machine: options of the command line, not of the run.

They change no row, so they are no part of a run's settings: a run that Ray began may be resumed without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Self

from pipeline.context import Engine, make_here
from pipeline.errors import InvalidConfig, PipelineError

PARTED = ("train_responses", "features", "reward_models", "test_responses", "scores", "ppo")
"""Stages that are made in parts; the others take seconds and stay where the run was started."""

_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_AMOUNT = re.compile(r"\d{1,5}(\.\d+)?", re.ASCII)
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Resources:
    """What one task asks for; None is the engine's choice. Up to one GPU may be a fraction, above that whole ones."""

    cpus: float | None = None
    gpus: float | None = None
    memory_bytes: int | None = None

    def over(self, others: Resources) -> Resources:
        """These, and where there is none, the others'."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(others, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class EngineOptions:
    """`address`: of a node of the cluster, `host:port`, or `auto`; None: that in RAY_ADDRESS, else this machine alone.

    `storage`: URL by which nodes exchange files that share no folder; None: they share the data folder. `tasks` are as
    on the command line: `gpus=0.5`, `ppo:gpus=1,cpus=4,memory=40G`; later ones replace earlier.
    """

    name: str = "local"
    address: str | None = None
    storage: str | None = None
    tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Raises InvalidConfig for options that do not fit, PipelineError where Ray is not installed."""
        options = cls.given(arguments)
        if options.name == "ray" and importlib.util.find_spec("ray") is None:
            raise PipelineError("--engine ray needs Ray, which is not installed: `pip install 'righttree[ray]'`")
        return options

    @classmethod
    def given(cls, arguments: argparse.Namespace) -> Self:
        """The options, for a run that is not started here. Raises InvalidConfig for those that do not fit."""
        tasks = tuple(arguments.ray_tasks or ())
        options = cls(arguments.engine, arguments.ray_address, arguments.ray_storage, tasks)
        if options.name != "ray":
            if options != HERE:
                raise InvalidConfig("options that begin with --ray are for --engine ray: add it, or leave them out")
            return options
        if options.address and "://" in options.address:
            raise InvalidConfig(
                f"--ray-address {options.address}: give host:port of a node of the cluster, and start the run on one; "
                "from elsewhere, submit it: RIGHTTREE_RAY_JOBS, docs/cluster.md"
            )
        for stage in PARTED:
            options.resources(stage)
        return options

    def arguments(self) -> list[str]:
        """The options for another process's command line."""
        given = [("--ray-address", self.address), ("--ray-storage", self.storage)]
        given += [("--ray-task", task) for task in self.tasks]
        return ["--engine", self.name, *(word for option, value in given if value for word in (option, value))]

    def resources(self, stage: str) -> Resources:
        """What a task of a stage asks for. Raises InvalidConfig for an option that is none."""
        every, own = Resources(), Resources()
        for task in self.tasks:
            name, colon, wanted = task.rpartition(":")
            if colon and name not in PARTED:
                raise InvalidConfig(f"--ray-task {task}: no stage {name!r} is made by tasks; there are {list(PARTED)}")
            if not colon:
                every = _resources(task, wanted).over(every)
            elif name == stage:
                own = _resources(task, wanted).over(own)
        return own.over(every)


_PASSED_ON = ("RIGHTTREE_CACHE", "HF_HOME", "HF_HUB_OFFLINE")


def passed_on() -> dict[str, str]:
    """Of this process's environment, what the processes of a cluster get too: where models are."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


HERE = EngineOptions()
"""The process that works on a run makes its parts, too."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that works on a run."""
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who makes the parts of the heavy stages: this process (default), or tasks of Ray; docs/cluster.md",
    )
    parser.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="a node of the Ray cluster, or auto (default: RAY_ADDRESS, else Ray on this machine alone)",
    )
    parser.add_argument(
        "--ray-storage",
        metavar="URL",
        help="where nodes exchange the run's files if they do not share the data folder: an fsspec URL, s3://… "
        "(default: they share it)",
    )
    parser.add_argument(
        "--ray-task",
        dest="ray_tasks",
        action="append",
        metavar="[STAGE:]WHAT",
        help="what a task asks for: cpus=2,gpus=0.5,memory=8G, of all stages or of one; may be repeated "
        "(default: the profile's threads, or 1, as cpus, and a GPU where the cluster has any)",
    )


@contextmanager
def opened(options: EngineOptions) -> Iterator[Engine]:
    """The engine, as long as it is needed."""
    if options.name == "local":
        yield make_here
        return
    from pipeline.backends.ray.engine import RayEngine

    engine = RayEngine(options)
    try:
        yield engine
    finally:
        engine.close()


def _resources(task: str, wanted: str) -> Resources:
    found = Resources()
    for entry in wanted.split(","):
        name, _, value = entry.partition("=")
        try:
            if name == "memory":
                found = replace(found, memory_bytes=_bytes(value))
            elif name == "cpus":
                found = replace(found, cpus=_amount(value))
            elif name == "gpus":
                found = replace(found, gpus=_amount(value))
            else:
                raise ValueError(f"{name!r} is none of cpus, gpus and memory")
        except ValueError as error:
            raise InvalidConfig(
                f"--ray-task {task}: {error}; write it as cpus=2,gpus=0.5,memory=8G or ppo:gpus=1"
            ) from error
    return found


def _amount(text: str) -> float:
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no amount")
    amount = float(text)
    if amount > 1 and amount != round(amount):
        raise ValueError(f"{text!r}: above one, only whole ones can be had")
    return amount


def _bytes(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no amount of memory")
    return round(float(match[1]) * _BYTES[match[2].upper()])
