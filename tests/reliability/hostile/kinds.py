"""All kinds of hostile input, and the loop that tries them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.reliability.hostile import addresses, folder, settings

Prepare = Callable[[Path], Any]
Attempt = Callable[[Random, Any], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of input: what it is, what has to be there first, how a case is tried, and its share of all cases."""

    title: str
    prepare: Prepare
    attempt: Attempt
    share: float


KINDS: Mapping[str, Kind] = {
    "file": Kind("files to import, mutated", folder.data_folder, folder.upload_file, 0.08),
    "archive": Kind("exported runs, mutated", folder.data_folder, folder.upload_archive, 0.12),
    "upload name": Kind("names of uploads", folder.data_folder, folder.upload_under_name, 0.1),
    "run id": Kind("ids of runs", folder.data_folder, folder.name_run, 0.2),
    "profile": Kind("profiles, mutated", lambda place: place, settings.load_file, 0.25),
    "settings": Kind("settings of a form", lambda place: place, settings.change_settings, 0.15),
    "address": Kind("addresses", addresses.dashboard, addresses.follow_link, 0.1),
}


@dataclass(frozen=True)
class Tried:
    """How many cases of a kind were tried, how many of them accepted, and how long it took."""

    cases: int
    accepted: int
    seconds: float


def fuzz(name: str, place: Path, cases: int, seed: int = 0) -> Tried:
    """Try so many cases of a kind, drawn by the seed. What went wrong is raised with the number of its case."""
    kind = KINDS[name]
    prepared = kind.prepare(place)
    begun, accepted = time.perf_counter(), 0
    for case in range(cases):
        try:
            accepted += kind.attempt(Random(f"{name} {seed} {case}"), prepared)
        except Exception as error:
            error.add_note(f"{name}: case {case} of seed {seed}")
            raise
    return Tried(cases, accepted, time.perf_counter() - begun)
