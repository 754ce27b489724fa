"""Every page of a warehouse in a real browser: it opens without a complaint, links on, and fits the window."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.__main__ import main
from tests.browser.conftest import OpenAddress, Serve
from tests.helpers.faulty import faulty_set
from tests.helpers.study import Study, publish

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)

PAGES = {
    "": "Does accuracy predict",
    "choose": "Which reward model should I take?",
    "explore": "Accuracy: does it predict the policy?",
    "measures": "Which measure predicts the policy best?",
    "test-sets": "Which test set predicts the policy best?",
    "audit": "Is the test set any good?",
    "overoptimisation": "Overoptimisation",
    "reward-models": "Reward models",
    "responses": "Responses",
}

READABLE = (Path(__file__).parent / "readable.js").read_text()
"""Texts of the page whose contrast with their ground is below 4.5:1 (3:1 where they are large)."""

CHARTS = (Path(__file__).parent / "charts.js").read_text()
"""What of the charts is cut off or printed over something else."""

CUT = (Path(__file__).parent / "cut.js").read_text()
"""Texts of the page that are cut off."""


def faults(page: Page, script: str) -> list[str]:
    """What a script finds in the page once charts have their final size."""
    for _ in range(8):
        poor: list[str] = page.evaluate(f"({script})()")
        if not poor:
            break
        page.wait_for_timeout(500)
    return poor


def settled(page: Page, heading: str) -> None:
    """Wait until the page stands and the server has nothing left to do."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("svg.marks").first).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_by_its_address_without_a_complaint_in_light_and_dark_wide_and_narrow(
    smoke_home: Path, serve: Serve, open_address: OpenAddress, path: str
) -> None:
    for width, scheme in ((1400, "light"), (390, "dark")):
        page = open_address(f"{serve(smoke_home)}/{path}", width=width, color_scheme=scheme)
        settled(page, PAGES[path])
        assert page.get_by_test_id("stException").count() == 0
        warnings = page.get_by_test_id("stAlertContentWarning").all_inner_texts()
        assert [text for text in warnings if "cut off at the length limit" not in text] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page, READABLE) == []
        assert faults(page, CHARTS) == []
        assert faults(page, CUT) == []


@pytest.mark.parametrize("width", [1000, 700, 390])
def test_what_can_be_done_with_a_run_of_a_long_name_lies_within_its_card(
    width: int, tmp_path: Path, serve: Serve, open_address: OpenAddress
) -> None:
    run_id = "import-20261129-172307-79eb"
    home = publish(tmp_path / "home", Study(run_id=run_id))
    page = open_address(f"{serve(home)}/runs", width=width)
    expect(page.get_by_text(run_id).first).to_be_visible()
    assert faults(page, CUT) == []
    card = page.locator(f".st-key-run-{run_id}").bounding_box()
    last = page.get_by_role("button", name="Delete").bounding_box()
    assert card is not None
    assert last is not None
    assert last["x"] + last["width"] <= card["x"] + card["width"]


@pytest.mark.parametrize(
    "path", ["explore", *(pytest.param(path, marks=pytest.mark.deep) for path in PAGES if path != "explore")]
)
def test_every_figure_of_a_page_is_taken_away_as_picture_and_as_table(
    smoke_home: Path, serve: Serve, open_address: OpenAddress, path: str
) -> None:
    page = open_address(f"{serve(smoke_home)}/{path}")
    settled(page, PAGES[path])
    exports = page.get_by_role("button", name="Export")
    for number in range(exports.count()):
        exports.nth(number).click()
        assert taken(page, "PNG").startswith(b"\x89PNG\r\n\x1a\n")
        assert b"smoke-test" in taken(page, "CSV").splitlines()[1]
        page.keyboard.press("Escape")
    assert exports.count() > 0


def taken(page: Page, button: str) -> bytes:
    """The file that a button of the open export menu gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    assert download.value.suggested_filename.endswith(f".{button.lower()}")
    return download.value.path().read_bytes()


def test_the_default_page_opens_by_its_own_path_with_its_parameters(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(f"{serve(smoke_home)}/overview?run=smoke-test")
    settled(page, PAGES[""])
    page.wait_for_url(lambda url: url.endswith("/?run=smoke-test"))
    assert page.get_by_role("dialog").count() == 0


@pytest.mark.parametrize("path", [*PAGES, "runs"])
def test_headings_skip_no_level_and_the_tab_names_page_and_run(
    smoke_home: Path, serve: Serve, open_address: OpenAddress, path: str
) -> None:
    page = open_address(f"{serve(smoke_home)}/{path}")
    expect(page).to_have_title(re.compile(f"^{path.replace('-', ' ').capitalize() or 'Overview'} · .*smoke-test.*"))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    headings = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(h => Number(h.tagName[1]))")
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_the_first_tab_stop_leads_past_the_navigation_and_the_sidebar(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(f"{serve(smoke_home)}/explore")
    settled(page, PAGES["explore"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[data-testid=stMain]') !== null")


def test_a_finding_leads_to_its_page_with_its_run(smoke_home: Path, serve: Serve, open_address: OpenAddress) -> None:
    page = open_address(serve(smoke_home) + "/?run=smoke-test")
    settled(page, PAGES[""])
    page.get_by_role("link", name="See Reward models").click()
    settled(page, PAGES["reward-models"])
    assert page.evaluate("location.search") == "?run=smoke-test"


def test_a_prompt_found_by_a_search_is_reopened_by_its_link(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/responses")
    settled(page, "Responses")
    page.get_by_label("Search", exact=True).fill("the")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "search=the" in url)
    page.get_by_role("button", name="Next").click()
    page.wait_for_url(lambda url: "prompt=" in url)
    settled(page, "Responses")
    shown = page.get_by_test_id("stText").first.inner_text()
    again = open_address(page.evaluate("location.href"))
    settled(again, "Responses")
    expect(again.get_by_test_id("stText").first).to_have_text(shown)
    assert re.search(r"Prompt 2 of \d+", again.locator("body").inner_text())


def test_a_click_on_a_faulty_item_shows_its_texts_and_can_be_linked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, open_address: OpenAddress
) -> None:
    faulty = faulty_set(7, each=20)
    faulty.frame().write_parquet(tmp_path / "scores.parquet")
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    assert main(["import", str(tmp_path / "scores.parquet")]) == 0
    page = open_address(serve(tmp_path) + "/audit?reason=redundant")
    settled(page, PAGES["audit"])
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    table.click(position={"x": 18, "y": 52})  # the box in front of the first row
    page.wait_for_url(lambda url: "item=" in url)
    item = int(page.evaluate("new URLSearchParams(location.search).get('item')").removeprefix("item-"))
    assert item in faulty.faults["redundant"]
    expect(page.locator(".st-key-audit-item")).to_contain_text(faulty.prompts[item])
    again = open_address(page.evaluate("location.href"))
    settled(again, PAGES["audit"])
    expect(again.locator(".st-key-audit-item")).to_contain_text(faulty.prompts[item])
