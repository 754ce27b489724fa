"""Hostile input in the address of a page: read as every page reads it, up to the figures that it asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, quote

from app import state
from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import controls
from app.offers import Fitting, Options, fit_options
from app.state import Selection, from_query, parameter, to_query
from app.views.explore import data
from tests.helpers.study import Study, publish
from tests.reliability.hostile.cases import hostile_text, refused

STUDY = Study(ppo_steps=(5, 10), sources=("other",), paraphrases=True)
PAGES = (
    state.PageChoice,
    state.ChooseChoice,
    state.ModelsChoice,
    state.ResponsesChoice,
    state.OveroptimisationChoice,
    state.RunsChoice,
)
_NAMES = tuple(parameter(entry.name) for entry in fields(Selection))
_OTHERS = ("split", "search", "prompt", "policy", "order", "shown", "sample", "reward-model", "penalty", "compare", "x")


@dataclass(frozen=True)
class Dashboard:
    """A published run as the pages see it."""

    snapshot: Snapshot
    offered: Options


def dashboard(place: Path) -> Dashboard:
    """Publish a study and read what it offers."""
    os.environ["RIGHTTREE_HOME"] = str(publish(place / "home", STUDY))
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    return Dashboard(snapshot, warehouse.options(snapshot, STUDY.run_id, warehouse.PLAIN))


def follow_link(rng: Random, shown: Dashboard) -> bool:
    """A link of good and hostile parameters."""
    query = parse_qs(address(rng, shown.offered), keep_blank_values=True, max_num_fields=1000)
    for page in PAGES:
        from_query(page, query)
    chosen, notes = from_query(Selection, query)
    fitting = Fitting(chosen)
    fitting.allow("run", [STUDY.run_id], "not in the warehouse")
    offered = controls.fit(shown.snapshot, fitting, STUDY.run_id)
    chosen = fitting.chosen
    again = Fitting(chosen)
    fit_options(again, offered)
    assert (again.chosen, again.notes) == (chosen, []), query
    assert from_query(Selection, to_query(chosen)) == (chosen, []), query
    left_out = [*notes, *fitting.notes]
    return refused(lambda: data.evaluation(shown.snapshot, STUDY.run_id, chosen)) is None and not left_out


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
