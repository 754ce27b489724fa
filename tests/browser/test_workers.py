"""Two workers behind the proxy of docs/haproxy.cfg: visitors stay with theirs, and both show the same runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenAddress
from tests.helpers.study import publish
from tests.reliability import sessions
from tests.reliability.workers import CONFIGURATION, Served, has_proxy, served_by_workers

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not has_proxy(), reason="HAProxy is not installed: apt-get install haproxy"),
]

SCORES = Path(__file__).parent.parent.parent / "examples" / "scores.csv"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("workers")
    with served_by_workers(publish(place / "home", sessions.STUDY), place) as both:
        yield both


def worker_of(page: Page) -> str:
    return next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "righttree-worker")


def two_visitors(served: Served, open_address: OpenAddress, path: str) -> tuple[Page, Page]:
    """Visitors of the first and of the second worker."""
    pages: dict[str, Page] = {}
    for _ in range(6):
        page = open_address(f"{served.address}/{path}")
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
        pages[worker_of(page)] = page
    assert sorted(pages) == ["one", "two"]
    return pages["one"], pages["two"]


def test_the_configuration_is_valid() -> None:
    done = subprocess.run(["haproxy", "-c", "-f", str(CONFIGURATION)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("WARNING") == 0


def test_visitors_of_two_workers_see_no_error(tmp_path: Path) -> None:
    crowd = sessions.gather(tmp_path, visitors=8, seconds=12, workers=2)
    assert crowd.failures == []
    assert all(one.changes for one in crowd.seen)
    logs = [(tmp_path / f"worker-{number}" / "server.log").read_text() for number in (0, 1)]
    assert not [log for log in logs if "Traceback" in log]


def test_each_visitor_downloads_from_the_own_worker(served: Served, open_address: OpenAddress) -> None:
    for page in two_visitors(served, open_address, "explore"):
        worker = worker_of(page)
        page.get_by_role("button", name="Export").first.click()
        for kind in ("PNG", "CSV"):
            with page.expect_download() as download:
                page.get_by_role("button", name=kind, exact=True).click()
            assert download.value.path().stat().st_size > 0
        assert worker_of(page) == worker


def test_what_is_imported_through_one_worker_is_seen_through_the_other(
    served: Served,
    open_address: OpenAddress,
) -> None:
    here, there = two_visitors(served, open_address, "runs")
    expect(there.get_by_text("brought")).to_have_count(0)
    here.get_by_text("Import scores or a run").click()
    here.locator("input[type=file]").set_input_files(
        {"name": "brought.csv", "mimeType": "text/csv", "buffer": SCORES.read_bytes()}
    )
    here.get_by_role("button", name="Import", exact=True).click()
    expect(here.get_by_role("link", name="Explore it")).to_be_visible(timeout=60_000)
    expect(there.get_by_text(re.compile("brought")).first).to_be_visible(timeout=30_000)


def test_the_visitors_of_a_worker_that_ends_go_on_with_the_other(tmp_path: Path, browser: Browser) -> None:
    contexts = []

    def opener(address: str) -> Page:  # whose console may say that the server is gone
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.goto(address)
        return page

    with served_by_workers(publish(tmp_path / "home", sessions.STUDY), tmp_path) as served:
        _, page = two_visitors(served, opener, "explore")
        os.kill(served.servers[1], signal.SIGKILL)
        page.wait_for_timeout(6_000)  # the proxy asks every two seconds, twice
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_contain_text("predict the policy", timeout=60_000)
        assert worker_of(page) == "one"
        for context in contexts:
            context.close()
