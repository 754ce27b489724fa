"""The recorded run that comes with the package: a whole study to explore before anything was run here.

It is a folder that `righttree export` wrote from a finished run of profile `recorded`, and nobody edited.
"""

from __future__ import annotations

import sys
from pathlib import Path

import warehouse
from pipeline.errors import PipelineError
from pipeline.runs.exchange import Imported, import_files
from warehouse import reads, store
from warehouse.errors import WarehouseError
from warehouse.exchange import MANIFEST

FOLDER = Path(warehouse.__file__).parent / "recorded"


def publish_if_empty(data: Path, folder: Path | None = None) -> Imported | None:
    """Publish the recorded run, or the one in `folder`, where nothing is published yet.

    None if something is published already, or no recorded run came with the package. Raises WarehouseError and
    InvalidRows as an import does.
    """
    folder = folder or FOLDER
    if store.build_id(data) is not None or not (folder / MANIFEST).exists():
        return None
    return import_files(data, [folder], None, "auto")


def provide(data: Path, *, required: bool = True) -> None:
    """Have the recorded run in an empty data folder; says on standard error that it was published.

    Where the folder cannot be written it raises PipelineError, or says so if the run is not `required`.
    """
    try:
        published = publish_if_empty(data)
    except (WarehouseError, PipelineError) as error:
        if store.build_id(data) is not None:  # another process has just published it
            return
        message = f"the recorded run cannot be published: {error}"
        if required:
            raise PipelineError(message) from error
        print(f"righttree: {message}", file=sys.stderr)
    else:
        if published is not None:
            print(f"{published.run_id}, the recorded run, is published: {published.counts}", file=sys.stderr)


def published_runs(data: Path) -> list[str]:
    """Ids of the runs in the warehouse, the newest first; empty where nothing is published."""
    if store.build_id(data) is None:
        return []
    with store.open_read_only(data) as connection:
        return list(reads.runs.all_runs(connection)["run_id"])
