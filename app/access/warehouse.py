"""The way from the dashboard to the warehouse: the read-only connection, and the cached reads that several pages share.

Every cache is keyed by a `Snapshot`, the data folder with the id of the published build: a new build is read again, and
an earlier choice is answered at once. Cached frames, arrays and results are shared between sessions and never changed.
Nothing else in `app` opens the warehouse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import duckdb
import polars as pl
import streamlit as st

from app.access.pool import heavy
from app.offers import Options
from app.state import Policies, Selection, Source
from pipeline.runs import jobs
from warehouse import reads, store
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.test_set import FEWEST_PROMPTS, check
from warehouse.schema import INITIAL, category_order
from warehouse.stats.across_pairs import EVERY
from warehouse.study import MEASURES, Evaluation, PromptValues, TestSet, prepare
from warehouse.study.evaluate import replicated

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

PLAIN = Source()
"""The initial policy's responses to the prompts in their own words."""

_RUNS_KEPT = 8


@dataclass(frozen=True)
class Snapshot:
    """One build of one data folder: what a page shows from its first line to its last."""

    home: str
    build: str


def home() -> Path:
    """The data folder the dashboard looks at."""
    return store.home()


def snapshot() -> Snapshot | None:
    """What is published now; None before the first publish."""
    build = store.build_id(home())
    return None if build is None else Snapshot(str(home()), build)


