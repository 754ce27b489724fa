"""How long the dashboard takes: a page's first view, and every control's change; into `docs/benchmarks.md`.

    python -m tests.benchmarks.dashboard [--print] [--rounds N] [--view NAME ...] [--size NAME ...]

A run of each size is published as a real warehouse. *First view*: `righttree app` is started afresh and Chromium opens
the page; timed is from the moment the server answers to the page's first figure, imports, reading, drawing and the
browser's own work included. *A changed control*: the page's script under Streamlit's AppTest, from the change to the
end of the script, charts and tables serialised; before each change all caches are emptied and the page is drawn once,
so that what the change asks for was never asked before. Ends with exit code 1 where a budget is exceeded.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from playwright.sync_api import Browser, sync_playwright
from streamlit.testing.v1 import AppTest

from tests.benchmarks.baselines import json_line
from tests.benchmarks.dashboard_studies import PAPER, RECORDED, VIEWS, Change, changes
from tests.benchmarks.document import insert
from tests.browser import serving
from tests.helpers.study import Study, publish

ROUNDS = 5
FIRST_VIEWS = 3
FIRST_BUDGET_S = 3.0
TIMEOUT_S = 120.0
_FIGURE = "[data-testid=stVegaLiteChart] .marks"


@dataclass(frozen=True)
class Size:
    """A run to publish and what a changed control may take on it."""

    title: str
    study: Study
    budget_s: float


SIZES = {
    "recorded": Size("recorded run", RECORDED, 0.3),
    "paper": Size("paper scale", PAPER, 1.0),
}

Times = list[float]


class Report(NamedTuple):
    """The section of the document, whether all is within its budget, and median seconds by figure."""

    section: str
    within: bool
    medians: dict[str, float]


def _page(view: str) -> None:
    import importlib

    from app.components import style

    style.show()
    importlib.import_module(f"app.views.{view}.page").show()


def changed_control(change: Change, rounds: int) -> Times:
    """Seconds of the page's script after the change, in each of so many rounds."""
    times = []
    for _ in range(rounds):
        st.cache_resource.clear()
        page = AppTest.from_function(_page, args=(change.view,), default_timeout=TIMEOUT_S)
        for name, value in change.query.items():
            page.query_params[name] = value
        page.run()
        control = getattr(page, change.kind)(key=change.key).set_value(change.value)
        begun = time.perf_counter()
        control.run()
        times.append(time.perf_counter() - begun)
        if page.exception or page.error:
            raise RuntimeError(f"{change}: {[*page.exception, *page.error]}")
    return times


def first_view(browser: Browser, home: Path, view: str, rounds: int) -> Times:
    """Seconds from the server's first answer to the page's first figure, each with a server of its own."""
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, serving.served(home, Path(folder)) as address:
            begun = time.perf_counter()
            context = browser.new_context(viewport={"width": 1400, "height": 1800})
            page = context.new_page()
            page.goto(f"{address}/{'' if view == 'overview' else view.replace('_', '-')}")
            page.locator(_FIGURE).first.wait_for(timeout=TIMEOUT_S * 1000)
            times.append(time.perf_counter() - begun)
            context.close()
    return times


def _figures(times: Times, budget_s: float, unit: float) -> str:
    """Median and worst as cells of the table, a median over its budget marked."""
    median, worst = statistics.median(times), max(times)
    over = " **over**" if median > budget_s else ""
    digits = 0 if unit == 1000 else 1
    return f"{median * unit:,.{digits}f}{over} | {worst * unit:,.{digits}f}"


def _table(
    names: Sequence[tuple[str, ...]],
    heads: Sequence[str],
    found: Mapping[str, Mapping[tuple[str, ...], Times]],
    budgets_s: Mapping[str, float],
    unit: str,
) -> list[str]:
    """Rows of median and worst, one column pair per size."""
    scale = 1000 if unit == "ms" else 1
    sizes = [f"{SIZES[size].title}: median, {unit} | worst" for size in found]
    lines = [f"| {' | '.join([*heads, *sizes])} |", "|---" * len(heads) + "|---:" * (2 * len(found)) + "|"]
    for name in names:
        cells = [_figures(times[name], budgets_s[size], scale) for size, times in found.items()]
        lines.append(f"| {' | '.join([*name, *cells])} |")
    return lines


