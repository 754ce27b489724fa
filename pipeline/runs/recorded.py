"""The recorded run that comes with the package: a whole study to explore before running anything.

It is a folder that `righttree export` wrote from a finished run of profile `recorded`, unedited.
"""

from __future__ import annotations

import sys
from pathlib import Path

import warehouse
from pipeline.errors import PipelineError
from pipeline.runs.exchange import Imported, import_files
from warehouse import store
from warehouse.errors import WarehouseError
from warehouse.exchange import MANIFEST

FOLDER = Path(warehouse.__file__).parent / "recorded"


def publish_if_empty(data: Path, folder: Path | None = None) -> Imported | None:
    """Publish the recorded run, or the one in `folder`, if nothing is published yet and the package has it.

    Raises WarehouseError and InvalidRows as an import does.
    """
    folder = folder or FOLDER
    if store.build_id(data) is not None or not (folder / MANIFEST).exists():
        return None
    return import_files(data, [folder], run_id=None, layout="auto")


def provide(data: Path, *, required: bool = True) -> None:
    """Publish the recorded run in an empty data folder and say so on standard error.

    If the folder cannot be written it raises PipelineError, or only says so if the run is not `required`.
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
            print(f"published {published.run_id}, the recorded run: {published.counts}", file=sys.stderr)
