"""Many visitors at once on a served dashboard, each changing one control after another.

A visitor is a websocket session that speaks Streamlit's own protocol; it draws nothing, so what is timed is the server:
from a change being sent to the end of the page's script, everything received. Visitors wait a second or three between
two changes, as people at least do; meanwhile their page asks for news, as in a browser. Their own work is done on the
same machine.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.helpers.study import Study, publish
from tests.reliability.streamlit_client import Session, Widget
from tests.reliability.workers import served_by_workers

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
    """What all visitors saw; the servers' memory in bytes, before the first came and at each minute's end, and CPU."""

    visitors: int
    workers: int
    seen: Sequence[Seen]
    memory: Sequence[int]
    cpu_s: float

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
        cpu = f"{1000 * self.cpu_s / max(1, len(self.changes)):,.0f}"
        memory = f"{mebibytes(self.memory[0])} → {mebibytes(max(self.memory))}"
        row = (self.visitors, self.workers, f"{len(self.changes):,}", len(self.failures), *times, cpu, memory)
        return f"| {' | '.join(map(str, row))} |"


HEADER = (
    "| sessions | workers | changed controls | errors | a change: median, ms | 99th percentile "
    "| first view, all at once: median | the last | CPU a change, ms | memory, MiB |",
    "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def mebibytes(count: int) -> str:
    """Bytes as mebibytes."""
    return f"{count / 2**20:,.0f}"


def _ms(times: Sequence[float], share: float) -> str:
    if not times:
        return "–"
    return f"{1000 * (statistics.median(times) if share == 0.5 else times[int(share * (len(times) - 1))]):,.0f}"


def gather(place: Path, visitors: int, seconds: float, *, workers: int = 1, seed: int = 0) -> Crowd:
    """Serve a published study and let so many visitors change its controls for so long.

    With several `workers`, they are behind the proxy of `docs/haproxy.cfg`.
    """
    home = publish(place / "home", STUDY)
    with served_by_workers(home, place, workers) as (address, servers):
        memory, cpu_s = [_resident(servers)], _cpu_s(servers)
        seen = [Seen() for _ in range(visitors)]
        threads = [
            threading.Thread(target=_visit, args=(address, PAGES[n % len(PAGES)], seconds, Random(f"{seed} {n}"), one))
            for n, one in enumerate(seen)
        ]
        for thread in threads:
            thread.start()
        most, minute = memory[0], time.monotonic() + 60
        while any(thread.is_alive() for thread in threads):
            most = max(most, _resident(servers))
            if time.monotonic() > minute:
                memory.append(most)
                most, minute = 0, minute + 60
            time.sleep(0.2)
        memory.append(most)
        return Crowd(visitors, workers, seen, memory, _cpu_s(servers) - cpu_s)


def _visit(address: str, page: str, seconds: float, rng: Random, seen: Seen) -> None:
    try:
        session = Session(address, page)
        answer = session.load()
        seen.first.append(answer.seconds)
        seen.failures += answer.exceptions
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for answer in session.wait(rng.uniform(*_THINK_S)):
                seen.failures += answer.exceptions
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


def _family(servers: Sequence[int]) -> Iterator[int]:
    """These processes and all that they have started."""
    waiting = list(servers)
    while waiting:
        process = waiting.pop()
        yield process
        with suppress(OSError):  # it has ended
            threads = Path(f"/proc/{process}/task").iterdir()
            waiting += [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _resident(servers: Sequence[int]) -> int:
    """Bytes of memory that the servers and what they have started use."""
    pages = 0
    for process in _family(servers):
        with suppress(OSError):
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu_s(servers: Sequence[int]) -> float:
    """Seconds of CPU that they have used."""
    ticks = 0
    for process in _family(servers):
        with suppress(OSError):
            user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")
