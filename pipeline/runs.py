"""A run directory: parts, markers, manifest. What has no marker does not exist; the manifest is written last.

```
runs/<run_id>/config.json            the validated profile, written when the run is made
             /<table>/<stage>-<unit>.parquet   parts, each written to a temporary name, synced and renamed
             /parts.sha256           a checksum of every part
             /work/…                 what stages keep for later ones: features, weights
             /stages/<stage>.json    a stage's marker: it is done
             /manifest.json          the run is finished
             /retry.json             policies that are to be made again
             /progress.json, log.txt, error.txt, console.txt   for people and for the dashboard
     /.turn                          the lock of the run that is at work, held by its process
```
A part is whole or absent, so a killed stage is taken up again at its first missing part.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import checksums
from pipeline.config import Config, validated
from pipeline.errors import DamagedRun, InvalidConfig, PipelineError, RunBusy, UnknownRun
from pipeline.turns import turn, whose
from pipeline.writing import told
from warehouse.ingest import conform
from warehouse.schema import TABLES

_TEMPORARY = ".partial-"
_ROOM, _ROOM_BYTES = ".room", 4096
_NO_ROOM = "the disk is full, and had no room for the reason why the run stopped: make room, then resume it"
_PLAIN = re.compile(r"[a-zA-Z0-9][\w.-]{0,99}", re.ASCII)


class RunDirectory:
    """One run on disk. Make one with `create`, open one with `open_run`."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config

    @property
    def run_id(self) -> str:
        return self.path.name

    # Parts ------------------------------------------------------------------------------------------------------------

    def has_part(self, table: str, stage: str, unit: int | str) -> bool:
        return self._part(table, stage, unit).exists()

    def write_part(self, table: str, stage: str, unit: int | str, frame: pl.DataFrame) -> None:
        """Write rows of a table (without `run_id`, which is added) as one part, whole or not at all."""
        rows = conform(TABLES[table], frame.with_columns(run_id=pl.lit(self.run_id)), f"run {self.run_id}")
        self.write_summed(self._part(table, stage, unit), lambda path: rows.write_parquet(path, compression="zstd"))

    def read(self, table: str, stage: str | None = None) -> pl.DataFrame:
        """All rows of a table, or those that one stage wrote, in the order of their parts; without `run_id`.

        Raises DamagedRun for a part that is not as it was written.
        """
        pattern = f"{stage}-*.parquet" if stage else "*.parquet"
        return self._read(table, sorted((self.path / table).glob(pattern)))

    def each_part(self, table: str) -> Iterator[pl.DataFrame]:
        """All rows of a table as `read` gives them but with `run_id`, a part at a time. Raises DamagedRun."""
        sums = checksums.kept(self.path)
        for part in sorted((self.path / table).glob("*.parquet")):
            yield self._read_part(part, sums)

    def read_part(self, table: str, stage: str, unit: int | str) -> pl.DataFrame:
        """The rows of one part, without `run_id`."""
        return self._read(table, [self._part(table, stage, unit)])

    def _read(self, table: str, parts: list[Path]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=TABLES[table].polars_schema).drop("run_id")
        sums = checksums.kept(self.path)
        return pl.concat([self._read_part(part, sums) for part in parts]).drop("run_id")

    def _read_part(self, part: Path, sums: Mapping[str, str]) -> pl.DataFrame:
        stage = part.name.partition("-")[0]
        remade = (f"*/{stage}-*.parquet", f"stages/{stage}.json", "stages/publish.json")
        try:
            if checksums.is_whole(self.path, part, sums):
                return pl.read_parquet(part)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise self._damaged(part, str(error).splitlines()[0], remade) from error
        raise self._damaged(part, "its checksum is another one", remade)

    def check(self, path: Path, *remade: str) -> None:
        """Hold a file, or those of a folder, that `write_summed` wrote against its checksum.

        Raises DamagedRun, which names the files of the run, `remade`, without which `resume` makes it anew.
        """
        sums = checksums.kept(self.path)
        for file in sorted(path.iterdir()) if path.is_dir() else (path,):
            if not checksums.is_whole(self.path, file, sums):
                raise self._damaged(file, "its checksum is another one", remade)

    def _damaged(self, path: Path, why: str, remade: Iterable[str]) -> DamagedRun:
        folder = shlex.quote(str(self.path))
        return DamagedRun(
            f"run {self.run_id}: {path} is cut off or changed ({why}): remove it and what goes with it, "
            f"`rm -f {' '.join(f'{folder}/{name}' for name in remade)}`, "
            f"and `righttree resume {self.run_id}` makes it anew"
        )

    def write_summed(self, path: Path, write: Callable[[Path], object]) -> None:
        """As `write_atomically`, keeping the checksum of the file, or of each file of the folder."""

        def summed(temporary: Path) -> None:
            write(temporary)
            checksums.keep(self.path, path, temporary)

        self.write_atomically(path, summed)

    def write_atomically(self, path: Path, write: Callable[[Path], object]) -> None:
        """Call `write` with a temporary name beside `path`, for a file or a folder; sync, then rename it to `path`.

        Raises NotWritten, with nothing left under the temporary name, where the disk is full or may not be written.
        """
        draft = f"{_TEMPORARY}{secrets.token_hex(4)}-{path.name}"  # nobody else's: a task that seemed lost may go on
        temporary = path.with_name(draft)
        with self.told(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write(temporary)
                for file in temporary.iterdir() if temporary.is_dir() else (temporary,):
                    with file.open("rb") as handle:
                        os.fsync(handle.fileno())
                if path.is_dir():
                    shutil.rmtree(path)  # nothing can be renamed to a folder that is not empty
                temporary.replace(path)
            except Exception:
                _remove(temporary)
                raise

    def discard(self, *patterns: str) -> None:
        """Remove the files and folders of the run that have such names, one pattern after the other."""
        for pattern in patterns:
            for found in sorted(self.path.glob(pattern)):
                _remove(found)

    def told(self, path: Path) -> AbstractContextManager[None]:
        """Turns a disk that refuses a file of the run into NotWritten, which says how the run goes on."""
        return told(path, f"make room, then `righttree resume {self.run_id}` goes on")

    def work(self, *parts: str) -> Path:
        """A path under the run's own work folder."""
        return self.path.joinpath("work", *parts)

    def _part(self, table: str, stage: str, unit: int | str) -> Path:
        name = f"{unit:05d}" if isinstance(unit, int) else unit
        return self.path / table / f"{stage}-{name}.parquet"

    # Markers ----------------------------------------------------------------------------------------------------------

    def is_done(self, stage: str) -> bool:
        """Whether the stage has its marker; one that cannot be read is none."""
        return _read_json(self._marker(stage)) is not None

    def mark_done(self, stage: str, facts: dict[str, Any]) -> None:
        self._write_json(self._marker(stage), facts)

    def stage_facts(self, stage: str) -> dict[str, Any]:
        """What the stage's marker says; empty if it is not done."""
        return _read_json(self._marker(stage)) or {}

    def _marker(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.json"

    @property
    def is_finished(self) -> bool:
        return self._manifest.exists()

    def finish(self, manifest: dict[str, Any]) -> None:
        self.write_summed(self._manifest, lambda path: path.write_text(json.dumps(manifest, indent=2) + "\n"))

    def manifest(self) -> dict[str, Any] | None:
        """What the finished run says of itself; None if there is nothing that can be read."""
        return _read_json(self._manifest)

    def whole_manifest(self) -> dict[str, Any]:
        """The same, as it was written. Raises PipelineError for a run that is not finished, DamagedRun."""
        if not self.is_finished:
            raise PipelineError(f"run {self.run_id} is not finished; `righttree resume {self.run_id}` takes it up")
        remade = (self._manifest.name, "stages/publish.json")
        self.check(self._manifest, *remade)
        found = self.manifest()
        if found is None:  # of an older version, which kept no checksum of it
            raise self._damaged(self._manifest, "it is no JSON", remade)
        return found

    @property
    def _manifest(self) -> Path:
        return self.path / "manifest.json"

    # Progress ---------------------------------------------------------------------------------------------------------

    def write_progress(self, progress: dict[str, Any]) -> None:
        """Replace `progress.json`; not synced: it may be lost with the machine, or where the disk is full."""
        path = self.path / "progress.json"
        temporary = path.with_name(f"{_TEMPORARY}{path.name}")
        try:
            temporary.write_text(json.dumps(progress))
            temporary.replace(path)
        except OSError:
            _remove(temporary)

    def progress(self) -> dict[str, Any]:
        return _read_json(self.path / "progress.json") or {}

    def write_error(self, message: str | None) -> None:
        """Keep why the run stopped, if the disk has room for it; None: it has been taken up again."""
        if message is None:
            (self.path / "error.txt").unlink(missing_ok=True)
        else:
            with suppress(OSError):
                (self.path / _ROOM).unlink(missing_ok=True)
                (self.path / "error.txt").write_text(message)

    def error(self) -> str | None:
        """Why the run stopped; None where it did not, or was stopped by hand."""
        try:
            return (self.path / "error.txt").read_text() or _NO_ROOM
        except OSError:
            return None

    # Who works on it --------------------------------------------------------------------------------------------------

    @contextmanager
    def working(self, waits: Callable[[str], object] = lambda _: None) -> Iterator[None]:
        """Hold the run for this process; the system lets go of it when the process ends, however it ends.

        While another run is at work in the data folder it waits; `waits` is told which. Raises RunBusy if another
        process holds this one.
        """
        with self.held():
            for leftover in self.path.rglob(f"{_TEMPORARY}*"):
                _remove(leftover)
            with turn(self.path.parent, self.run_id, waits), self._room():
                yield

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Keep room for the reason of a stop: where the disk fills up, nothing else may be left of it."""
        kept = self.path / _ROOM
        try:
            with told(self.path):
                kept.write_bytes(bytes(_ROOM_BYTES))
            yield
        finally:
            kept.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from working on the run. Raises RunBusy if one does."""
        with self._opened_lock() as lock:
            for attempt in range(20):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if attempt == 19:
                        raise RunBusy(
                            f"run {self.run_id} is being worked on by another process; watch it with `righttree runs`"
                        ) from None
                    time.sleep(0.05)  # `is_running` holds the lock for an instant
            with told(self.path):
                lock.truncate(0)
                lock.write(str(os.getpid()).encode())
            yield

    def _opened_lock(self) -> FileIO:
        with told(self.path):
            return (self.path / ".lock").open("a+b", buffering=0)  # so that closing it has nothing left to write

    @property
    def is_running(self) -> bool:
        """Whether a living process holds the run."""
        try:
            with (self.path / ".lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @property
    def waits_for(self) -> str | None:
        """The run that is at work while a living process holds this one and waits; None if it does not wait."""
        other = whose(self.path.parent)
        return other if other != self.run_id and self.is_running else None

    def worker(self) -> int | None:
        """Id of the living process that holds the run; None if there is none, or none that is seen from here.

        An id alone may be a stranger's: of a process of another container, or of one that has ended since.
        """
        lock = self.path / ".lock"
        if not self.is_running:
            return None
        try:
            process = int(lock.read_text())
        except (OSError, ValueError):  # it has held the run for less than an instant
            return None
        return process if _has_open(process, lock) else None

    def _write_json(self, path: Path, facts: dict[str, Any]) -> None:
        self.write_atomically(path, lambda target: target.write_text(json.dumps(facts, indent=2) + "\n"))


def runs_folder(data: Path) -> Path:
    return data / "runs"


def create(
    data: Path, config: Config, run_id: str | None = None, fill: Callable[[Path], object] = lambda _: None
) -> RunDirectory:
    """A new run directory, its config in it and what `fill` puts there.

    Raises InvalidConfig for an id that is taken or no plain name.
    """
    if run_id is None:
        run_id = f"{config.profile}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    check_id(run_id)
    path = runs_folder(data) / run_id
    if path.exists():
        raise InvalidConfig(f"run {run_id!r} exists already; `righttree resume {run_id}` takes it up")
    draft = path.with_name(f"{_TEMPORARY}{run_id}-{secrets.token_hex(2)}")
    created = datetime.now(UTC).isoformat(timespec="microseconds")  # two runs may begin within one second
    with told(path):
        try:
            draft.mkdir(parents=True)
            (draft / "config.json").write_text(config.model_dump_json(indent=2) + "\n")
            (draft / "created.json").write_text(json.dumps({"created_at": created}) + "\n")
            fill(draft)
            draft.rename(path)
        except Exception:
            _remove(draft)
            raise
    return RunDirectory(path, config)


def remove(run: RunDirectory) -> None:
    """Remove a run's directory; what is removed half has no run's name any more, and goes with the next one.

    Raises RunBusy if a process holds it, NotWritten if it cannot be removed.
    """
    folder = run.path.parent
    with run.held(), told(run.path):
        run.path.rename(folder / f"{_TEMPORARY}removed-{run.run_id}-{secrets.token_hex(2)}")
    with told(folder):
        for removed in folder.glob(f"{_TEMPORARY}removed-*"):
            shutil.rmtree(removed)


def check_id(run_id: str) -> None:
    """Raise InvalidConfig for a run id that is no plain name, which a folder can have."""
    if not _PLAIN.fullmatch(run_id):
        raise InvalidConfig(
            f"run id {run_id!r:.80}: use letters, digits, '-', '_' and '.' only, a letter or digit first, 100 at most"
        )


def open_run(data: Path, run_id: str) -> RunDirectory:
    """An existing run. Raises UnknownRun, or DamagedRun if its config cannot be read."""
    path = runs_folder(data) / run_id
    if not _PLAIN.fullmatch(run_id) or not (path / "config.json").exists():
        known = run_ids(data)
        raise UnknownRun(f"no run {run_id!r} in {runs_folder(data)}; there are {known or 'none'}")
    settings = _read_json(path / "config.json")
    if settings is None:
        raise DamagedRun(f"run {run_id}: {path / 'config.json'} is no JSON; start a new run")
    return RunDirectory(path, validated(settings, f"run {run_id}"))


def run_ids(data: Path) -> list[str]:
    """Ids of all runs in the data folder, the newest first."""
    folder = runs_folder(data)
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if (path / "config.json").exists() and path.name[0] != "."]
    return [path.name for path in sorted(paths, key=lambda path: (created_at(path), path.name), reverse=True)]


def created_at(path: Path) -> str:
    """When the run directory was made: UTC, ISO 8601, to the microsecond; empty if unknown."""
    return str((_read_json(path / "created.json") or {}).get("created_at", ""))


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open; True where the system does not say."""
    try:
        opened = list(Path(f"/proc/{process}/fd").iterdir())
    except PermissionError:
        return True
    except OSError:
        return not Path("/proc/self/fd").is_dir()
    there = path.stat()
    return any(os.path.samestat(there, found) for found in filter(None, map(_stat, opened)))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # closed meanwhile, or no file
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
