"""Passes a run's files through a store that every node can reach (an fsspec URL), if the nodes share no folder.

The run's directory stays where the run was started, because an object store has neither locks nor renames. A task
fetches the files of earlier stages into a folder of its worker process, works there as on one machine, and puts its new
files into the store; the run's own process fetches them when the task is done. So files of a task that died are never
used. A file keeps its modification time, which tells everybody which version it is.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil

from pipeline.backends.openrlhf.checkpoints import ENDED, TRAINING
from pipeline.config import Config
from pipeline.errors import PipelineError, without_secrets
from pipeline.runs import RunDirectory
from warehouse.errors import first_line

Files = Mapping[str, int]
"""Files by their path in a run's directory, with their modification time in nanoseconds."""


def files_of(run: RunDirectory) -> dict[str, int]:
    """The files that stages pass on: parts of tables, features and weights; not states to resume from.

    Among them OpenRLHF's checkpoints of policies that are trained, which only a node that sees them can score.
    """
    parts = run.path.glob("*/[!.]*.parquet")
    work = (path for folder in ("features", "reward_models") for path in run.work_path(folder).rglob("[!.]*.*"))
    policies = run.work_path("ppo").glob("*/policy.safetensors")
    shown = (path for path in (*parts, *work, *policies) if not _is_hidden(path.relative_to(run.path)))
    trained = run.work_path("ppo", TRAINING)
    checkpoints = (*trained.glob(f"*/{ENDED}"), *trained.glob("*/checkpoints/[!_]*/*.*"))
    files = {}
    for path in (*shown, *checkpoints):
        place = path.relative_to(run.path)
        if path.is_file():
            with suppress(FileNotFoundError):
                files[str(place)] = path.stat().st_mtime_ns
    return files


def _is_hidden(place: Path) -> bool:
    return any(name.startswith(".") for name in place.parts)


class Store:
    """A folder at a URL for the files of one run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._stored: dict[str, int] = {}

    def put(self, run: RunDirectory, files: Files) -> None:
        """Store the files that are missing or outdated there. Raises PipelineError if the store refuses."""
        with self._opened() as (system, root):
            for name, changed in files.items():
                if self._stored.get(name) != changed:
                    target = f"{root}/{name}"
                    if not _is_object_store(system):
                        system.makedirs(target.rpartition("/")[0], exist_ok=True)
                    system.put_file(str(run.path / name), target)
                    self._stored[name] = changed

    def get(self, run: RunDirectory, files: Files) -> None:
        """Fetch the files into the run's directory in the order in which they were made, each whole or not at all.

        Raises PipelineError for a file that the store does not have.
        """
        with self._opened() as (system, root):
            for name, changed in sorted(files.items(), key=itemgetter(1)):
                system.info(f"{root}/{name}")  # so that a missing file is not reported as an error of writing here

                def write(path: Path, name: str = name, changed: int = changed) -> None:
                    system.get_file(f"{root}/{name}", str(path))
                    os.utime(path, ns=(changed, changed))

                run.write_summed(run.path / name, write)
                self._stored[name] = changed

    def remove(self) -> None:
        """Remove everything, as far as the store allows."""
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
        except Exception as error:  # every kind of store has its own errors
            reason = without_secrets(first_line(error))
            raise PipelineError(
                f"the store {without_secrets(self.url)} cannot be used ({type(error).__name__}: {reason:.200}): "
                "check that --ray-storage is an fsspec URL that every node may write to, and install its package there"
            ) from error


def _is_object_store(system: Any) -> bool:
    """Whether there are no folders to create: S3's client would create a bucket for a misspelled name instead.

    fsspec's asynchronous file systems are those of object stores.
    """
    from fsspec.asyn import AsyncFileSystem

    return isinstance(system, AsyncFileSystem)


def own_folder(path: Path, config: str) -> RunDirectory:
    """An empty directory for the run, only for this process; those of processes that have ended are removed."""
    root = Path(tempfile.gettempdir()) / f"righttree-{os.getuid()}"
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    _check_own(root)
    for left in root.iterdir():
        if not left.name.isdecimal() or not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = root / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    (own / path.name).mkdir(parents=True)
    return RunDirectory(own / path.name, Config.model_validate_json(config))


def _check_own(folder: Path) -> None:
    """Raise PipelineError for a folder that somebody else put there, who could read a run's files or exchange them."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PipelineError(
            f"{folder} is not a folder that only this user may use (owner {status.st_uid}, mode "
            f"{stat.S_IMODE(status.st_mode):o}): remove it, or set TMPDIR to a folder of your own"
        )
