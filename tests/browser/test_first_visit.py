"""A newcomer's first half hour: from the README's first command, through the path of a first visit, to a report card.

What is typed and which file is uploaded is read from the README. `make run` also starts a run of `quick`, which is that
of other tests (`quick_home`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenAddress
from tests.browser.serving import served
from tests.conftest import righttree
from tests.docs.test_readme import COMMANDS, MAKEFILE, README, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.nightly]

_PATIENCE_MS = 120_000  # the recorded run has 42 reward models
RULING = re.compile(r"Holds|Refuted|Cannot be told")


def still(page: Page, heading: str | re.Pattern[str]) -> None:
    """Wait until the page with this heading stands and the server has nothing left to do."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading, timeout=_PATIENCE_MS)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=_PATIENCE_MS)


def the_command(*begin: str) -> list[str]:
    """The README's command that begins with these words."""
    (words,) = (words for words in COMMANDS if words[: len(begin)] == list(begin))
    return words


def test_from_the_first_line_of_the_readme_to_a_report_card(tmp_path: Path, open_address: OpenAddress) -> None:
    first = re.findall(r"```sh\n(\S+ \S+)", README)[0]
    assert first == "make run"
    assert "righttree app --port $(PORT) --run quick" in MAKEFILE.partition("\nrun:")[2].partition("\n\n")[0]
    home = tmp_path / "home"
    assert "recorded  published" in righttree("runs", home=home).stdout  # published, as the server does it too
    with served(home, tmp_path) as address:
        page = open_address(address)
        page.set_default_timeout(_PATIENCE_MS)
        still(page, "Does accuracy predict the policy?")
        expect(page.get_by_text("Run recorded")).to_be_visible(timeout=_PATIENCE_MS)
        steps = page.locator(".st-key-first-visit")
        expect(steps).to_contain_text("Four steps.")
        expect(page.locator(".st-key-finding-predicts")).to_contain_text(RULING, timeout=_PATIENCE_MS)

        steps.get_by_role("link", name=re.compile(r"2\. ")).click()
        still(page, "Accuracy: does it predict the policy?")
        expect(page.locator(".st-key-figures svg.marks path").first).to_be_visible(timeout=_PATIENCE_MS)

        page.get_by_role("link", name="Overview", exact=True).first.click()
        still(page, "Does accuracy predict the policy?")
        steps.get_by_role("link", name=re.compile(r"3\. ")).click()
        page.wait_for_url(lambda url: "golden=" in url and "proxy=" in url)
        still(page, "Accuracy: does it predict the policy?")
        expect(page.locator(".st-key-picks").get_by_test_id("stText").first).to_be_visible(timeout=_PATIENCE_MS)

        page.get_by_role("link", name="Overview", exact=True).first.click()
        still(page, "Does accuracy predict the policy?")
        steps.get_by_role("link", name=re.compile(r"4\. ")).click()
        still(page, "Which measure predicts the policy best?")

        sample = ROOT / the_command("import")[1]
        page.get_by_role("link", name="Runs", exact=True).first.click()
        still(page, "Runs")
        page.get_by_text("Import scores or a run").click()
        page.locator("input[type=file]").set_input_files(sample)
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_test_id("stAlert").first).to_contain_text("5 reward models", timeout=_PATIENCE_MS)
        page.get_by_role("link", name="Explore it").click()
        still(page, "does it predict the policy?")
        page.get_by_role("link", name="Reward models", exact=True).first.click()
        still(page, "Reward models")
        with page.expect_download() as download:
            page.get_by_role("button", name="Report card").click()
        download.value.save_as(tmp_path / "theirs.html")
        page.context.close()  # before the server ends

    command = the_command("report")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *command],
        cwd=tmp_path,
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, subject in (("theirs.html", "careless"), ("card.html", command[1])):
        card = open_address((tmp_path / name).as_uri())
        expect(card.get_by_role("heading", level=1)).to_contain_text(subject)
        expect(card.locator("figure svg:visible").first).to_be_visible(timeout=_PATIENCE_MS)
