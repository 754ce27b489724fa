"""The answer to "which reward model should I take?", from arrays: the question and the parts of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import measure_named, optimizer_words
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.metrics.preparation import prepare
from warehouse.metrics.test_set import prompts_in
from warehouse.schema import BY_WEIGHTING
from warehouse.stats.bootstrap import Estimate, Floats
from warehouse.study.choice.per_nat import PerNat, each_per_nat
from warehouse.study.choice.ranking import Ranking, ranked
from warehouse.study.choice.separating import Separating, best_of_n_draws, separating
from warehouse.study.choice.worth import (
    Sides,
    Worth,
    best_of_n,
    best_of_n_at_kl,
    is_right_or_wrong,
    of_length,
    of_measure,
    of_policies,
    spread_within,
    truth_for,
)
from warehouse.study.power import Draws, t_interval

BEST_OF_N = "bon"
_FEW_SAMPLES = 8
_ENOUGH = 0.5
_FEWEST = 2

Truth = Literal["named", "golden only", "the others"]


@dataclass(frozen=True)
class Question:
    """What is asked: goldens (none: those that are golden only, or else all others), and by what to choose.

    `by` is an optimiser, with its `strength` or at a `kl` in nats, or a measure. `categories` and `subsets` are of the
    prompts that it is about; none: all.
    """

    goldens: tuple[str, ...] = ()
    by: str = BEST_OF_N
    strength: float | None = None
    kl: float | None = None
    categories: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()


class Task(NamedTuple):
    """A question with its goldens and candidates found among the scorers of a run, and how the goldens were chosen."""

    question: Question
    sides: Sides
    truth: Truth
    seed: int = 0

    def prompts(self, described: ScoreCube | PolicyValues, kind: str = "RL-test") -> NDArray[np.int64]:
        """Numbers `[prompts]` of those that the question is about. Raises UnknownName, InvalidChoice for too few."""
        categories, subsets = self.question.categories or None, self.question.subsets or None
        return prompts_in(described, kind, categories=categories, subsets=subsets)


class Lengths(NamedTuple):
    """Lengths `[P, R]` of the responses of a score cube, 0 beyond a prompt's responses, and the unit, in the plural."""

    lengths_PR: Floats
    unit: str

    def of_prompts(self, prompts: NDArray[np.int64]) -> Lengths:
        """Of some prompts only, given by their numbers `[prompts]`."""
        return Lengths(self.lengths_PR[prompts], self.unit)


class Baseline(NamedTuple):
    """What always the longest and always the shortest of n responses reach, and the unit of length."""

    longest: Estimate
    shortest: Estimate
    unit: str


@dataclass(frozen=True)
class Answer:
    """The answer to a question; `at` says by what, `strength` is None for a measure and at a KL.

    `truth` says how the goldens were chosen. `baseline` is None but for best-of-n with texts or tokens, `more` None
    where the first is clearly best. `fewer_samples` counts prompts left out as they have fewer than
    n samples, or too few effective ones for a tilted policy.
    `per_nat` are of the candidates in the order of `worth`; none for a measure.
    """

    question: Question
    at: str
    strength: float | None
    truth: Truth
    worth: Worth
    ranking: Ranking
    baseline: Baseline | None
    more: Separating | None
    fewer_samples: int
    per_nat: tuple[PerNat, ...] = ()

    @property
    def without_kl(self) -> int:
        """How many policies have no gain per nat, as their KL is unknown or not above 0."""
        return sum(each.gain.value is None for each in self.per_nat)


def by_measure(task: Task, cube: ScoreCube) -> Answer:
    """By a measure on the RM-test scores. Raises UnknownName and InvalidChoice."""
    names = [cube.reward_models[golden] for golden in task.sides.goldens]
    chosen = cube.of_prompts(task.prompts(cube, "RM-test")).with_goldens(names)
    worth = of_measure(chosen, prepare(chosen, task.question.by), task.sides)
    return _answer(task, measure_named(task.question.by).title, worth)


def by_policies(
    task: Task,
    values: PolicyValues,
    strength: float | None,
    samples: ScoreCube | None,
    kl: Mapping[str, float] | None = None,
) -> Answer:
    """By policies whose values are known. `samples` say how much a golden's scores vary within prompts.

    `kl` are the known KLs of the policies at this strength, by reward model.

    Raises InvalidChoice if that is not known, and as `of_policies`.
    """
    spread_M = values.spread_M if samples is None else spread_within(samples)
    if spread_M is None:
        raise InvalidChoice("how much the golden's scores vary within prompts is unknown, as no samples have scores")
    goldens = task.sides.goldens
    share = samples is not None and len(goldens) == 1 and is_right_or_wrong(samples, goldens[0])
    worth = of_policies(values.of_prompts(task.prompts(values)), task.sides, spread_M, share=share)
    at = _at(task.question.by, strength, task.question.kl)
    sampled = 0 if samples is None or task.question.by not in BY_WEIGHTING else len(task.prompts(samples))
    fewer = max(0, sampled - len(worth.prompts))
    return _answer(task, at, worth, strength=strength, fewer_samples=fewer, kl=_kl_of(task, worth, kl or {}))


