"""Other people's results: scores made elsewhere into the warehouse as a run of their own, and whole runs out and back.

`read` files → `check` that they make a whole study → build `rows` → `warehouse.ingest.publish`; `folder` is the way out
and back in. What is wrong is said in one line with file, row and column, and then nothing is imported.
"""

from warehouse.outside.categories import DEFAULT_SUBSET
from warehouse.outside.folder import export_run, read_folder
from warehouse.outside.read import LAYOUTS, read_files
from warehouse.outside.rows import Facts, build

__all__ = ["DEFAULT_SUBSET", "LAYOUTS", "Facts", "build", "export_run", "read_files", "read_folder"]
