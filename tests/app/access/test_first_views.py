"""First views computed ahead: visitors of every page find all answers in the caches of a real server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.access.first_views import FIRST_VIEWS
from app.views import PAGES
from tests.browser.serving import metrics, served_by, wait_for_first_views
from tests.helpers.study import Study, publish
from tests.reliability.streamlit_client import Session

STUDY = Study(reward_models=4, prompts=8, responses=4, ppo_steps=(5, 10))
_EACH_SECOND = "app.access.warehouse.running"
"""Asked for anew by design: the runs in progress."""


def misses(address: str) -> float:
    """How often an answer was not in its cache."""
    counts = {name: count for name, count in metrics(address).items() if name.startswith("cache_lookups_total")}
    return sum(count for name, count in counts.items() if 'result="miss"' in name and _EACH_SECOND not in name)


def missed_by_visitors(address: str) -> float:
    """The misses while a visitor opens every page."""
    before = misses(address)
    for page in PAGES:
        session = Session(address, page.path)
        assert session.load().exceptions == []
        assert session.title
        session.close()
    return misses(address) - before


@pytest.mark.parametrize("processes", ["0", "1"])
def test_nobody_waits_for_a_first_view_after_the_start_or_a_publish(processes: str, tmp_path: Path) -> None:
    home = publish(tmp_path / "home", STUDY)
    with served_by(home, tmp_path, RIGHTTREE_PROCESSES=processes, **{FIRST_VIEWS: "1"}) as (address, _):
        wait_for_first_views(address)
        first = missed_by_visitors(address)
        again = missed_by_visitors(address)  # what a run has not is looked for every time
        assert first == again < 10
        publish(home, replace(STUDY, run_id="newer"))
        wait_for_first_views(address, builds=4)  # two visitors opened every page
        assert missed_by_visitors(address) == again
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_a_server_without_runs_waits_for_the_first_build(tmp_path: Path) -> None:
    with served_by(tmp_path / "home", tmp_path, RIGHTTREE_READ_ONLY="1", **{FIRST_VIEWS: "1"}) as (address, _):
        publish(tmp_path / "home", STUDY)
        wait_for_first_views(address)
        assert missed_by_visitors(address) < 10
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_they_are_left_to_visitors_where_the_environment_says_so(tmp_path: Path) -> None:
    home = publish(tmp_path / "home", STUDY)
    with served_by(home, tmp_path, **{FIRST_VIEWS: "0"}) as (address, _):
        assert missed_by_visitors(address) > 50
        assert metrics(address)['session_events_total{type="connect"}'] == len(PAGES)
