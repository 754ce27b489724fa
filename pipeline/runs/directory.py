"""One run's directory: parts, markers, manifest, and what people and pages read of it.

A part is whole or absent, so a stage that was killed continues at its first missing part. A stage without its marker is
not done; the manifest is written last.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.config import Config
from pipeline.errors import DamagedRun, PipelineError, write_errors
from pipeline.runs import checksums, locks, records
from warehouse import files
from warehouse.ingest import conform
from warehouse.schema import TABLES

_ROOM, _ROOM_BYTES = ".room", 4096
_NO_ROOM = "The run stopped because the disk is full. Free some space, then resume it."


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
        with self.write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path, replace_folder=True) as temporary:
                write(temporary)

    def write_json(self, path: Path, value: Any) -> None:
        """Write a value as JSON, as `write_atomically` does."""
        self.write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))

    def discard(self, *patterns: str) -> None:
        """Remove the files and folders of the run that have such names, one pattern after the other."""
        for pattern in patterns:
            for path in sorted(self.path.glob(pattern)):
                files.remove(path)

    def write_errors(self, path: Path) -> AbstractContextManager[None]:
        """Turns a disk that refuses a file of the run into NotWritten, which says how the run goes on."""
        return write_errors(path, f"make room, then `righttree resume {self.run_id}` goes on")

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
        self.write_json(self._marker(stage), facts)

    def stage_facts(self, stage: str) -> dict[str, Any]:
        """What the stage's marker says; empty if it is not done."""
        return records.read_object(self._marker(stage)) or {}

    def _marker(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.json"

    @property
    def is_finished(self) -> bool:
        return self._manifest.exists()

    def finish(self, manifest: dict[str, Any]) -> None:
        self.write_summed(self._manifest, lambda path: path.write_text(json.dumps(manifest, indent=2) + "\n"))

    def manifest(self) -> dict[str, Any] | None:
        """What the finished run says of itself; None if it is not finished. Raises DamagedRun."""
        return records.manifest(self._manifest)

    def whole_manifest(self) -> dict[str, Any]:
        """The same, as it was written. Raises PipelineError for a run that is not finished, DamagedRun."""
        if not self.is_finished:
            raise PipelineError(f"run {self.run_id} is not finished; continue it with `righttree resume {self.run_id}`")
        remade = (self._manifest.name, "stages/publish.json")
        self.check(self._manifest, *remade)
        manifest = records.read_object(self._manifest)
        if manifest is None:  # of an older version, which kept no checksum of it
            raise self._damaged(self._manifest, "it is no JSON", remade)
        return manifest

    @property
    def _manifest(self) -> Path:
        return self.path / "manifest.json"

    # Progress ---------------------------------------------------------------------------------------------------------

    def write_progress(self, progress: records.Progress) -> None:
        """Replace `progress.json`; not synced: it may be lost with the machine, or where the disk is full."""
        with suppress(OSError):
            files.write_text(self._progress, json.dumps(progress), sync=False)

    def progress(self) -> records.Progress:
        """How far the run is, as it last said; empty if it said nothing yet. Raises DamagedRun."""
        return records.progress(self._progress)

    @property
    def _progress(self) -> Path:
        return self.path / "progress.json"

    def write_error(self, message: str | None) -> None:
        """Keep why the run stopped, if the disk has room for it; None: it is being worked on again."""
        if message is None:
            (self.path / "error.txt").unlink(missing_ok=True)
        else:
            with suppress(OSError):
                (self.path / _ROOM).unlink(missing_ok=True)
                (self.path / "error.txt").write_text(message)

    def error(self) -> str | None:
        """Why the run stopped; None where it did not, or was stopped by hand."""
        try:
            return (self.path / "error.txt").read_text(errors="replace") or _NO_ROOM
        except OSError:
            return None

    # Who works on it --------------------------------------------------------------------------------------------------

    @contextmanager
    def working(self, waits: Callable[[str], object] = lambda _: None) -> Iterator[None]:
        """Hold the run for this process; the system releases it when the process ends, however it ends.

        While another run is executing in the data folder it waits; `waits` is called with that run's id. Raises RunBusy
        if another process holds this one.
        """
        with self.held():
            for leftover in self.path.rglob(f"{files.TEMPORARY}*"):
                files.remove(leftover)
            with locks.turn(self.path.parent, self.run_id, waits), self._room():
                yield

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Reserve room for the reason of a stop: where the disk fills up, nothing else may be left of it."""
        room = self.path / _ROOM
        try:
            with write_errors(self.path):
                room.write_bytes(bytes(_ROOM_BYTES))
            yield
        finally:
            room.unlink(missing_ok=True)

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
        other = locks.whose(self.path.parent)
        return other if other != self.run_id and self.is_running else None

    def worker(self) -> int | None:
        """Id of the living process that holds the run; None if there is none, or none that is visible from here."""
        return locks.worker(self.path)