def by_best_of_n(task: Task, samples: ScoreCube, lengths: Lengths | None) -> Answer:
    """By best-of-n from the scores of samples, at any n or KL. Raises InvalidChoice for an n beyond the samples."""
    question, sides = task.question, task.sides
    chosen = task.prompts(samples)
    cube, lengths = samples.of_prompts(chosen), lengths and lengths.of_prompts(chosen)
    if question.strength is not None and not float(question.strength).is_integer():
        raise InvalidChoice(f"n is {question.strength:g}; best-of-n draws a whole number of samples")
    n = default_n(cube) if question.strength is None else int(question.strength)
    values = best_of_n(cube, n) if question.kl is None else best_of_n_at_kl(cube, question.kl)
    share = len(sides.goldens) == 1 and is_right_or_wrong(cube, sides.goldens[0])
    spread_M = spread_within(cube)
    worth = of_policies(values, sides, spread_M, share=share)
    at_kl = question.kl is not None
    return _answer(
        task,
        _at(BEST_OF_N, n, question.kl),
        worth,
        strength=None if at_kl else n,
        baseline=None if at_kl or lengths is None else _baseline(cube, sides, lengths, n, share=share),
        samples=None if at_kl else _Samples(cube, sides, spread_M, n),
        fewer_samples=len(cube.prompts) - len(values.prompts),
        kl=_kl_of(task, worth, dict.fromkeys(cube.reward_models, best_of_n_kl_bound(n))),
    )


def default_n(cube: ScoreCube) -> int:
    """The n to choose at unless one is named: the most that half of the prompts have samples for, at least 2.

    Of 8 samples or more half as many, so that it shows how the noise falls with samples.
    """
    counts_P = cube.counts_P[cube.counts_P > 1]
    most = int(np.quantile(counts_P, 1.0 - _ENOUGH, method="lower")) if len(counts_P) else 2
    return most // 2 if most >= _FEW_SAMPLES else most


class _Samples(NamedTuple):
    """What is needed to see how the difference of two depends on the samples."""

    cube: ScoreCube
    sides: Sides
    spread_M: Floats
    n: int


def _answer(
    task: Task,
    at: str,
    worth: Worth,
    *,
    strength: float | None = None,
    baseline: Baseline | None = None,
    samples: _Samples | None = None,
    fewer_samples: int = 0,
    kl: Mapping[str, float] | None = None,
) -> Answer:
    if len(worth.candidates) < _FEWEST:
        raise InvalidChoice("fewer than two reward models have a figure here, so there is nothing to choose from")
    ranking = ranked(worth, task.seed)
    more = None
    if len(ranking.may_be_best) > 1:
        first, second = ranking.names[:2]
        more = separating(worth, first, second, _draws(samples, worth, first, second), task.seed)
    return Answer(
        task.question,
        at,
        strength,
        task.truth,
        worth,
        ranking,
        baseline,
        more,
        fewer_samples,
        each_per_nat(worth, kl or {}),
    )


def _kl_of(task: Task, worth: Worth, at_strength: Mapping[str, float]) -> Mapping[str, float]:
    """The KL of each candidate's policy: the one asked for, or that at the strength."""
    kl = task.question.kl
    return at_strength if kl is None else dict.fromkeys(worth.candidates, kl)


def _draws(samples: _Samples | None, worth: Worth, first: str, second: str) -> Draws | None:
    """Draws of the difference by the samples used; None where prompts have different numbers of them."""
    if samples is None or samples.cube.responses_P is not None or len(samples.cube.prompts) != len(worth.prompts):
        return None
    names = samples.cube.reward_models
    a, b = names.index(first), names.index(second)
    goldens = [g for g in samples.sides.goldens if g not in (a, b) and samples.spread_M[g] > 0]
    if not goldens:
        return None
    scores = samples.cube.scores_MPR
    scale = np.ones(len(goldens)) if worth.unit == "share" else samples.spread_M[goldens]
    return best_of_n_draws(scores[a], scores[b], scores[goldens] / scale[:, None, None], samples.n)


def _baseline(cube: ScoreCube, sides: Sides, lengths: Lengths, n: int, *, share: bool) -> Baseline:
    truth_PN = truth_for(cube, sides, candidate=-1, share=share)
    by_length = of_length(cube, lengths.lengths_PR, truth_PN, n, share=share)
    longest, shortest = (t_interval(values_Q) for values_Q in by_length.values_MQ)
    return Baseline(longest, shortest, lengths.unit)


def _at(optimizer: str, strength: float | None, kl: float | None) -> str:
    words = optimizer_words(optimizer)
    return words.at.format(f"{strength:g}") if kl is None else words.at_kl.format(f"{kl:g}")
