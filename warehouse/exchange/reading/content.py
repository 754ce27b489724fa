"""A file's bytes, decompressed, and what kind of file they are: the content says it, and only where it does not, the
name."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from warehouse import files
from warehouse.errors import InvalidRows, first_line
from warehouse.exchange.reading.limits import COMMAND_LINE, RATIO, Limits
from warehouse.exchange.sheet import CUT, invalid

_PACKED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
_PART_BYTES = 4 * 2**20
_UTF_8 = b"\xef\xbb\xbf"
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Kind(Enum):
    """Kinds of files."""

    PARQUET = "Parquet"
    ARROW = "Arrow"
    JSON = "JSON"
    LINES = "JSON Lines"
    TABLE = "CSV"


_KINDS = {
    ".parquet": Kind.PARQUET,
    ".arrow": Kind.ARROW,
    ".feather": Kind.ARROW,
    ".csv": Kind.TABLE,
    ".tsv": Kind.TABLE,
    ".jsonl": Kind.LINES,
    ".ndjson": Kind.LINES,
    ".json": Kind.JSON,
}
EXTENSIONS = (*_KINDS, *_PACKED)
"""File name extensions that are read; `.gz` and `.zst` stand after another one or alone."""

_MAGIC = {
    b"PAR1": Kind.PARQUET,
    b"ARROW1": Kind.ARROW,
    b"\xff\xff\xff\xff": Kind.ARROW,  # a stream
}
_OTHERS = {
    b"PK\x03\x04": "a ZIP or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"\x80\x04\x95": "a pickle, which is never loaded: write it as Parquet",
    b"\x80\x05\x95": "a pickle, which is never loaded: write it as Parquet",
    b"SQLite format 3": "an SQLite database: export its table as CSV",
    b"\x89HDF": "an HDF5 file: write it as Parquet",
    b"version https://git-lfs": "a Git LFS pointer, not the file: get the file with `git lfs pull`",
    b"FEA1": "a Feather file of version 1: write it with version 2, or as Parquet",
}


def content_of(path: Path, limits: Limits = COMMAND_LINE) -> bytes:
    """The bytes of a file, decompressed. Raises InvalidRows if it is missing, no file, empty, cut off or too large."""
    if kind := files.special(path):
        raise invalid(f"{path}: is {kind}, not a file; write what comes out of it to a file and give that")
    try:
        limits.check(path.name, 0, path.stat().st_size)
        content = path.read_bytes()
    except InvalidRows:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise invalid(f"{path}: cannot be read ({reason}); check the path") from error
    content = unpacked(path.name, content, limits)
    if not content.strip():
        raise invalid(f"{path.name}: the file is empty; give one with rows")
    return content


def unpacked(name: str, content: bytes, limits: Limits = COMMAND_LINE) -> bytes:
    """The bytes without gzip or Zstandard around them, whatever the name says. Raises InvalidRows."""
    try:
        if content.startswith(_PACKED[".gz"]):
            plain = _at_most(name, gzip.GzipFile(fileobj=io.BytesIO(content)), len(content), limits)
        elif content.startswith(_PACKED[".zst"]):
            stream = pa.CompressedInputStream(pa.BufferReader(content), "zstd")
            plain = _at_most(name, stream, len(content), limits)
        else:
            return content
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise invalid(f"{name}: cannot be read ({first_line(error)}); {CUT}") from error
    if plain.startswith(tuple(_PACKED.values())):
        raise invalid(f"{name}: packed twice; unpack it first")
    return plain


def _at_most(name: str, packed: BinaryIO | pa.NativeFile, packed_bytes: int, limits: Limits) -> bytes:
    """Everything that a stream unpacks to; it is given up as soon as that is too much."""
    most, size, parts = limits.most_unpacked(packed_bytes), 0, []
    while part := packed.read(_PART_BYTES):
        size += len(part)
        if size > most:
            above = f"more than {most // 2**20:,} MiB unpacked"
            if most < limits.unpacked_bytes:
                raise invalid(f"{name}: {above}, above {RATIO} times its size; unpack it first")
            raise invalid(f"{name}: {above}; {limits.remedy}")
        parts.append(part)
    return b"".join(parts)


def extension(name: str) -> str:
    """The extension that says what a file is, without `.gz` and `.zst`; empty if it has none."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_readable(path: Path) -> bool:
    """Whether the name is one of a file that is read."""
    return extension(path.name) in _KINDS


def kind_of(name: str, content: bytes) -> Kind:
    """What kind of file it is. Raises InvalidRows for one that is none of them."""
    ending = extension(name)
    by_name = _KINDS.get(ending)
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    for magic, what in _OTHERS.items():
        if content.startswith(magic) and by_name is not None:
            raise invalid(f"{name}: it is {what}")
    if by_name in (Kind.PARQUET, Kind.ARROW) and not _is_text(content):
        return by_name
    begin = _decoded(content[:4096], "replace").lstrip()
    if begin[:1] in (b"{", b"["):
        return Kind.LINES if by_name is Kind.LINES else Kind.JSON
    if by_name is None and b"\t" in begin.partition(b"\n")[0]:  # Excel saves Unicode text as .txt, with tabs
        return Kind.TABLE
    if by_name is None:
        endings = ", ".join(EXTENSIONS)
        raise invalid(f"{name}: unknown extension {ending!r}; give one of {endings}")
    return by_name


def utf_8(name: str, content: bytes) -> bytes:
    """Text as UTF-8 without a byte order mark; Excel's Unicode text is UTF-16. Raises InvalidRows for broken UTF-16."""
    try:
        return _decoded(content, "strict")
    except UnicodeDecodeError as error:
        raise invalid(f"{name}: no whole UTF-16 text ({error.reason}); {CUT}, or save it as UTF-8") from error


def _decoded(content: bytes, errors: str) -> bytes:
    encoding = _UTF_16.get(content[:2])
    return content.removeprefix(_UTF_8) if encoding is None else content[2:].decode(encoding, errors).encode()


def _is_text(content: bytes) -> bool:
    return re.search(rb"[\x00-\x08\x0e-\x1f]", content[:1024]) is None
