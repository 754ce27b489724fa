"""Other people's results: scores made elsewhere into the warehouse as a run of their own, and whole runs out and back.

`read` files → `check` that they make a whole study → build `rows` → `warehouse.ingest.publish`; `folder` is the way out
and back in. What is wrong is said in one line with file, row and column, and then nothing is imported.
"""

from warehouse.exchange.archive import ARCHIVE, pack, unpack
from warehouse.exchange.categories import DEFAULT_SUBSET
from warehouse.exchange.files import EXTENSIONS
from warehouse.exchange.folder import MANIFEST, export_run, read_folder
from warehouse.exchange.read import LAYOUTS, read_files
from warehouse.exchange.rows import Facts, build

__all__ = [
    "ARCHIVE",
    "DEFAULT_SUBSET",
    "EXTENSIONS",
    "LAYOUTS",
    "MANIFEST",
    "Facts",
    "build",
    "export_run",
    "pack",
    "read_files",
    "read_folder",
    "unpack",
]
