"""Files that came through a browser, imported as `righttree import` does; no name or size is believed.

They are written into a folder of their own in the data folder, which is removed however the import ends.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InvalidUpload
from pipeline.outside import Imported, import_files
from warehouse import outside

MOST_BYTES = 200 * 2**20
"""Most bytes of all files of an upload together; greater ones are imported by `righttree import`."""
_MOST_FILES = 100
_MOST_UNPACKED_BYTES = 4 * MOST_BYTES
_FOLDER = ".upload-"


File = tuple[str, bytes]
"""Name and content of an uploaded file."""


def import_uploads(data: Path, files: Sequence[File], run_id: str | None) -> Imported:
    """Publish uploaded files as one run; an archive of an exported run has to be the only file.

    Raises InvalidUpload before anything is written, and what `import_files` raises.
    """
    _check(files)
    folder = data / f"{_FOLDER}{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True)
        return import_files(data, _written(folder, files), run_id, "auto")
    except OSError as error:
        raise InvalidUpload(f"{data} cannot be written ({error.strerror}); make room or set RIGHTTREE_HOME") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(files: Sequence[File]) -> None:
    if not files:
        raise InvalidUpload("no files: give one with scores, or the ZIP of an exported run")
    total = sum(len(content) for _, content in files)
    if total > MOST_BYTES:
        raise InvalidUpload(
            f"the files have {total / 2**20:,.0f} MiB, an upload may have {MOST_BYTES // 2**20} MiB; take them in with "
            "`righttree import`"
        )
    if len(files) > _MOST_FILES:
        raise InvalidUpload(f"{len(files)} files, more than the {_MOST_FILES} that an upload may have: join some")
    endings = (*outside.EXTENSIONS, outside.ARCHIVE)
    names = [name for name, _ in files]
    for name in names:
        if name != Path(name).name or name.startswith(".") or not name.isprintable():
            raise InvalidUpload(f"{name!r} is no plain file name: rename the file")
        if not name.lower().endswith(endings):
            raise InvalidUpload(f"{name}: unknown kind of file; give one of {', '.join(endings)}")
        if names.count(name) > 1:
            raise InvalidUpload(f"{name}: two files of this name; give each file once, or rename one")
    archives = [name for name in names if name.lower().endswith(outside.ARCHIVE)]
    if archives and len(files) > 1:
        raise InvalidUpload(f"{archives[0]}: an exported run is imported alone; give it and nothing else")


def _written(folder: Path, files: Sequence[File]) -> list[Path]:
    """The uploaded files in the folder, or the folder of an exported run that the one archive has."""
    name, content = files[0]
    if name.lower().endswith(outside.ARCHIVE):
        outside.unpack(name, content, folder / "run", _MOST_UNPACKED_BYTES)
        return [folder / "run"]
    for name, content in files:
        (folder / name).write_bytes(content)
    return [folder / name for name, _ in files]
