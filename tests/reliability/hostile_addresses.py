"""Hostile input in the address of a page: read as every page reads it, up to the figures that it asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, quote

from app import access, choices, page_choice
from app.access import Snapshot
from app.fitting import fitted, with_known_run, with_known_sources
from app.selection import Options, Selection, from_query, name_of, to_query
from tests.app.study import Study, publish
from tests.reliability.hostile_cases import hostile_text, refused

STUDY = Study(ppo_steps=(5, 10), sources=("other",), paraphrases=True)
PAGES = (
    choices.ModelsChoice,
    choices.ResponsesChoice,
    choices.OverviewChoice,
    choices.OveroptimisationChoice,
    choices.RunsChoice,
)
_NAMES = tuple(name_of(entry.name) for entry in fields(Selection))
_OTHERS = ("split", "search", "prompt", "policy", "order", "shown", "sample", "reward-model", "penalty", "first", "x")


@dataclass(frozen=True)
class Dashboard:
    """A published run as the pages see it."""

    snapshot: Snapshot
    offered: Options


def dashboard(place: Path) -> Dashboard:
    """Publish a study and read what it offers."""
    os.environ["RIGHTTREE_HOME"] = str(publish(place / "home", STUDY))
    snapshot = access.snapshot()
    assert snapshot is not None
    return Dashboard(snapshot, access.options(snapshot, STUDY.run_id, access.PLAIN))


def follow_link(rng: Random, shown: Dashboard) -> bool:
    """A link of good and hostile parameters."""
    query = parse_qs(address(rng, shown.offered), keep_blank_values=True, max_num_fields=1000)
    for page in PAGES:
        page_choice.from_query(page, query)
    chosen, notes = from_query(query)
    chosen, of_run = with_known_run(chosen, [STUDY.run_id])
    chosen, of_sources = with_known_sources(chosen, access.sources(shown.snapshot, STUDY.run_id))
    offered = access.options(shown.snapshot, STUDY.run_id, chosen.source())
    chosen, of_options = fitted(chosen, offered)
    assert fitted(chosen, offered) == (chosen, []), query
    assert from_query(to_query(chosen)) == (chosen, []), query
    left_out = [*notes, *of_run, *of_sources, *of_options]
    return refused(lambda: access.evaluation(shown.snapshot, STUDY.run_id, chosen)) is None and not left_out


def address(rng: Random, offered: Options) -> str:
    """Parameters of a link, percent-encoded; some of them given twice, broken off or not encoded."""
    good = [*offered.measures, *offered.subsets, *offered.reward_models, *offered.sources, "ppo", "bon", "within"]
    good += ["0", "1", "2", "3", "4", "5", "8", "10", "16", "40", "0.1", "0.25", "0.4499999999", "1e-9", "0.3333333333"]
    pairs = []
    for _ in range(rng.randint(1, 6)):
        name = rng.choice(_NAMES) if rng.random() < 0.85 else rng.choice([*_OTHERS, hostile_text(rng)])
        value = rng.choice(good) if rng.random() < 0.6 else hostile_text(rng)
        pairs.append(f"{_encoded(name)}={_encoded(value) if rng.random() < 0.9 else value}")
    link = "&".join(pairs)
    return link[: rng.randint(0, len(link))] if rng.randrange(8) == 0 else link


def _encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