@st.cache_resource(max_entries=2, show_spinner=False, on_release=lambda connection: connection.close())
def _database(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    return store.open_read_only(Path(snapshot.home), snapshot.build)


def cursor(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """A connection for this thread alone. Raises NoWarehouse when the build is gone and was not open before."""
    return _database(snapshot).cursor()


def cached(
    query: Callable[Concatenate[duckdb.DuckDBPyConnection, Arguments], Answer],
    *,
    entries: int = 16,
    spinner: str | bool = False,
) -> Callable[Concatenate[Snapshot, Arguments], Answer]:
    """A function of `warehouse.reads` that takes a snapshot instead of a connection and keeps its latest answers.

    Pass arguments by position: the cache takes a default that is left out for another key.
    """

    def read(snapshot: Snapshot, *arguments: Arguments.args, **options: Arguments.kwargs) -> Answer:
        with cursor(snapshot) as connection:
            return query(connection, *arguments, **options)

    read.__qualname__ = f"{query.__module__}.{query.__qualname__}"  # by this name Streamlit tells caches apart
    return st.cache_resource(max_entries=entries, show_spinner=spinner)(read)


runs = cached(reads.runs.all_runs, entries=4)
"""Table `run`, newest first."""

reward_models = cached(reads.runs.reward_models, entries=_RUNS_KEPT)
"""Table `reward_model` of a run."""


def may_be_golden(snapshot: Snapshot, run_id: str) -> tuple[str, ...]:
    """The scorers of a run that can count as the truth; those that are nothing else come first."""
    scorers = reward_models(snapshot, run_id).filter((pl.col("role") != "proxy").fill_null(value=True))
    return tuple(scorers.sort("role", nulls_last=True, maintain_order=True)["reward_model_id"])


def may_be_proxy(snapshot: Snapshot, run_id: str) -> tuple[str, ...]:
    """The scorers of a run that policies may be optimised against."""
    scorers = reward_models(snapshot, run_id)
    return tuple(scorers.filter((pl.col("role") != "golden").fill_null(value=True))["reward_model_id"])


outcome_names = cached(reads.outcomes.names, entries=_RUNS_KEPT)
"""The outcomes of a run's reward models that were measured elsewhere."""

outcome = cached(reads.outcomes.outcome, entries=_RUNS_KEPT)
"""One of them."""


def has_runs(snapshot: Snapshot | None) -> bool:
    """Whether there is anything to explore."""
    return snapshot is not None and not runs(snapshot).is_empty()


endings = cached(reads.endings.endings, entries=_RUNS_KEPT)
"""How many responses of each policy end by themselves, and how long they are."""

_score_cube = cached(reads.scores.score_cube, entries=2 * _RUNS_KEPT, spinner="Reading the scores …")


def score_cube(snapshot: Snapshot, run_id: str, source: Source = PLAIN) -> ScoreCube:
    """Scores of all reward models on the RM-test prompts. Raises as `reads.scores.score_cube` and `with_goldens`."""
    cube = _score_cube(snapshot, run_id, source.names or INITIAL, source.paraphrase, source.seed)
    return cube.with_goldens(source.goldens) if source.goldens else cube


@st.cache_resource(max_entries=4 * _RUNS_KEPT, show_spinner="Reading the policy values …")
def policy_values(snapshot: Snapshot, run_id: str, policies: Policies) -> PolicyValues:
    """Values of the policies of one optimiser at one strength or KL."""
    name, samples = policies.optimizer, partial(rl_scores, snapshot, run_id)
    with cursor(snapshot) as connection:
        if policies.kl is not None:
            return reads.values.policy_values_at_kl(connection, run_id, name, policies.kl, samples=samples)
        assert policies.strength is not None
        return reads.values.policy_values(connection, run_id, name, policies.strength, samples=samples)


_sources = cached(reads.scores.sources, entries=_RUNS_KEPT)


def sources(snapshot: Snapshot, run_id: str) -> dict[str, bool]:
    """Whose responses to the RM-test prompts there are, and whether they answered paraphrases too."""
    answered = _sources(snapshot, run_id)
    return {row["source"]: bool(row["paraphrase_responses"]) for row in answered.iter_rows(named=True)}


@st.cache_resource(max_entries=2 * _RUNS_KEPT, show_spinner=False)
def options(snapshot: Snapshot, run_id: str, source: Source) -> Options:
    """What can be chosen in a run, on the responses of a source. Raises InvalidChoice where there is nothing."""
    with cursor(snapshot) as connection:
        prompts = reads.runs.prompts(connection, run_id)
        strengths = reads.policies.strengths(connection, run_id)
        names = strengths["optimizer"].unique().to_list()
        reach = {name: reads.policies.kl_reach(connection, run_id, name) for name in names}
        usual = {name: reads.policies.usual_strength(connection, run_id, name) for name in names}
    if strengths.is_empty():
        raise InvalidChoice(f"run {run_id} has no optimised policies; explore another one, or start a new run")
    cube = score_cube(snapshot, run_id, source)
    answered = sources(snapshot, run_id)
    roles = cube.roles
    used_M = roles.golden_M | roles.proxy_M
    tested = pl.DataFrame({"category": cube.categories, "subset": cube.subsets})
    places = {name: place for place, name in enumerate(category_order(cube.categories))}
    by_rank = pl.col("category").replace_strict(places, return_dtype=pl.Int64())
    sizes = tested.group_by("category", "subset").len().sort(by_rank, "subset")
    return Options(
        run=run_id,
        measures=tuple(MEASURES),
        subsets={name: tuple(rows["subset"]) for (name,), rows in sizes.group_by("category", maintain_order=True)},
        sizes={(category, subset): count for category, subset, count in sizes.iter_rows()},
        responses=cube.scores_MPR.shape[2],
        strengths={
            name: tuple(rows["strength"]) for (name,), rows in strengths.group_by("optimizer", maintain_order=True)
        },
        rl_categories=category_order(prompts.filter(split="rl_test")["category"]),
        rl_prompts=prompts.filter(split="rl_test").height,
        reward_models=tuple(name for name, used in zip(cube.reward_models, used_M, strict=True) if used),
        goldens=tuple(name for name, golden in zip(cube.reward_models, roles.goldens, strict=True) if golden),
        proxies=tuple(name for name, proxy in zip(cube.reward_models, roles.proxies, strict=True) if proxy),
        may_be_golden=may_be_golden(snapshot, run_id),
        fewest_responses=int(cube.counts_P.min()),
        usual=usual,
        kl={name: ends for name, ends in reach.items() if ends is not None},
        sources=tuple(answered),
        paraphrases=all(answered[name] for name in source.names or (INITIAL,)),
    )


def policies(snapshot: Snapshot, run_id: str, chosen: Selection) -> Policies:
    """The policies in force: at the chosen KL or strength, or at the usual strength of the run."""
    if chosen.kl is not None:
        return Policies(chosen.optimizer, kl=chosen.kl)
    offered = options(snapshot, run_id, chosen.source())
    strength = offered.usual_strength(chosen.optimizer) if chosen.strength is None else chosen.strength
    return Policies(chosen.optimizer, strength)


def categories(snapshot: Snapshot, run_id: str, chosen: Selection) -> list[str]:
    """The chosen categories (none chosen: all) that have enough of the chosen prompts for a test set of their own."""
    offered = options(snapshot, run_id, chosen.source())
    return [
        name
        for name in chosen.categories or offered.subsets
        if offered.prompts_of((name,), chosen.subsets) >= FEWEST_PROMPTS
    ]


@dataclass(frozen=True)
class Question:
    """What the evaluations of a choice depend on, besides measure and test sets: the key of their caches."""

    snapshot: Snapshot
    run_id: str
    source: Source
    policies: Policies
    rl_categories: tuple[str, ...]
    correlations: tuple[tuple[str, str], ...]

    def cube(self) -> ScoreCube:
        """The scores that are measured."""
        return score_cube(self.snapshot, self.run_id, self.source)

    def values(self) -> PolicyValues:
        """The values of the policies."""
        return policy_values(self.snapshot, self.run_id, self.policies)

    def seen(self, test_set: TestSet) -> TestSet:
        """The part of a test set that decides a measure's values on each prompt. Raises InvalidChoice."""
        return check(self.cube(), test_set).seen()


def question(
    snapshot: Snapshot,
    run_id: str,
    chosen: Selection,
    *,
    optimised: Policies | None = None,
    rl_categories: tuple[str, ...] | None = None,
    every_correlation: bool = False,
) -> Question:
    """The question that a choice asks, with other policies or RL-test categories if given.

    Only the chosen correlation is computed, or every one.
    """
    return Question(
        snapshot,
        run_id,
        chosen.source(),
        optimised or policies(snapshot, run_id, chosen),
        chosen.rl_categories if rl_categories is None else rl_categories,
        EVERY if every_correlation else ((chosen.correlation, chosen.level),),
    )


@heavy(400)
def evaluations(question: Question, measure: str, test_sets: tuple[TestSet, ...]) -> list[Evaluation]:
    """A measure on several test sets, in the same altered studies."""
    parts = replicated(
        question.cube(),
        question.values(),
        [(measure, test_set) for test_set in test_sets],
        rl_categories=question.rl_categories or None,
        prepared=[
            _prompt_values(question.snapshot, question.run_id, question.source, measure, question.seen(test_set))
            for test_set in test_sets
        ],
        selected=question.correlations,
    )
    return [part.evaluation for part in parts]


@st.cache_resource(max_entries=64, show_spinner="Measuring …")
def _prompt_values(snapshot: Snapshot, run_id: str, source: Source, measure: str, seen: TestSet) -> PromptValues:
    return prepare(score_cube(snapshot, run_id, source), measure, seen)


_initial_scores = cached(reads.scores.initial_scores, entries=4, spinner="Reading the scores …")


def rl_scores(snapshot: Snapshot, run_id: str) -> ScoreCube:
    """Scores of all reward models for the initial policy's samples to the RL-test prompts."""
    return _initial_scores(snapshot, run_id, "rl_test")


def list_runs() -> list[jobs.RunStatus]:
    """The status of every run in the data folder, the newest first; never cached."""
    return jobs.list_runs(home())


@st.cache_resource(ttl=1.0, max_entries=2, show_spinner=False)
def running(home: Path) -> list[jobs.RunStatus]:
    """The runs that are in progress, read once a second for all visitors."""
    return [run for run in jobs.list_runs(home) if run.state == "running"]
