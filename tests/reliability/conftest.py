"""A disk of its own for a test, a real run to go on with, and the pages as `tests/app` opens them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.app.conftest import open_view
from tests.conftest import TINY_RUN
from tests.reliability import disks
from tests.reliability.disks import Disk

__all__ = ["disk", "open_view", "resume"]

Resume = Callable[[Path], int]


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    """A disk of 8 MiB, or of another size given indirectly; skipped where nothing can be mounted, which takes root."""
    found = disks.mounted(tmp_path / "disk", getattr(request, "param", "8m"))
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    disks.unmount(found)


@pytest.fixture
def resume(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resume]:
    """Calls `righttree resume` on the run of `tiny_home`, or a copy of it, in this process; gives the exit code."""
    before = signal.getsignal(signal.SIGTERM)

    def resume_in(home: Path) -> int:
        monkeypatch.setenv("RIGHTTREE_HOME", str(home))
        return main(["resume", TINY_RUN])

    yield resume_in
    signal.signal(signal.SIGTERM, before)  # `resume` has another one for it
