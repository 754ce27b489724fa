"""Pictures of every page, light and dark, and of the figures in the README: PNGs of at most some 100 KB.

    python -m tests.browser.pictures [--data FOLDER] [--into FOLDER] [--page NAME ...] [--size WIDTH HEIGHT]
    python -m tests.browser.pictures --readme [--data FOLDER] [--into FOLDER]

Takes the run that a data folder opens on (default: `RIGHTTREE_HOME`, or ./data).
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from app.views import PAGES
from tests.browser import serving
from warehouse import store

PATHS = {page.name.replace("_", "-"): page.path for page in PAGES}
"""The address of each page by its name."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_COLOURS = 256
_SHRUNK_WIDTH = 1000
_TIMEOUT_MS = 120_000
_STILL = "[data-testid=stApp][data-test-script-state=notRunning] h1"

README: Mapping[str, tuple[str, str]] = {
    "study": ("", "figure-overview"),
    "categories": ("test-sets?study=categories", "figure-category-table"),
    "refresh": ("runs", "start"),
    "reward-model": ("reward-models", "figure-agreement"),
    "budget": ("test-sets?study=budget&plan-budget=240&plan-noise=0.2", "figure-plan-curve"),
}
"""Figures of the README by name: the page's address and the key of the container on it."""


def picture(
    browser: Browser, address: str, scheme: Literal["light", "dark"], size: tuple[int, int], key: str | None = None
) -> bytes:
    """PNG of a page once it stands still; of one of its containers, if a key is given."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(_STILL, timeout=_TIMEOUT_MS)
    page.wait_for_selector("[data-testid=stSkeleton]", state="detached", timeout=_TIMEOUT_MS)
    place = page.locator(f".st-key-{key}") if key else None
    if place is not None:
        place.scroll_into_view_if_needed(timeout=_TIMEOUT_MS)
        if (fold := place.locator("details:not([open]) summary")).count():
            fold.first.click()
            page.wait_for_timeout(500)
            page.wait_for_selector(_STILL, timeout=_TIMEOUT_MS)
    page.wait_for_timeout(1500)  # charts fade in
    taken = page.screenshot() if place is None else place.screenshot()
    context.close()
    return taken


def small(png: bytes) -> Image.Image:
    """The picture at most 1,000 pixels wide, in 256 colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > _SHRUNK_WIDTH:
        height = round(image.height * _SHRUNK_WIDTH / image.width)
        image = image.resize((_SHRUNK_WIDTH, height), Image.Resampling.LANCZOS)
    return image.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def _wanted(arguments: argparse.Namespace) -> list[tuple[str, str, str | None]]:
    """Name of the file, address and key of each picture."""
    if arguments.readme:
        return [(f"readme-{name}", place, key) for name, (place, key) in README.items()]
    return [(name, PATHS[name], None) for name in arguments.page]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=store.home(), metavar="FOLDER", help="data folder with a run")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where to put them (default: pictures)")
    parser.add_argument("--page", nargs="+", choices=PATHS, default=PATHS, help="pages to take (default: all)")
    parser.add_argument("--size", nargs=2, type=int, metavar=("WIDTH", "HEIGHT"), help="of the window")
    parser.add_argument("--readme", action="store_true", help="the figures of the README instead of pages")
    parser.add_argument("--full", action="store_true", help="neither shrink them nor cut down on colours")
    arguments = parser.parse_args()
    folder = arguments.into or Path("docs/images" if arguments.readme else "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as logs, sync_playwright() as playwright:
        browser = serving.chromium(playwright)
        if browser is None:
            print("no Chromium here: install chromium", file=sys.stderr)
            return 2
        with serving.served(arguments.data.absolute(), Path(logs)) as address:
            for name, place, key in _wanted(arguments):
                for scheme in SCHEMES[:1] if arguments.readme else SCHEMES:
                    size = arguments.size or (1400, 2400 if arguments.readme else 1500)  # a figure is taken whole
                    taken = picture(browser, f"{address}/{place}", scheme, tuple(size), key)
                    path = folder / f"{name}-{scheme}.png"
                    if arguments.full:
                        path.write_bytes(taken)
                    else:
                        small(taken).save(path, optimize=True)
                    print(path, path.stat().st_size // 1024, "KiB")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
