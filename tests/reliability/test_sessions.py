"""Many visitors at once: nobody sees an error. How long they wait is in `docs/reliability.md`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import sessions

pytestmark = [pytest.mark.reliability, pytest.mark.nightly]

VISITORS, SECONDS = 10, 12.0
"""`python -m tests.reliability.report` has 25 for a minute."""


def test_visitors_who_change_controls_at_once_see_no_error(tmp_path: Path) -> None:
    crowd = sessions.gather(tmp_path, VISITORS, SECONDS)
    assert crowd.failures == []
    assert all(one.changes for one in crowd.seen)
    assert "Traceback" not in (tmp_path / "server.log").read_text()
