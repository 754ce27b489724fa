"""What a user does, in a real browser: explore, change, drill down, share, and see new results arrive."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.runs import jobs
from tests.browser.conftest import OpenAddress, Serve
from tests.conftest import righttree
from tests.helpers.publishing import copy_of, publish_again
from warehouse.study import MEASURES

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)


def points(page: Page) -> Locator:
    """The points of the scatter."""
    return page.locator(".st-key-figures svg.marks path[aria-roledescription=circle]")


def tau(page: Page) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text="Kendall τ").get_by_test_id("stMetricValue")


def where(page: Page) -> list[str | None]:
    return [points(page).nth(i).get_attribute("transform") for i in range(points(page).count())]


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of a select box of the sidebar."""
    page.get_by_test_id("stSidebar").get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def settled(page: Page) -> None:
    """Wait until the figures stand and the server has nothing left to do."""
    expect(points(page).first).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def test_changing_the_measure_changes_the_scatter_and_the_correlation(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore")
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Accuracy: does it predict the policy?")
    before, places = tau(page).inner_text(), where(page)
    for name in ("xi", "reward_variance", "bo_r", "brier"):  # with three reward models τ has few values to take
        choose(page, "Measure", MEASURES[name].title)
        expect(page.get_by_role("heading", level=1)).to_contain_text(MEASURES[name].title)
        settled(page)
        assert where(page) != places
        if tau(page).inner_text() != before:
            return
    pytest.fail("four other measures, and the same τ for all of them")


def test_clicking_a_point_opens_its_row_and_the_picked_responses(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore")
    settled(page)
    topmost = points(page).last
    pair = re.fullmatch(r"golden (\S+), proxy (\S+), NDR (\S+)", topmost.get_attribute("aria-label") or "")
    assert pair is not None
    page.set_viewport_size({"width": 1400, "height": 1000})
    topmost.click()
    drilldown = page.locator(".st-key-drilldown")
    expect(drilldown.get_by_role("heading", name=re.compile("What best-of-"))).to_be_visible()
    ndr = page.locator(".st-key-pair-figures").get_by_test_id("stMetricValue").nth(1)
    expect(ndr).to_have_text(pair[3].replace("-", "−"))
    expect(page.locator(".st-key-picks").get_by_test_id("stText").first).to_be_in_viewport()
    page.wait_for_url(lambda url: "golden=" in url and "proxy=" in url)
    assert f"golden={pair[1]}&proxy={pair[2]}" in page.evaluate("location.search")


def test_a_cell_of_the_matrix_chooses_its_pair_and_a_point_the_next_one_again(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore")
    settled(page)
    label = points(page).last.get_attribute("aria-label") or ""
    golden, proxy = label.split(",")[0].removeprefix("golden "), label.split(",")[1].removeprefix(" proxy ")
    mirrored = page.locator(f".st-key-figures path[aria-roledescription='rect mark'][aria-label^='golden {proxy}, ']")
    for target, pair in (
        (points(page).last, f"golden={golden}&proxy={proxy}"),
        (mirrored.and_(page.locator(f"[aria-label*='proxy {golden},']")), f"golden={proxy}&proxy={golden}"),
        (points(page).last, f"golden={golden}&proxy={proxy}"),
    ):
        target.click()
        page.wait_for_url(lambda url, pair=pair: pair in url)
        settled(page)


def test_a_shared_link_reopens_the_choice_in_a_new_session(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    address = serve(smoke_home) + "/explore"
    first = open_address(address)
    settled(first)
    choose(first, "Measure", "Kendall τ-b")
    first.get_by_test_id("stSidebar").get_by_role("button", name="Safety").first.click()
    first.wait_for_url(lambda url: "category=Safety" in url)
    settled(first)
    link, shown = first.evaluate("location.href"), tau(first).inner_text()
    second = open_address(link)
    settled(second)
    expect(second.get_by_role("heading", level=1)).to_contain_text("Kendall τ-b")
    expect(tau(second)).to_have_text(shown)
    assert second.evaluate("location.href") == link


def test_nonsense_in_a_link_gives_a_note_and_the_default(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore?measure=vibes&responses=-1")
    settled(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("measure=vibes")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Accuracy")


def test_an_emptied_warehouse_says_what_to_do_until_a_run_is_published(
    smoke_home: Path, tmp_path: Path, serve: Serve, open_address: OpenAddress
) -> None:
    home = tmp_path / "home"
    page = open_address(serve(home) + "/explore")
    expect(page.get_by_text("Run recorded")).to_be_visible()
    settled(page)
    jobs.delete(home, "recorded")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing to explore yet")
    expect(page.get_by_text("righttree run --profile quick")).to_be_visible()
    shutil.copytree(smoke_home / "runs", home / "runs", dirs_exist_ok=True)
    assert righttree("publish", home=home).returncode == 0
    expect(page.get_by_role("heading", level=1)).to_have_text("Run recorded is not here")
    page.get_by_role("button", name="Open smoke-test instead").click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("does it predict the policy?")


def test_a_second_publish_appears_in_the_open_page_and_keeps_the_choice(
    smoke_home: Path, tmp_path: Path, serve: Serve, open_address: OpenAddress
) -> None:
    home = copy_of(smoke_home, tmp_path / "home")
    page = open_address(serve(home) + "/explore")
    settled(page)
    choose(page, "Measure", "NDCG")
    settled(page)
    publish_again(home, "published-later")
    expect(page.get_by_text("New run: published-later")).to_be_visible()
    expect(page.get_by_text("Run smoke-test")).to_be_visible()
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text("Run published-later")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("NDCG")


def test_the_runs_page_shows_the_finished_run_and_how_it_was_made(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore")
    settled(page)
    page.get_by_role("link", name="Runs").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    page.get_by_text("Settings and timings").first.click()
    expect(page.get_by_text("Where the time went")).to_be_visible()
    page.get_by_role("link", name="Explore").first.click()
    settled(page)


@pytest.mark.parametrize("width", [800, 1400])
def test_the_page_follows_the_browsers_colour_scheme_and_fits_its_width(
    smoke_home: Path, serve: Serve, open_address: OpenAddress, width: int
) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = open_address(serve(smoke_home) + "/explore", width=width, color_scheme=scheme)
        settled(page)
        grounds.append(page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for chart in page.locator(".st-key-figures svg.marks").all():
            box = chart.bounding_box()
            assert box is not None
            assert 250 < box["width"] <= width - box["x"]
    assert grounds == ["rgb(252, 251, 248)", "rgb(21, 24, 27)"]


def test_a_chosen_run_stays_chosen_through_the_navigation_bar(
    smoke_home: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/explore?run=smoke-test")
    settled(page)
    for name, path in (("Responses", "responses"), ("Runs", "runs"), ("Explore", "explore")):
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_url(f"**/{path}?run=smoke-test")


def test_a_run_is_started_and_cancelled_on_the_page(tmp_path: Path, serve: Serve, open_address: OpenAddress) -> None:
    home = tmp_path / "home"
    page = open_address(serve(home) + "/runs")
    page.get_by_text("Start a run", exact=True).click()
    page.get_by_role("radio", name="smoke").click()
    expect(page.get_by_text("Every stage on real code")).to_be_visible()
    expect(page.get_by_role("textbox", name="Flip rates")).to_have_value("0, 0.2, 0.4")
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("-1")
    seed.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("Seed: Input should be greater than or equal to 0; got -1")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    seed.fill("3")
    seed.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("interrupted", exact=True)).to_be_visible()
    (run,) = jobs.list_runs(home)
    assert run.state == "interrupted"
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_run_is_taken_away_as_a_zip_and_brought_in_elsewhere(
    smoke_home: Path, tmp_path: Path, serve: Serve, open_address: OpenAddress
) -> None:
    page = open_address(serve(smoke_home) + "/runs")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "smoke-test.zip"
    other = open_address(serve(tmp_path / "home") + "/runs")
    other.get_by_text("Import scores or a run").click()
    other.locator("input[type=file]").set_input_files(
        {"name": "smoke-test.zip", "mimeType": "application/zip", "buffer": download.value.path().read_bytes()}
    )
    other.get_by_role("button", name="Import", exact=True).click()
    expect(other.get_by_test_id("stAlert")).to_contain_text("smoke-test: 4 reward models")
    other.get_by_role("link", name="Explore it").click()
    settled(other)
