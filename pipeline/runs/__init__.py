"""The folder of all runs: create, open, list and remove them. What has no marker does not exist; the manifest is last.

```
runs/<run_id>/config.json            the validated profile, written when the run is created
             /created.json           when that was
             /<table>/<stage>-<unit>.parquet   parts, each written to a temporary name, synced and renamed
             /parts.sha256           a checksum of every part
             /work/…                 what stages store for later ones: features, weights
             /stages/<stage>.json    a stage's marker: the stage is done
             /manifest.json          the run is finished
             /retry.json             policies to train again
             /ray-job.json           the cluster job that works on it
             /progress.json, log.txt, error.txt, console.txt   for people and the dashboard
             /.lock                  the lock of the process that works on it
     /.turn                          the lock of the run that is executing
     /.drafts                        the lock of whoever writes here under a temporary name
```
Of imported and derived runs only the results are stored, in folders without `config.json` (`results.py`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.config import Config, validated
from pipeline.errors import DamagedRun, InvalidConfig, ResultsOnly, UnknownRun, write_errors
from pipeline.runs import locks, records
from pipeline.runs.directory import RunDirectory
from warehouse import files, reads, store
from warehouse.errors import WarehouseError

_PLAIN = re.compile(r"[a-zA-Z0-9][\w.-]{0,99}", re.ASCII)
_REMOVED = f"{files.TEMPORARY}removed-"


def runs_folder(data: Path) -> Path:
    return data / "runs"


def create(
    data: Path, config: Config, run_id: str | None = None, fill: Callable[[Path], object] = lambda _: None
) -> RunDirectory:
    """A new run directory with its config and what `fill` writes into it.

    Raises InvalidConfig for an id that exists or is not a valid name.
    """
    if run_id is None:
        run_id = f"{config.profile}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    check_id(run_id)
    path = runs_folder(data) / run_id
    if path.exists():
        raise InvalidConfig(f"run {run_id!r} exists already; continue it with `righttree resume {run_id}`")
    created = moment(data)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locks.drafting(path.parent), files.replacing(path, sync=False) as draft:
            draft.mkdir()
            (draft / "config.json").write_text(config.model_dump_json(indent=2) + "\n")
            (draft / "created.json").write_text(json.dumps({"created_at": created}) + "\n")
            fill(draft)
    return RunDirectory(path, config)


def remove(path: Path) -> None:
    """Remove a run's directory, which the caller holds. Raises NotWritten.

    A kill leaves a folder that is no run, which whoever writes here next deletes.
    """
    removed = path.with_name(f"{_REMOVED}{path.name}-{secrets.token_hex(2)}")
    with locks.drafting(path.parent):
        with write_errors(path):
            path.rename(removed)
        with write_errors(path.parent):
            shutil.rmtree(removed)


def check_id(run_id: str) -> None:
    """Raise InvalidConfig for a run id that is not a valid folder name."""
    if not _PLAIN.fullmatch(run_id):
        raise InvalidConfig(
            f"run id {run_id!r:.80}: use at most 100 letters, digits, '-', '_' and '.', starting with a letter or digit"
        )


def run_path(data: Path, run_id: str) -> Path:
    """The directory of an existing run, readable or not. Raises ResultsOnly for one that has none, UnknownRun."""
    path = runs_folder(data) / run_id
    if not _PLAIN.fullmatch(run_id) or not os.path.lexists(path / "config.json"):
        if _is_published(data, run_id):
            raise ResultsOnly(why_results_only(run_id))
        raise UnknownRun(f"no run {run_id!r} in {runs_folder(data)}; there are {run_ids(data) or 'none'}")
    return path


def open_run(data: Path, run_id: str) -> RunDirectory:
    """An existing run. Raises UnknownRun, or DamagedRun or InvalidConfig if its config cannot be read."""
    path = run_path(data, run_id)
    settings = records.read_object(path / "config.json")
    if settings is None:
        raise DamagedRun(f"run {run_id}: {path / 'config.json'} is not JSON; start a new run")
    return RunDirectory(path, validated(settings, f"run {run_id}"))


def run_ids(data: Path) -> list[str]:
    """Ids of all runs in the data folder, the newest first."""
    folder = runs_folder(data)
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if path.name[0] != "." and os.path.lexists(path / "config.json")]

    def age(path: Path) -> tuple[str, str]:
        with suppress(DamagedRun):
            return created_at(path), path.name
        return "", path.name

    return [path.name for path in sorted(paths, key=age, reverse=True)]


def published_runs(data: Path) -> list[str]:
    """Ids of the runs in the warehouse, the newest first; empty if nothing is published."""
    if store.build_id(data) is None:
        return []
    with store.open_read_only(data) as connection:
        return list(reads.runs.all_runs(connection)["run_id"])


def _is_published(data: Path, run_id: str) -> bool:
    """Also False for a warehouse that cannot be read."""
    try:
        return run_id in published_runs(data)
    except (WarehouseError, store.Damaged):
        return False


def why_results_only(run_id: str) -> str:
    """Why a run that is only in the warehouse cannot be extended, and what can be done instead."""
    again = " --profile recorded" if run_id == reads.runs.RECORDED else ""
    return (
        f"run {run_id} has results only: its weights and settings are not in this data folder, so it cannot be "
        f"extended, resumed or retried; `righttree run{again}` computes a run that can, and `righttree add-rm --run "
        f"{run_id}` adds a scorer to this one"
    )


def created_at(path: Path) -> str:
    """When the run directory was created: UTC, ISO 8601, to the microsecond; empty if unknown. Raises DamagedRun."""
    return (records.read(path / "created.json", records.Created) or {}).get("created_at", "")


def moment(data: Path) -> str:
    """The time now: UTC, ISO 8601, to the microsecond, and after all of the runs in the data folder.

    So the newest run comes first in every list, also if the clock was set back since the others began or ended, or two
    are of the same second.
    """
    known = []
    for run_id in run_ids(data):
        with suppress(DamagedRun):
            known.append(created_at(runs_folder(data) / run_id))
    with suppress(WarehouseError, store.Unreadable), store.open_read_only(data) as connection:
        known += reads.runs.all_runs(connection)["finished_at"].to_list()
    latest = datetime.now(UTC)
    for text in known:
        with suppress(ValueError, TypeError):
            latest = max(latest, datetime.fromisoformat(text).astimezone(UTC) + timedelta(microseconds=1))
    return latest.isoformat(timespec="microseconds")


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
