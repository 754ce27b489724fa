"""Other people's results: scores made elsewhere into the warehouse as a run of their own, and whole runs out and back.

`read` files → `check` what is whole in them → build `rows` → `warehouse.ingest.publish`; `folder` exports a run
and reads it back. Whatever is wrong is one line with file, row and column, and then nothing is imported.
"""

from warehouse.exchange.categories import DEFAULT_SUBSET
from warehouse.exchange.checking.check import Choices, Study, study_of
from warehouse.exchange.checking.incomplete import INCOMPLETE
from warehouse.exchange.folder import (
    ARCHIVE,
    MANIFEST,
    copy_run,
    export_run,
    pack,
    read_folder,
    run_rows,
    unpack,
    write_run,
)
from warehouse.exchange.layouts import LAYOUTS, read_files
from warehouse.exchange.outcomes import outcome_rows, outcomes_line, read_outcome_files, smaller_is_better
from warehouse.exchange.reading import EXTENSIONS, ColumnMap
from warehouse.exchange.reading.limits import COMMAND_LINE, UPLOADED, Limits
from warehouse.exchange.rows import Facts, build

__all__ = ["ARCHIVE", "COMMAND_LINE", "DEFAULT_SUBSET", "EXTENSIONS", "INCOMPLETE", "LAYOUTS", "MANIFEST", "UPLOADED"]
__all__ += [
    "Choices",
    "ColumnMap",
    "Facts",
    "Limits",
    "Study",
    "build",
    "copy_run",
    "export_run",
    "outcome_rows",
    "outcomes_line",
    "pack",
    "read_files",
    "read_folder",
    "read_outcome_files",
    "run_rows",
    "smaller_is_better",
    "study_of",
    "unpack",
    "write_run",
]
