"""One run's directory: its parts, markers and manifest, and what people and pages read about it.

A part is whole or absent, so a stage that was killed continues at its first missing part. A stage without its marker is
not done; the manifest is written last.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.config import Config
from pipeline.errors import DamagedRun, PipelineError, write_errors
from pipeline.runs import checksums, locks, records
from pipeline.runs.records import Manifest, RunProgress
from warehouse import files
from warehouse.ingest import conform
from warehouse.schema import TABLES

STAGE_OF = {"probes": "scores", "pool": "ppo", "checkpoints": "ppo"}
"""The stage of a module that makes parts for another one; its marker is that stage's."""

_RESERVE, _RESERVE_BYTES = ".room", 4096
_DISK_FULL = "The run stopped because the disk is full. Free some space, then resume it."


def columns(table: str) -> dict[str, pl.DataType]:
    """Names and types of a table's columns without `run_id`."""
    return {name: dtype for name, dtype in TABLES[table].polars_schema.items() if name != "run_id"}


class RunDirectory:
    """One run on disk. Make one with `create`, open one with `open_run`."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config
        self._manifest, self._progress, self._error = (
            path / name for name in ("manifest.json", "progress.json", "error.txt")
        )

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

    def write_rows(self, table: str, stage: str, unit: int | str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows as one part; a column that a row leaves out is null."""
        self.write_part(table, stage, unit, pl.DataFrame(list(rows), schema=columns(table)))

    def read(self, table: str, stage: str | None = None) -> pl.DataFrame:
        """All rows of a table, or those that one stage wrote, in the order of their parts; without `run_id`.

        Raises DamagedRun for a part whose content has changed.
        """
        pattern = f"{stage}-*.parquet" if stage else "*.parquet"
        return self._read(table, sorted((self.path / table).glob(pattern)))

    def each_part(self, table: str) -> Iterator[pl.DataFrame]:
        """All rows of a table as `read` gives them but with `run_id`, a part at a time. Raises DamagedRun."""
        sums = checksums.read(self.path)
        for part in sorted((self.path / table).glob("*.parquet")):
            yield self._read_part(part, sums)

    def read_part(self, table: str, stage: str, unit: int | str) -> pl.DataFrame:
        """The rows of one part, without `run_id`."""
        return self._read(table, [self._part(table, stage, unit)])

    def _read(self, table: str, parts: list[Path]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=columns(table))
        sums = checksums.read(self.path)
        return pl.concat([self._read_part(part, sums) for part in parts]).drop("run_id")

    def _read_part(self, part: Path, sums: Mapping[str, str]) -> pl.DataFrame:
        name = part.name.partition("-")[0]
        to_remove = (f"*/{name}-*.parquet", f"stages/{STAGE_OF.get(name, name)}.json", "stages/publish.json")
        self._check(part, sums, to_remove)
        try:
            return pl.read_parquet(part)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise self._damaged(part, str(error).splitlines()[0], to_remove) from error

    def check(self, path: Path, *to_remove: str) -> None:
        """Compare a file, or those of a folder, that `write_summed` wrote with the checksum.

        Raises DamagedRun, which says which files of the run to remove so that `resume` writes them again.
        """
        sums = checksums.read(self.path)
        for file in sorted(path.iterdir()) if path.is_dir() else (path,):
            self._check(file, sums, to_remove)

    def _check(self, file: Path, sums: Mapping[str, str], to_remove: Iterable[str]) -> None:
        try:
            whole = checksums.is_whole(self.path, file, sums)
        except OSError as error:
            raise self._damaged(file, str(error), to_remove) from error
        if not whole:
            raise self._damaged(file, "its checksum differs", to_remove)

    def _damaged(self, path: Path, reason: str, to_remove: Iterable[str]) -> DamagedRun:
        folder = shlex.quote(str(self.path))
        return DamagedRun(
            f"run {self.run_id}: {path} is cut off or changed ({reason}): remove it and what depends on it, "
            f"`rm -f {' '.join(f'{folder}/{name}' for name in to_remove)}`, "
            f"then `righttree resume {self.run_id}` computes it again"
        )

    def write_summed(self, path: Path, write: Callable[[Path], object]) -> None:
        """As `write_atomically`, and note the checksum of the file, or of each file of the folder."""

        def summed(temporary: Path) -> None:
            write(temporary)
            checksums.append(self.path, path, temporary)

        self.write_atomically(path, summed)

    def write_atomically(self, path: Path, write: Callable[[Path], object]) -> None:
        """Call `write` with a temporary name beside `path`, for a file or a folder; sync, then rename it to `path`.

        Raises NotWritten, with nothing left under the temporary name, if the disk is full or read-only.
        """
        with self.write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path, replace_folder=True) as temporary:
                write(temporary)

    def write_json(self, path: Path, value: Any) -> None:
        """Write a value as JSON, as `write_atomically` does."""
        self.write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))

    def discard(self, *patterns: str) -> None:
        """Remove the run's files and folders that match, one pattern after the other."""
        for pattern in patterns:
            for path in sorted(self.path.glob(pattern)):
                files.remove(path)

    def write_errors(self, path: Path) -> AbstractContextManager[None]:
        """Turn a failed write of a run's file into NotWritten, which says how to continue the run."""
        return write_errors(path, f"make room, then `righttree resume {self.run_id}` continues")

    def work_path(self, *parts: str) -> Path:
        """A path in the run's `work` folder, where stages store what later ones need."""
        return self.path.joinpath("work", *parts)

    def _part(self, table: str, stage: str, unit: int | str) -> Path:
        name = f"{unit:05d}" if isinstance(unit, int) else unit
        return self.path / table / f"{stage}-{name}.parquet"

    # Markers ----------------------------------------------------------------------------------------------------------

    def is_done(self, stage: str) -> bool:
        """Whether the stage has its marker; one that cannot be read counts as absent."""
        return records.read_object(self._marker(stage)) is not None

    def mark_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Write the stage's marker."""
        self.write_json(self._marker(stage), facts)

    def stage_facts(self, stage: str) -> dict[str, Any]:
        """The content of the stage's marker; empty if the stage is not done."""
        return records.read_object(self._marker(stage)) or {}

    def _marker(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.json"

    @property
    def is_finished(self) -> bool:
        return self._manifest.exists()

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest."""
        self.write_summed(self._manifest, lambda path: path.write_text(json.dumps(manifest, indent=2) + "\n"))

    def manifest(self) -> dict[str, Any] | None:
        """What the finished run says about itself, a `Manifest`; None if it is not finished. Raises DamagedRun."""
        manifest = records.read(self._manifest, Manifest)
        return None if manifest is None else dict(manifest)

    def whole_manifest(self) -> dict[str, Any]:
        """The same, with its checksum verified. Raises PipelineError for an unfinished run, DamagedRun."""
        if not self.is_finished:
            raise PipelineError(f"run {self.run_id} is not finished; continue it with `righttree resume {self.run_id}`")
        to_remove = (self._manifest.name, "stages/publish.json")
        self.check(self._manifest, *to_remove)
        manifest = records.read_object(self._manifest)
        if manifest is None:  # written by an older version, which noted no checksum of it
            raise self._damaged(self._manifest, "it is not JSON", to_remove)
        return manifest

    # Progress ---------------------------------------------------------------------------------------------------------

    def write_progress(self, progress: RunProgress) -> None:
        """Replace `progress.json`; not synced, as it may be lost with the machine or on a full disk."""
        with suppress(OSError):
            files.write_text(self._progress, json.dumps(asdict(progress)), sync=False)

    def progress(self) -> RunProgress:
        """How far the run is, as its process last wrote; empty if it wrote nothing yet. Raises DamagedRun."""
        return records.read(self._progress, RunProgress) or RunProgress()

    def write_error(self, message: str | None) -> None:
        """Note why the run stopped, if the disk has space; None removes the note."""
        if message is None:
            self._error.unlink(missing_ok=True)
        else:
            with suppress(OSError):
                (self.path / _RESERVE).unlink(missing_ok=True)
                self._error.write_text(message)

    def error(self) -> str | None:
        """Why the run stopped; None if it did not, or the user stopped it."""
        try:
            return self._error.read_text(errors="replace") or _DISK_FULL
        except OSError:
            return None

    # Who works on it --------------------------------------------------------------------------------------------------

    @contextmanager
    def working(self, on_wait: Callable[[str], object] = lambda _: None) -> Iterator[None]:
        """Hold the run for this process; the system releases it when the process ends, however it ends.

        While another run is executing in the data folder it waits, after calling `on_wait` with that run's id. Raises
        RunBusy if another process holds this one.
        """
        with self.held():
            for leftover in self.path.rglob(f"{files.TEMPORARY}*"):
                files.remove(leftover)
            with locks.execute(self.path.parent, self.run_id, on_wait), self._reserve():
                yield

    @contextmanager
    def _reserve(self) -> Iterator[None]:
        """Reserve disk space for the error message of a stop, as a full disk would have none left for it."""
        reserve = self.path / _RESERVE
        try:
            with write_errors(self.path):
                reserve.write_bytes(bytes(_RESERVE_BYTES))
            yield
        finally:
            reserve.unlink(missing_ok=True)

    def held(self) -> AbstractContextManager[None]:
        """Keep every other process from working on the run. Raises RunBusy if one does."""
        return locks.hold(self.path)

    @property
    def is_running(self) -> bool:
        """Whether a living process holds the run."""
        return locks.is_locked(self.path / locks.LOCK)

    @property
    def waits_for(self) -> str | None:
        """The run that is executing while a living process holds this one and waits; None if it does not wait."""
        other = locks.executing(self.path.parent)
        return other if other != self.run_id and self.is_running else None

    def worker(self) -> int | None:
        """Id of the living process that holds the run; None if there is none, or none that this process can see."""
        return locks.worker(self.path)
