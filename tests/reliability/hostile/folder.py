"""Hostile input that aims at the data folder: files to import, their names, ids of runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pipeline import runs
from pipeline.config import load_profile
from pipeline.runs import jobs
from pipeline.uploads import upload, work
from tests.reliability.hostile.cases import hostile_text, mutated, refused
from tests.warehouse.exchange.test_import_fuzz import SAMPLES, beside
from tests.warehouse.rows import tiny_run
from warehouse import exchange, ingest, reads, store


@dataclass
class DataFolder:
    """A data folder with a published and a stopped run, made anew after a case that was accepted."""

    place: Path
    packed: bytes = b""
    before: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.place / "data"

    @property
    def template(self) -> Path:
        return self.place / "template"

    def afresh(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.template, self.path, symlinks=True)
        self.before = self.contents()

    def contents(self) -> dict[str, str]:
        """Every path below the data folder and beside it, with what can be told of it at a glance."""
        return {
            str(path.relative_to(self.place)): str(path.readlink()) if path.is_symlink() else _told(path)
            for path in [*self.path.rglob("*"), *self.place.iterdir()]
            if path != self.path
        }

    def check_unchanged(self, why: object) -> None:
        assert self.contents() == self.before, why


def _told(path: Path) -> str:
    found = path.stat()
    return "folder" if path.is_dir() else f"{found.st_size} bytes of {found.st_mtime_ns}"


def data_folder(place: Path) -> DataFolder:
    """Publish one run, begin another, and remember the folder as it is."""
    data = DataFolder(place)
    ingest.publish(data.template, tiny_run("published"), "test")
    runs.create(data.template, load_profile("smoke"), "stopped")
    data.packed = exchange.pack(data.template, "published", place / "exported")
    data.afresh()
    return data


def upload_file(rng: Random, data: DataFolder) -> bool:
    """A mutated file of any kind."""
    kind, suffix = rng.choice(sorted(SAMPLES))
    files = beside(kind) | {f"a{suffix}": mutated(rng, SAMPLES[kind, suffix])}
    return _uploaded(data, list(files.items()), "fuzzed")


def upload_archive(rng: Random, data: DataFolder) -> bool:
    """The mutated ZIP of an exported run."""
    return _uploaded(data, [("run.zip", mutated(rng, data.packed))], "fuzzed")


def upload_under_name(rng: Random, data: DataFolder) -> bool:
    """A good file under a hostile name, or for a run of a hostile name."""
    if rng.random() < 0.5:
        name = hostile_text(rng) + rng.choice([".csv", ".CSV", ".parquet", ".zip", "", ".pkl"])
        return _uploaded(data, [(name, SAMPLES["long", ".csv"])], "fuzzed")
    return _uploaded(data, [("a.csv", SAMPLES["long", ".csv"])], hostile_text(rng))


def _uploaded(data: DataFolder, files: list[tuple[str, bytes]], run_id: str) -> bool:
    done: list[jobs.Imported] = []
    message = refused(lambda: done.append(upload.import_uploads(data.path, files, run_id, execute=work.answer)))
    if message is not None:
        data.check_unchanged(message)
        return False
    with store.open_read_only(data.path) as connection:
        assert sorted(reads.runs.all_runs(connection)["run_id"]) == sorted(["published", run_id])
        for table, rows in done[0].rows.items():
            found = connection.execute(f'SELECT count(*) FROM "{table}" WHERE run_id = ?', [run_id]).fetchone()
            assert found == (rows,), table
    data.afresh()
    return True


_ASKED = (jobs.status, jobs.log_tail, jobs.live_curves, jobs.manifest, jobs.delete, jobs.resume, jobs.cancel)


def name_run(rng: Random, data: DataFolder) -> bool:
    """A hostile run id: looked at, resumed, cancelled, or given to a new run."""
    run_id = hostile_text(rng)
    if rng.random() < 0.7:
        ask = rng.choice(_ASKED)
        message = refused(lambda: ask(data.path, run_id))
        assert message is not None, (ask, run_id)
        data.check_unchanged(message)
        return False
    message = refused(lambda: runs.create(data.path, load_profile("smoke"), run_id))
    if message is not None:
        data.check_unchanged(message)
        return False
    assert runs.open_run(data.path, run_id).path.parent == data.path / "runs"
    data.afresh()
    return True
