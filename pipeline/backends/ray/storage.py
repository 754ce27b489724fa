"""Files of a run that pass through a store which every node reaches (an fsspec URL), where they share no folder.

The run's directory stays where the run was started: an object store can keep neither its locks nor its renames. Tasks
fetch from the store what earlier stages made, into a folder of their worker process, work there as on one machine, and
put there what they made; the run's own process takes it over once the task is done. So what a task that died has put,
whole or in part, is never taken. A file's time of change goes with it: by that everybody knows which version he has.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil

from pipeline.config import Config
from pipeline.errors import PipelineError
from pipeline.runs import RunDirectory

Files = Mapping[str, int]
"""Files by their place in a run's directory, with the time of their last change, in nanoseconds."""


def files_of(run: RunDirectory) -> dict[str, int]:
    """What stages make: parts of tables, features and weights; not what they note to go on from on the same machine."""
    parts = run.path.glob("*/[!.]*.parquet")
    kept = (path for folder in ("features", "reward_models") for path in run.work_path(folder).rglob("[!.]*.*"))
    policies = run.work_path("ppo").glob("*/policy.safetensors")
    found = {}
    for path in (*parts, *kept, *policies):
        place = path.relative_to(run.path)
        if not any(name.startswith(".") for name in place.parts) and path.is_file():
            with suppress(FileNotFoundError):
                found[str(place)] = path.stat().st_mtime_ns
    return found


class Store:
    """A folder at a URL for the files of one run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._there: dict[str, int] = {}

    def put(self, run: RunDirectory, files: Files) -> None:
        """Those that are not there yet. Raises PipelineError where the store does not take them."""
        with self._opened() as (system, root):
            for name, changed in files.items():
                if self._there.get(name) != changed:
                    target = f"{root}/{name}"
                    if not _is_object_store(system):
                        system.makedirs(target.rpartition("/")[0], exist_ok=True)
                    system.put_file(str(run.path / name), target)
                    self._there[name] = changed

    def get(self, run: RunDirectory, files: Files) -> None:
        """Take them into the run's directory in the order in which they were made, each whole or not at all.

        Raises PipelineError for one that is not there.
        """
        with self._opened() as (system, root):
            for name, changed in sorted(files.items(), key=itemgetter(1)):
                system.info(f"{root}/{name}")  # what is missing there is no error of writing here

                def write(path: Path, name: str = name, changed: int = changed) -> None:
                    system.get_file(f"{root}/{name}", str(path))
                    os.utime(path, ns=(changed, changed))

                run.write_summed(run.path / name, write)
                self._there[name] = changed

    def remove(self) -> None:
        """All of it, as far as the store allows."""
        with suppress(Exception), self._opened() as (system, root):
            system.rm(root, recursive=True)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, str]]:
        from fsspec.core import url_to_fs

        try:
            system, root = url_to_fs(self.url)
            yield system, root.rstrip("/")
        except PipelineError:
            raise
        except Exception as error:  # every kind of store has errors of its own
            raise PipelineError(
                f"the store {self.url} cannot be used ({type(error).__name__}: {str(error).splitlines()[0]:.200}): see "
                "that --ray-storage is an fsspec URL which every node may write to, and its package is installed there"
            ) from error


def _is_object_store(system: Any) -> bool:
    """Whether there are no folders to make: S3's client would make a bucket of a misspelled name instead.

    fsspec's asynchronous file systems are those of object stores.
    """
    from fsspec.asyn import AsyncFileSystem

    return isinstance(system, AsyncFileSystem)


def own_folder(path: Path, config: str) -> RunDirectory:
    """An empty directory for the run, of this process alone; those of processes that have ended are removed."""
    root = Path(tempfile.gettempdir()) / f"righttree-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    for left in root.iterdir():
        if not left.name.isdecimal() or not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = root / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    (own / path.name).mkdir(parents=True)
    return RunDirectory(own / path.name, Config.model_validate_json(config))
