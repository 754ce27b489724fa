"""The report card in a real Chromium: what it asks for, what it shows in light, dark and print, and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from app.report import page
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark
from warehouse import store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report card on disk."""
    folder = tmp_path_factory.mktemp("report-card")
    benchmark_study.publish(folder, Benchmark(reward_models=5, prompts=40, most=6))
    with store.open_read_only(folder) as connection:
        (folder / "card.html").write_text(page.write(connection, None, "rm-03"), encoding="utf-8")
    return folder / "card.html"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 375), ("dark", 375)])
def test_it_is_complete_fits_and_follows_the_reader(
    browser: Browser, file: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        card = context.new_page()
        requests: list[str] = []
        troubles: list[str] = []
        card.on("request", lambda request: requests.append(request.url))
        card.on("console", lambda said: troubles.append(said.text))
        card.goto(file.as_uri())
        assert requests == [file.as_uri()]
        assert troubles == []
        assert card.evaluate("document.documentElement.scrollWidth") <= width
        seen = {look: card.locator(f".{look} svg").first.is_visible() for look in ("light", "dark")}
        assert seen == {"light": scheme == "light", "dark": scheme == "dark"}
        assert card.locator("figure").count() >= 5
        assert all(figure.locator("svg:visible").count() == 1 for figure in card.locator("figure").all())


def test_a_printed_page_is_light_even_for_a_reader_of_dark_pages(browser: Browser, file: Path) -> None:
    with browser.new_context(color_scheme="dark") as context:
        card = context.new_page()
        card.goto(file.as_uri())
        card.emulate_media(media="print", color_scheme="dark")
        assert card.locator(".light svg").first.is_visible()
        assert not card.locator(".dark svg").first.is_visible()
        assert card.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert card.pdf().startswith(b"%PDF")
