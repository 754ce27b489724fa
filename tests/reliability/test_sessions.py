"""Many visitors at once: nobody sees an error. How long they wait is in `docs/reliability.md`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.components.page_state import RARELY
from tests.browser.serving import served
from tests.helpers.study import publish
from tests.reliability import sessions
from tests.reliability.streamlit_client import Session

pytestmark = [pytest.mark.reliability, pytest.mark.nightly]

VISITORS, SECONDS = 10, 12.0
"""`python -m tests.reliability.report` has 25 for a minute."""


def test_visitors_who_change_controls_at_once_see_no_error(tmp_path: Path) -> None:
    crowd = sessions.gather(tmp_path, VISITORS, SECONDS)
    assert crowd.failures == []
    assert all(one.changes for one in crowd.seen)
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_an_open_page_asks_for_news_every_ten_seconds_and_shows_a_new_build(tmp_path: Path) -> None:
    home = publish(tmp_path / "home", sessions.STUDY)
    with served(home, tmp_path) as address:
        session = Session(address, "explore")
        assert session.load().exceptions == []
        widgets = set(session.widgets)
        session.wait(1.0)  # what is due already, where the page took long
        (answer,) = session.wait(float(RARELY.removesuffix("s")))
        assert answer.exceptions == []
        assert set(session.widgets) == widgets  # a part of the page was run again
        publish(home, replace(sessions.STUDY, run_id="newer"))
        answers = session.wait(2 * float(RARELY.removesuffix("s")))
        assert answers
        (control,) = [widget for widget in session.widgets.values() if widget.proto.label == "Run"]
        assert "newer" in control.options
        session.close()
