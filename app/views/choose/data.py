"""What the Choose page shows: the answer, and the tables of its figures.

Results are cached by the build they are read from, as in `access`. Undefined figures are null in every table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
import streamlit as st

from app.access import frames, warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.views.responses import data as responses_data
from warehouse import reads
from warehouse.claims import choosing
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.reads.choice import lengths_of, task_of
from warehouse.schema import INITIAL, SAME_PROMPT
from warehouse.stats.bootstrap import Estimate
from warehouse.study import MEASURES
from warehouse.study.choice import failures
from warehouse.study.choice.answer import BEST_OF_N, Answer, Lengths, Question, Task
from warehouse.study.choice.per_nat import PerNat
from warehouse.study.choice.worth import is_right_or_wrong, truth_for

_ON_RL_SIDE = SAME_PROMPT["rl_test"]
_NAMES: dict[str, type[pl.DataType]] = {"reward_model": pl.String, "part": pl.String}
_MOVED = ("policy_kl", "gain_per_nat", "gain_per_nat_low", "gain_per_nat_high", "efficiency")
_FIGURES = frames.floats("value", "low", "high")


_OUTCOME = "outcome:"


def outcome_of(by: str) -> str | None:
    """The outcome that is ranked by; None for an optimiser or a measure."""
    return by.removeprefix(_OUTCOME) if by.startswith(_OUTCOME) else None


class Offered(NamedTuple):
    """What can be chosen in a run: by what (optimisers, outcomes, measures), at which strengths, on which prompts."""

    scorers: tuple[str, ...]
    by: tuple[str, ...]
    strengths: dict[str, tuple[float, ...]]
    kl: dict[str, float]
    categories: tuple[str, ...]
    subsets: dict[str, tuple[str, ...]]

    def subsets_of(self, categories: Sequence[str]) -> tuple[str, ...]:
        """Subsets of these categories (none: of all)."""
        return tuple(subset for name in categories or self.categories for subset in self.subsets.get(name, ()))


@dataclass(frozen=True)
class Picks:
    """A prompt that loses much: its texts and what both scorers give to the two favourites."""

    prompt_id: str
    about: tuple[str, ...]
    text: str
    loss: float
    pick: str
    best: str
    truth_of_pick: float
    truth_of_best: float


@st.cache_resource(max_entries=16, show_spinner=False)
def offered(snapshot: Snapshot, run_id: str) -> Offered:
    """What a run offers to choose by."""
    with warehouse.cursor(snapshot) as connection:
        known = reads.policies.strengths(connection, run_id)
        optimizers = known["optimizer"].unique().sort().to_list()
        reach = {name: reads.policies.kl_reach(connection, run_id, name) for name in optimizers}
        outcomes = reads.outcomes.names(connection, run_id)
        prompts = reads.runs.prompts(connection, run_id).filter(pl.col("split") != "rm_train")
    samples = _samples(snapshot, run_id)
    strengths = {name: tuple(known.filter(optimizer=name)["strength"].to_list()) for name in optimizers}
    if samples is not None:
        strengths[BEST_OF_N] = tuple(float(n) for n in range(1, samples.scores_MPR.shape[2] + 1))
    else:
        strengths.pop(BEST_OF_N, None)
    grouped = prompts.select("category", "subset").unique().sort("category", "subset")
    subsets = {name: tuple(rows["subset"]) for (name,), rows in grouped.group_by("category", maintain_order=True)}
    first = [name for name in (BEST_OF_N,) if name in strengths]
    return Offered(
        scorers=tuple(warehouse.reward_models(snapshot, run_id)["reward_model_id"]),
        by=(
            *first,
            *(name for name in strengths if name != BEST_OF_N),
            *(f"{_OUTCOME}{name}" for name in outcomes),
            *MEASURES,
        ),
        strengths=strengths,
        kl={name: ends.farthest for name, ends in reach.items() if ends is not None and name in strengths},
        categories=tuple(subsets),
        subsets=subsets,
    )


@heavy(64, "Comparing the reward models …")
def answered(snapshot: Snapshot, run_id: str, question: Question) -> Answer:
    """The answer. Raises InvalidChoice and UnknownName."""
    samples, cube = partial(warehouse.rl_scores, snapshot, run_id), partial(warehouse.score_cube, snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        return reads.choice.answer(connection, run_id, question, samples=samples, cube=cube)


def ranking(answer: Answer) -> pl.DataFrame:
    """One row a reward model, the best first: its figure, intervals, groups, NDR, and how sure the first beats it."""
    ranked, worth = answer.ranking, answer.worth
    reached = dict(zip(worth.candidates, worth.reached, strict=False))
    per_nat = dict(zip(worth.candidates, answer.per_nat, strict=False))
    rows = [
        {
            "rank": place + 1,
            "reward_model": name,
            **frames.figures_of("value", ranked.estimates[place]),
            "together_low": ranked.together[place].low,
            "together_high": ranked.together[place].high,
            "group": choosing.letters(ranked.groups[place]),
            "first": name in ranked.may_be_best,
            "ndr": _value(reached.get(name)),
            **_moved(per_nat.get(name)),
            "first_beats_it": float(ranked.beats_MM[0, place]) if place else None,
        }
        for place, name in enumerate(ranked.names)
    ]
    schema: dict[str, type[pl.DataType]] = {"rank": pl.Int64, "reward_model": pl.String, **_FIGURES}
    schema |= {**frames.floats("together_low", "together_high"), "group": pl.String, "first": pl.Boolean}
    return pl.DataFrame(rows, schema={**schema, **frames.floats("ndr", *_MOVED, "first_beats_it")})


def _moved(each: PerNat | None) -> dict[str, float | None]:
    if each is None:
        return dict.fromkeys(_MOVED)
    figures = (each.kl, each.gain.value, each.gain.low, each.gain.high, each.efficiency.value)
    return dict(zip(_MOVED, figures, strict=True))


def chances(answer: Answer) -> pl.DataFrame:
    """One row an ordered pair: `reward_model, other, beats, better, p`."""
    ranked = answer.ranking
    figures = {"beats": ranked.beats_MM, "better": ranked.better_MM, "p": ranked.p_MM}
    defined_MM = np.ones_like(ranked.beats_MM, dtype=bool)
    return frames.pair_rows(ranked.names, defined_MM, figures, ("reward_model", "other"))


def by_part(answer: Answer, question: Question) -> pl.DataFrame:
    """What each is worth by category, or by subset where categories are chosen: `reward_model, part, prompts, …`."""
    worth = answer.worth
    parts = worth.subsets if question.categories or len(set(worth.categories)) < 2 else worth.categories
    rows = [
        {"reward_model": part.candidate, "part": part.part, "prompts": part.prompts}
        | frames.figures_of("value", part.worth)
        for part in failures.by_part(worth, parts)
    ]
    return pl.DataFrame(rows, schema={**_NAMES, "prompts": pl.Int64, **_FIGURES})


class Thirds(NamedTuple):
    """Where picks are in a prompt's responses: by length (empty without texts) and by the golden (empty for labels)."""

    length: pl.DataFrame
    golden: pl.DataFrame
    unit: str


