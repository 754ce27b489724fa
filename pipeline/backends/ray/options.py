"""Options of the command line that choose the engine for a run's parts, and what a task asks of a machine.

They change no row, so they are not among a run's settings: a run that Ray started can be resumed without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pipeline.errors import InvalidConfig, PipelineError

PARTED = ("train_responses", "features", "reward_models", "test_responses", "scores", "ppo")
"""Stages that are made in parts; the others take seconds and run where the run was started."""

_RAY_NAMES = {"cpus": "CPU", "gpus": "GPU", "memory": "memory"}
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_AMOUNT = re.compile(r"\d{1,5}(\.\d+)?", re.ASCII)
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_PASSED_ON = ("RIGHTTREE_CACHE", "HF_HOME", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class EngineOptions:
    """`address`: `host:port` of a node of the cluster, or `auto`; None: RAY_ADDRESS, else Ray on this machine only.

    `storage`: URL through which nodes exchange files if they do not share the data folder. `tasks` are written as on
    the command line: `gpus=0.5`, `ppo:gpus=1,cpus=4,memory=40G`; later ones replace earlier ones.
    """

    name: str = "local"
    address: str | None = None
    storage: str | None = None
    tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Raises InvalidConfig for options that do not fit together, PipelineError if Ray is not installed."""
        options = cls.given(arguments)
        if options.name == "ray" and importlib.util.find_spec("ray") is None:
            raise PipelineError("--engine ray needs Ray, which is not installed: `pip install 'righttree[ray]'`")
        return options

    @classmethod
    def given(cls, arguments: argparse.Namespace) -> Self:
        """The options, for a run that is not started here. Raises InvalidConfig for options that do not fit
        together."""
        tasks = tuple(arguments.ray_tasks or ())
        options = cls(arguments.engine, arguments.ray_address, arguments.ray_storage, tasks)
        if options.name != "ray":
            if options != HERE:
                raise InvalidConfig("options that begin with --ray need --engine ray: add it, or leave them out")
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

    def resources(self, stage: str) -> Mapping[str, float]:
        """What a task of a stage asks for, by Ray's names `CPU`, `GPU` and `memory` (bytes).

        Raises InvalidConfig for an option that is wrong.
        """
        for_all: dict[str, float] = {}
        for_stage: dict[str, float] = {}
        for task in self.tasks:
            name, colon, amounts = task.rpartition(":")
            if colon and name not in PARTED:
                raise InvalidConfig(f"--ray-task {task}: no stage {name!r} is made by tasks; use one of {list(PARTED)}")
            if not colon:
                for_all |= _parse_resources(task, amounts)
            elif name == stage:
                for_stage |= _parse_resources(task, amounts)
        return for_all | for_stage


def passed_on() -> dict[str, str]:
    """Environment variables that the processes of a cluster get too: where models are."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


HERE = EngineOptions()
"""The process that executes the run makes its parts itself."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that executes a run."""
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what makes the parts of the heavy stages: this process (default) or tasks of Ray; see docs/cluster.md",
    )
    parser.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="a node of the Ray cluster, or auto (default: RAY_ADDRESS, else Ray on this machine only)",
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
        help="resources of a task, for all stages or for one: cpus=2,gpus=0.5,memory=8G; may be repeated "
        "(default: as many cpus as the profile's threads, or 1, and a GPU if the cluster has any)",
    )


def _parse_resources(task: str, amounts: str) -> dict[str, float]:
    resources: dict[str, float] = {}
    for entry in amounts.split(","):
        name, _, value = entry.partition("=")
        try:
            if name not in _RAY_NAMES:
                raise ValueError(f"{name!r} is none of cpus, gpus and memory")
            resources[_RAY_NAMES[name]] = _parse_bytes(value) if name == "memory" else _parse_amount(value)
        except ValueError as error:
            raise InvalidConfig(
                f"--ray-task {task}: {error}; write it as cpus=2,gpus=0.5,memory=8G or ppo:gpus=1"
            ) from error
    return resources


def _parse_amount(text: str) -> float:
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no amount")
    amount = float(text)
    if amount > 1 and amount != round(amount):
        raise ValueError(f"{text!r} is above one and not a whole number, which Ray cannot give")
    return amount


def _parse_bytes(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no amount of memory")
    return round(float(match[1]) * _BYTES[match[2].upper()])
