"""An exported run as one file: a ZIP of what `folder` writes, and back. Only the files of an export are taken out."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

from warehouse.errors import WarehouseError
from warehouse.exchange.folder import MANIFEST, export_run
from warehouse.exchange.sheet import CUT, invalid
from warehouse.schema import TABLES

ARCHIVE = ".zip"
_FILES = (MANIFEST, *(f"{table}.parquet" for table in TABLES))
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes, whenever it is exported
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# what `zipfile` raises where bytes are changed: not all of it is its own
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    ValueError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    EOFError,
)


def pack(data: Path, run_id: str, folder: Path) -> bytes:
    """Export a run into the new `folder` and give it as a ZIP; raises what `export_run` does."""
    export_run(data, run_id, folder)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # Parquet is compressed already
        for name in _FILES:
            archive.writestr(zipfile.ZipInfo(f"{run_id}/{name}", _EARLIEST), (folder / name).read_bytes())
    return target.getvalue()


def unpack(name: str, content: bytes, folder: Path, most_bytes: int) -> None:
    """Write the files of an exported run, wherever they lie in the ZIP, into the new `folder`.

    Raises InvalidRows for what is no whole ZIP of an export or has more than `most_bytes` unpacked.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {info.filename.rsplit("/", 1)[-1]: info for info in archive.infolist() if not info.is_dir()}
            if sorted(found) != sorted(_FILES):
                raise invalid(f"{name}: no export of a run: it has to hold {', '.join(_FILES)} and nothing else")
            if any(info.compress_type not in _METHODS for info in found.values()):
                raise invalid(f"{name}: compressed by another method than deflate; pack it as it was exported")
            left = most_bytes
            for file, info in found.items():
                with archive.open(info) as packed:
                    unpacked = packed.read(left + 1)  # what the ZIP says of its sizes is not believed
                left -= len(unpacked)
                if left < 0:
                    raise invalid(
                        f"{name}: more than {most_bytes // 2**20} MiB unpacked; unpack it and `righttree import` it"
                    )
                (folder / file).write_bytes(unpacked)
    except WarehouseError:
        raise
    except _BROKEN as error:
        raise invalid(f"{name}: no whole ZIP file ({error}); {CUT}") from error
