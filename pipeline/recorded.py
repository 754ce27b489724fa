"""The recorded run that comes with the package: a whole study to explore before anything was run here.

It is a folder that `righttree export` wrote from a finished run of profile `recorded`, and nobody edited.
"""

from __future__ import annotations

from pathlib import Path

import warehouse
from pipeline.outside import Imported, import_files
from warehouse import store
from warehouse.outside import MANIFEST

FOLDER = Path(warehouse.__file__).parent / "recorded"


def publish_if_empty(data: Path, folder: Path = FOLDER) -> Imported | None:
    """Publish the recorded run where nothing is published yet; None if something is, or no recorded run came along.

    Raises WarehouseError and InvalidRows as an import does.
    """
    if store.build_id(data) is not None or not (folder / MANIFEST).exists():
        return None
    return import_files(data, [folder], None, "auto")