def _described(study: Study) -> str:
    categories = len(study.categories)
    return (
        f"{study.reward_models} reward models, {categories * study.prompts:,} RM-test prompts × {study.responses} "
        f"responses, {categories * (study.rl_prompts or study.prompts):,} RL-test prompts × {study.samples} samples, "
        f"PPO with {len(study.ppo_steps)} checkpoints, {len(study.penalties)} more KL penalties on {study.swept}"
    )


def measure(sizes: Sequence[str], views: Sequence[str], rounds: int, first_views: int) -> Report:
    """Measure these pages on runs of these sizes."""
    first: dict[str, dict[tuple[str, ...], Times]] = {size: {} for size in sizes}
    changed: dict[str, dict[tuple[str, ...], Times]] = {size: {} for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        homes = {size: publish(Path(folder) / size, SIZES[size].study) for size in sizes}
        if first_views:
            with sync_playwright() as playwright:  # left before AppTest begins, which wants no event loop around it
                browser = serving.chromium(playwright)
                if browser is None:
                    raise SystemExit(f"no Chromium found, none of {', '.join(serving.NAMES)}; or give --first-views 0")
                for size, view in product(sizes, views):
                    first[size][VIEWS[view],] = first_view(browser, homes[size], view, first_views)
        for size in sizes:
            os.environ["RIGHTTREE_HOME"] = str(homes[size])
            for change in changes(SIZES[size].study):
                if change.view in views:
                    times = changed_control(change, rounds)
                    changed[size][VIEWS[change.view], change.control] = times
                    print(f"{size}, {change.view}, {change.control}: {statistics.median(times):.3f} s", file=sys.stderr)
    medians = {
        ", ".join((size, *name)): statistics.median(times)
        for figures in (first, changed)
        for size, by_name in figures.items()
        for name, times in by_name.items()
    }
    section, within = _section(first, changed, rounds, first_views)
    return Report(section, within, medians)


def _section(
    first: dict[str, dict[tuple[str, ...], Times]],
    changed: dict[str, dict[tuple[str, ...], Times]],
    rounds: int,
    first_views: int,
) -> tuple[str, bool]:
    budgets_s = {size: SIZES[size].budget_s for size in changed}
    first_budgets_s = dict.fromkeys(first, FIRST_BUDGET_S)
    over = [
        name
        for found, budget in ((first, first_budgets_s), (changed, budgets_s))
        for size, times in found.items()
        for name, one in times.items()
        if statistics.median(one) > budget[size]
    ]
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"Streamlit {st.__version__}, {date.today()}; each figure is the median of {rounds}, of {first_views} for "
        "first views, beside the worst.",
        f"A changed control may take {' and '.join(f'{b * 1000:,.0f} ms' for b in budgets_s.values())}, a first view "
        f"{FIRST_BUDGET_S:.0f} s; {len(over) or 'none'} of {sum(map(len, [*first.values(), *changed.values()]))} "
        f"figures {'is' if len(over) == 1 else 'are'} over.",
        "",
        *(f"- {SIZES[size].title}: {_described(SIZES[size].study)}" for size in changed),
    ]
    if first_views:
        names = list(next(iter(first.values())))
        lines += ["", *_table(names, ["first view"], first, first_budgets_s, "s")]
    names = list(next(iter(changed.values())))
    lines += ["", *_table(names, ["page", "changed control"], changed, budgets_s, "ms")]
    return "\n".join(lines), not over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"changes of each control (default: {ROUNDS})")
    parser.add_argument(
        "--first-views", type=int, default=FIRST_VIEWS, help=f"first views of each page (default: {FIRST_VIEWS})"
    )
    parser.add_argument("--view", nargs="+", choices=tuple(VIEWS), default=tuple(VIEWS), help="only these pages")
    parser.add_argument("--size", nargs="+", choices=tuple(SIZES), default=tuple(SIZES), help="only these sizes")
    arguments = parser.parse_args()
    logging.getLogger("streamlit.runtime.scriptrunner_utils").setLevel(logging.ERROR)  # caches emptied outside a page
    report = measure(arguments.size, arguments.view, arguments.rounds, arguments.first_views)
    print(report.section)
    if not arguments.print:
        insert("dashboard", report.section)
    print(json_line("dashboard", report.medians))
    return int(not report.within)


if __name__ == "__main__":
    sys.exit(main())
