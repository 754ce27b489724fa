"""Many visitors at once on a served dashboard, each changing one control after another.

A visitor is a websocket session that speaks Streamlit's own protocol; it draws nothing, so what is timed is the server:
from a change being sent to the end of the page's script, everything received. Visitors wait a second or three between
two changes, as people at least do. Their own work is done on the same machine.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.browser.serving import served_by
from tests.helpers.study import Study, publish
from tests.reliability.streamlit_client import Session, Widget

STUDY = Study(reward_models=8, prompts=16, responses=8, samples=16, ppo_steps=(5, 10, 20, 40), paraphrases=True)
PAGES = (
    "overview",
    "choose",
    "explore",
    "measures",
    "test-sets",
    "audit",
    "overoptimisation",
    "reward-models",
    "responses",
)
HOME_PAGE, HOME_TITLE = "overview", "Does accuracy predict the policy?"
"""Where a session lands that does not say which page it is on."""
_CHANGED = ("selectbox", "button_group", "multiselect", "slider")
_THINK_S = (1.0, 3.0)


@dataclass
class Seen:
    """Seconds of first views and of changes, and what went wrong."""

    first: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Crowd:
    """What all visitors saw, and the server's memory in bytes: before the first came, and at most."""

    visitors: int
    seconds: float
    seen: Sequence[Seen]
    memory_before: int
    memory_most: int

    @property
    def changes(self) -> list[float]:
        return sorted(second for one in self.seen for second in one.changes)

    @property
    def failures(self) -> list[str]:
        return [failure for one in self.seen for failure in one.failures]

    @property
    def row(self) -> str:
        """Its row of the document's table."""
        first = sorted(second for one in self.seen for second in one.first)
        times = (_ms(self.changes, 0.5), _ms(self.changes, 0.99), _ms(first, 0.5), _ms(first, 1))
        memory = f"{self.memory_before / 2**20:,.0f} → {self.memory_most / 2**20:,.0f}"
        row = (self.visitors, f"{len(self.changes):,}", len(self.failures), *times, memory)
        return f"| {' | '.join(map(str, row))} |"


HEADER = (
    "| sessions | changed controls | errors | a change: median, ms | 99th percentile | first view, all at once: median "
    "| the last | memory, MiB |",
    "|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def _ms(times: Sequence[float], share: float) -> str:
    if not times:
        return "–"
    return f"{1000 * (statistics.median(times) if share == 0.5 else times[int(share * (len(times) - 1))]):,.0f}"


def gather(place: Path, visitors: int, seconds: float, seed: int = 0) -> Crowd:
    """Serve a published study and let so many visitors change its controls for so long."""
    home = publish(place / "home", STUDY)
    with served_by(home, place) as (address, server):
        before = most = _resident(server)
        seen = [Seen() for _ in range(visitors)]
        threads = [
            threading.Thread(target=_visit, args=(address, PAGES[n % len(PAGES)], seconds, Random(f"{seed} {n}"), one))
            for n, one in enumerate(seen)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most = max(most, _resident(server))
            time.sleep(0.2)
    return Crowd(visitors, seconds, seen, before, most)


def _visit(address: str, page: str, seconds: float, rng: Random, seen: Seen) -> None:
    try:
        session = Session(address, page)
        answer = session.load()
        seen.first.append(answer.seconds)
        seen.failures += answer.exceptions
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(rng.uniform(*_THINK_S))
            widget = rng.choice([widget for widget in session.widgets.values() if _is_changed(widget)])
            answer = session.change(widget, rng.choice(widget.options))
            seen.changes.append(answer.seconds)
            seen.failures += [f"{page}, {widget.proto.label}: {exception}" for exception in answer.exceptions]
            if page != HOME_PAGE and session.title == HOME_TITLE:
                seen.failures.append(f"{page}, {widget.proto.label}: the session is on {HOME_PAGE}")
        session.close()
    except Exception as error:
        seen.failures.append(f"{page}: {type(error).__name__}: {error}")


def _is_changed(widget: Widget) -> bool:
    return widget.kind in _CHANGED and len(widget.options) > 1 and not widget.proto.disabled


def _resident(process: int) -> int:
    """Bytes of memory of a process that are in use."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