@st.cache_resource(max_entries=32, show_spinner="Looking at what they pick …")
def thirds(snapshot: Snapshot, run_id: str, question: Question, n: int) -> Thirds:
    """The picks of best-of-n of every candidate by third."""
    task, cube, lengths = _picking(snapshot, run_id, question)
    share = _says_right(task, cube)
    by_length, by_golden = [], []
    for candidate in task.sides.candidates:
        truth_PN = truth_for(cube, task.sides, candidate, share=share)
        if lengths is not None:
            by_length += failures.by_thirds(cube, candidate, lengths.lengths_PR, truth_PN, n)
        if not share:
            by_golden += failures.by_thirds(cube, candidate, truth_PN, truth_PN, n)
    return Thirds(_thirds(by_length), _thirds(by_golden), lengths.unit if lengths else "")


def _thirds(rows: Sequence[failures.Picked]) -> pl.DataFrame:
    cells = [
        {"reward_model": row.candidate, "part": row.part, **frames.figures_of("value", row.share), "gain": row.gain}
        for row in rows
    ]
    return pl.DataFrame(cells, schema={**_NAMES, **_FIGURES, "gain": pl.Float64})


class Worst(NamedTuple):
    """The prompts that lose most, and how often a favourite is the golden's worst, or wrong, with chance's share."""

    picks: tuple[Picks, ...]
    share: Estimate
    chance: float


@st.cache_resource(max_entries=64, show_spinner="Looking for its worst picks …")
def worst(snapshot: Snapshot, run_id: str, question: Question, reward_model: str, most: int) -> Worst:
    """Where a reward model's favourite among all responses loses most."""
    task, cube, _ = _picking(snapshot, run_id, question)
    candidate = cube.reward_models.index(reward_model)
    says_right = _says_right(task, cube)
    truth_PN = truth_for(cube, task.sides, candidate, share=says_right)
    goldens = [golden for golden in task.sides.goldens if golden != candidate]
    share, chance = Estimate.undefined(), 0.0
    if says_right:
        share, chance = failures.picks_wrong(cube, candidate, truth_PN)
    elif len(goldens) == 1:
        share, chance = failures.picks_the_worst(cube, goldens[0], candidate)
    picks = []
    for loss in failures.worst_prompts(cube, candidate, truth_PN, most):
        prompt_id = cube.prompts[loss.prompt]
        prompt = responses_data.prompt(snapshot, run_id, prompt_id)
        texts = responses_data.responses_to(snapshot, run_id, prompt_id, INITIAL)["text"].to_list()
        known = len(texts) == cube.counts_P[loss.prompt]
        picks.append(
            Picks(
                prompt_id=prompt_id,
                about=(cube.categories[loss.prompt], cube.subsets[loss.prompt], prompt_id.removesuffix(_ON_RL_SIDE)),
                text=str(prompt["text"]),
                loss=loss.loss,
                pick=str(texts[loss.pick]) if known else "",
                best=str(texts[loss.best]) if known else "",
                truth_of_pick=float(truth_PN[loss.prompt, loss.pick]),
                truth_of_best=float(truth_PN[loss.prompt, loss.best]),
            )
        )
    return Worst(tuple(picks), share, chance)


class _Picking(NamedTuple):
    task: Task
    cube: ScoreCube
    lengths: Lengths | None


def _picking(snapshot: Snapshot, run_id: str, question: Question) -> _Picking:
    """The samples that best-of-n picks from on the chosen prompts."""
    whole = warehouse.rl_scores(snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        task = task_of(connection, run_id, question)
        lengths = lengths_of(connection, run_id, whole)
    chosen = task.prompts(whole)
    return _Picking(task, whole.of_prompts(chosen), lengths and lengths.of_prompts(chosen))


def _says_right(task: Task, cube: ScoreCube) -> bool:
    return len(task.sides.goldens) == 1 and is_right_or_wrong(cube, task.sides.goldens[0])


def _samples(snapshot: Snapshot, run_id: str) -> ScoreCube | None:
    """The scores of the RL-test samples; None if there are none."""
    try:
        return warehouse.rl_scores(snapshot, run_id)
    except InvalidChoice:
        return None


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value
