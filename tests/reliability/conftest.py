"""A disk of its own for a test, and the pages as `tests/app` opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import open_view
from tests.reliability import disks
from tests.reliability.disks import Disk

__all__ = ["disk", "open_view"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MiB; skipped where nothing can be mounted, which takes root."""
    found = disks.mounted(tmp_path / "disk", "8m")
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    disks.unmount(found)
