"""Disks that really fill up: a small tmpfs, mounted for one test."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PIECE = b"\1" * 4096


@dataclass(frozen=True)
class Disk:
    """A mounted disk of a few MiB."""

    path: Path

    @property
    def home(self) -> Path:
        """The data folder on it."""
        return self.path / "home"

    def fill(self, leave_bytes: int = 0) -> None:
        """Leave so much room, to the page."""
        ballast = self.path / "ballast"
        with ballast.open("ab", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(_PIECE)
            file.truncate(max(0, file.tell() - leave_bytes))

    def make_room(self) -> None:
        (self.path / "ballast").unlink()

    def remount(self, options: str) -> None:
        """As read-only (`ro`), or of another size (`size=64m`)."""
        _mount(self.path, "-o", f"remount,{options}")


def mounted(path: Path, size: str) -> Disk | str:
    """A disk of that size at the folder; why not, where nothing can be mounted."""
    path.mkdir()
    try:
        _mount(path, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no tmpfs can be mounted here: {getattr(error, 'stderr', None) or error}"
    return Disk(path)


def unmount(disk: Disk) -> None:
    subprocess.run(["umount", "--lazy", str(disk.path)], check=True, capture_output=True)


def _mount(path: Path, *arguments: str) -> None:
    subprocess.run(["mount", *arguments, str(path)], check=True, capture_output=True, text=True)
