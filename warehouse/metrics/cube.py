"""The two arrays that every figure of the study is computed from, and how to make them from plain arrays.

Shapes: `M` reward models, `P` RM-test prompts, `R` responses per prompt (the most), `Q` RL-test prompts, `N` samples
per prompt.

    cube = score_cube(scores_MPR)
    values = best_of_n_policies(samples_MQN, n=16)
    evaluate(cube, values).correlations["kendall"]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.policies.best_of_n import best_of_n_expected, best_of_n_values
from warehouse.metrics.policies.repeats import Repeats, averaged
from warehouse.metrics.roles import Roles
from warehouse.stats.bootstrap import Floats

_ONE_CATEGORY = "all"


class _Scorers:
    """What has an axis of scorers: their stored roles (None: all are both), and the goldens that were chosen."""

    reward_models: tuple[str, ...]
    only: tuple[str | None, ...] | None
    goldens: tuple[str, ...]

    @property
    def roles(self) -> Roles:
        """Which scorers are goldens and which are proxies. Raises InvalidChoice if no pair is left."""
        if self.only is None and not self.goldens:
            return Roles.every(len(self.reward_models))
        return Roles.chosen(self.reward_models, self.only or (None,) * len(self.reward_models), self.goldens)

    def _roles_of(self, names: Sequence[str], rows: Sequence[int]) -> dict[str, Any]:
        """The fields of these scorers."""
        return {
            "only": None if self.only is None else tuple(self.only[row] for row in rows),
            "goldens": tuple(name for name in self.goldens if name in names),
        }


@dataclass(frozen=True)
class ScoreCube(_Scorers):
    """Scores of all reward models and other scorers for the initial policy's responses to the RM-test prompts.

    `scores_MPR` is finite float32. `reward_models` names axis M; `prompts`, `categories` and `subsets` describe axis P.
    `responses_P` is how many responses each prompt has, the first ones; what is beyond is 0 and no score (None: all
    have R). `only` are the stored roles, `proxy`, `golden` or None for both; `goldens` those that were chosen.
    """

    scores_MPR: NDArray[np.float32]
    reward_models: tuple[str, ...]
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]
    responses_P: NDArray[np.int64] | None = None
    only: tuple[str | None, ...] | None = None
    goldens: tuple[str, ...] = ()

    @property
    def counts_P(self) -> NDArray[np.int64]:
        """How many responses each prompt has, `[P]`."""
        _, P, R = self.scores_MPR.shape
        return np.full(P, R) if self.responses_P is None else self.responses_P

    @property
    def is_response_PR(self) -> NDArray[np.bool_]:
        """Which entries are scores of a response, `[P, R]`."""
        return np.arange(self.scores_MPR.shape[2]) < self.counts_P[:, None]

    def by_count(self, *, least: int = 1, most: int | None = None) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """How many responses, at most `most`, and the numbers `[prompts]` of the prompts that have so many.

        Prompts with fewer than `least` are left out.
        """
        counts_P = self.counts_P if most is None else np.minimum(self.counts_P, most)
        for count in np.unique(counts_P[counts_P >= least]):
            yield int(count), np.flatnonzero(counts_P == count)

    def with_goldens(self, names: Sequence[str]) -> ScoreCube:
        """The same with these goldens; with none, those of the stored roles. Raises UnknownName and InvalidChoice."""
        cube = replace(self, goldens=tuple(names))
        _ = cube.roles  # raises for names that leave no pair
        return cube

    def of_prompts(self, prompts: NDArray[np.int64]) -> ScoreCube:
        """The cube of some prompts only, given by their numbers `[prompts]`."""
        return replace(
            self,
            scores_MPR=self.scores_MPR[:, prompts],
            prompts=tuple(self.prompts[number] for number in prompts),
            categories=tuple(self.categories[number] for number in prompts),
            subsets=tuple(self.subsets[number] for number in prompts),
            responses_P=None if self.responses_P is None else self.responses_P[prompts],
        )

    def of_reward_models(self, names: Sequence[str]) -> ScoreCube:
        """The cube of some reward models only, in the order of these names. Raises UnknownName."""
        rows = _rows(self.reward_models, names)
        return replace(
            self,
            scores_MPR=self.scores_MPR[rows],
            reward_models=tuple(names),
            **self._roles_of(names, rows),
        )

    def first_responses(self, most: int) -> ScoreCube:
        """The cube with no more than this many responses to each prompt, the first ones."""
        counts_P = None if self.responses_P is None else np.minimum(self.responses_P, most)
        return replace(self, scores_MPR=self.scores_MPR[:, :, :most], responses_P=counts_P)

    def dense(self) -> ScoreCube:
        """The prompts with as many responses as at least half of the prompts have, and so many of each."""
        if self.responses_P is None:
            return self
        count = max(2, int(np.sort(self.responses_P)[(len(self.prompts) - 1) // 2]))
        part = self.of_prompts(np.flatnonzero(self.responses_P >= count))
        return replace(part, scores_MPR=part.scores_MPR[:, :, :count], responses_P=None)


@dataclass(frozen=True)
class PolicyValues(_Scorers):
    """Per-prompt values of the initial and of the optimised policies for one optimiser at one strength.

    `initial_MQ[g, q]` is golden `g`'s mean score of the initial policy on RL-test prompt `q`;
    `optimised_MMQ[g, m, q]` that of the policy optimised against reward model `m`, the mean over its `repeats` with
    other seeds, None: each was optimised once. All float64, finite.
    `optimised_M` says which reward models have such a policy, None: all. Without one the values are the initial
    policy's, and every pair that needs it is undefined. `spread_M` is each golden's standard deviation within prompts
    under the initial policy, None: unknown. `only` and `goldens` are as in `ScoreCube`, whose goldens count where both
    are given. `drawn` caches the last replicates (`study.regret`).
    """

    initial_MQ: NDArray[np.float64]
    optimised_MMQ: NDArray[np.float64]
    reward_models: tuple[str, ...]
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]
    optimised_M: NDArray[np.bool_] | None = None
    spread_M: NDArray[np.float64] | None = None
    only: tuple[str | None, ...] | None = None
    goldens: tuple[str, ...] = ()
    repeats: Repeats | None = None
    drawn: dict[tuple[Any, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of_reward_models(self, names: Sequence[str]) -> PolicyValues:
        """The values of some reward models only, in the order of these names. Raises UnknownName."""
        rows = _rows(self.reward_models, names)
        return replace(
            self,
            initial_MQ=self.initial_MQ[rows],
            optimised_MMQ=self.optimised_MMQ[np.ix_(rows, rows)],
            reward_models=tuple(names),
            optimised_M=None if self.optimised_M is None else self.optimised_M[rows],
            spread_M=None if self.spread_M is None else self.spread_M[rows],
            repeats=None if self.repeats is None else self.repeats.of_reward_models(rows),
            **self._roles_of(names, rows),
        )

    @property
    def repeats_M(self) -> NDArray[np.int64]:
        """How often a policy was optimised against each reward model, `[M]`: 0 without a policy."""
        if self.repeats is not None:
            return self.repeats.count_M
        every_M = np.ones(len(self.reward_models), dtype=np.int64)
        return every_M if self.optimised_M is None else self.optimised_M.astype(np.int64)

    def of_repeat(self, number: int) -> PolicyValues:
        """The values of one repeat of each policy, given by its number among `repeats`; others have none here."""
        if self.repeats is None:
            return self
        present_M = self.repeats.present_TM[number]
        own_MMQ = self.optimised_MMQ + self.repeats.deviations_TMMQ[number]
        return replace(
            self,
            optimised_MMQ=np.where(present_M[:, None], own_MMQ, self.initial_MQ[:, None]),
            optimised_M=None if present_M.all() else present_M,
            repeats=None,
        )

    def of_prompts(self, prompts: NDArray[np.int64]) -> PolicyValues:
        """The values on some prompts only, given by their numbers `[prompts]`."""
        return replace(
            self,
            initial_MQ=self.initial_MQ[:, prompts],
            optimised_MMQ=self.optimised_MMQ[:, :, prompts],
            prompts=tuple(self.prompts[number] for number in prompts),
            categories=tuple(self.categories[number] for number in prompts),
            subsets=tuple(self.subsets[number] for number in prompts),
            repeats=None if self.repeats is None else self.repeats.of_prompts(prompts),
        )


def mean_of_repeats(parts: Sequence[PolicyValues]) -> PolicyValues:
    """The mean of the values of T repeats, each of those policies that it has (`of_repeat`)."""
    first = parts[0]
    if len(parts) == 1:
        return first
    every_M = np.ones(len(first.reward_models), dtype=bool)
    present_TM = np.stack([every_M if part.optimised_M is None else part.optimised_M for part in parts])
    mean_MMQ, repeats = averaged(np.stack([part.optimised_MMQ for part in parts]), present_TM)
    optimised_M: NDArray[np.bool_] = np.asarray(present_TM.any(axis=0))
    return replace(
        first,
        optimised_MMQ=np.where(optimised_M[:, None], mean_MMQ, first.initial_MQ[:, None]),
        optimised_M=None if optimised_M.all() else optimised_M,
        repeats=repeats,
    )


def by_prompt(values_KR: NDArray[Any], counts_P: NDArray[np.int64]) -> NDArray[Any]:
    """`[K, P, R]` from the values `[K, responses]` of all responses, sorted by prompt; beyond a prompt's count, 0."""
    R = int(counts_P.max())
    if (counts_P == R).all():
        return values_KR.reshape(len(values_KR), len(counts_P), R)
    values_KPR = np.zeros((len(values_KR), len(counts_P), R), dtype=values_KR.dtype)
    values_KPR[:, np.arange(R) < counts_P[:, None]] = values_KR
    return values_KPR


def spread_within_prompts(scored: ScoreCube | ArrayLike) -> Floats:
    """Standard deviation `[M]` of each reward model's scores within prompts, under the policy that was sampled.

    The scores are a cube's or `[M, P, N]`. The unbiased variance per prompt, averaged over the prompts that have two
    samples. Raises InvalidChoice if none has.
    """
    if isinstance(scored, ScoreCube) and scored.responses_P is not None:
        parts = list(scored.by_count(least=2))
        if not parts:
            raise InvalidChoice("no prompt has two responses; a spread within prompts takes two")
        variances_MP = [
            scored.scores_MPR[:, places, :count].astype(np.float64).var(axis=2, ddof=1) for count, places in parts
        ]
        return np.sqrt(np.concatenate(variances_MP, axis=1).mean(axis=1))
    scores = np.asarray(scored.scores_MPR if isinstance(scored, ScoreCube) else scored, dtype=np.float64)
    if scores.ndim != 3 or scores.shape[2] < 2:
        raise InvalidChoice(f"scores have shape {scores.shape}; a spread takes reward models × prompts × 2 samples")
    return np.sqrt(scores.var(axis=2, ddof=1).mean(axis=1))


def _rows(known: Sequence[str], names: Sequence[str]) -> list[int]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownName(f"no reward model {unknown[0]!r}; there are {', '.join(known)}")
    return [known.index(name) for name in names]


def score_cube(
    scores_MPR: ArrayLike,
    *,
    reward_models: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
) -> ScoreCube:
    """A cube of M reward models' scores of R responses to P prompts; default names are `rm-0`, `prompt-0` and so on.

    Raises InvalidChoice for scores that are not finite, too few of them, or names that do not fit.
    """
    scores = _finite(scores_MPR, "scores").astype(np.float32)
    M, P, R = scores.shape
    if M < 2 or P < 2 or R < 2:
        raise InvalidChoice(f"scores have shape {scores.shape}; they take 2 reward models, 2 prompts and 2 responses")
    return ScoreCube(
        scores,
        _names(reward_models, M, "reward_models", "rm-{}"),
        tuple(f"prompt-{number}" for number in range(P)),
        _names(categories, P, "categories", _ONE_CATEGORY),
        (_ONE_CATEGORY,) * P,
    )


def best_of_n_policies(
    samples_MQN: ArrayLike,
    n: int,
    *,
    reward_models: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
) -> PolicyValues:
    """Values of best-of-n against each of M reward models, from their scores of N samples for each of Q prompts.

    Raises InvalidChoice as `score_cube` does, and for an n that is not from 1 to N.
    """
    samples = _finite(samples_MQN, "samples")
    M, Q, _ = samples.shape
    return PolicyValues(
        samples.mean(axis=2),
        best_of_n_values(samples, [n])[0],
        _names(reward_models, M, "reward_models", "rm-{}"),
        tuple(f"rl-prompt-{number}" for number in range(Q)),
        _names(categories, Q, "categories", _ONE_CATEGORY),
        (_ONE_CATEGORY,) * Q,
    )


def best_of_n_of_cube(
    cube: ScoreCube, strengths: Sequence[int], prompts: NDArray[np.int64], quantities_KPR: ArrayLike | None = None
) -> Floats:
    """Values `[S, M golden, M proxy, prompts]` of best-of-n on these prompts, from the samples that each has.

    With `quantities_KPR` of all responses of the cube, their expectations `[S, K, M proxy, prompts]` over the picks.
    Raises InvalidChoice for a prompt with fewer than n samples.
    """

    def expectations(quantities_KPN: Floats, scores_MPN: Floats) -> Floats:
        return best_of_n_expected(quantities_KPN, scores_MPN, strengths)

    return expected_of_cube(cube, prompts, len(strengths), expectations, quantities_KPR)


def expected_of_cube(
    cube: ScoreCube,
    prompts: NDArray[np.int64],
    S: int,
    expectations: Callable[[NDArray[Any], NDArray[Any]], Floats],
    quantities_KPR: ArrayLike | None = None,
) -> Floats:
    """`[S, K, M proxy, prompts]`: `expectations` of quantities and scores, for prompts with equally many responses.

    The quantities are of all responses of the cube; None: the scores. `expectations` takes `[K, p, N]` and `[M, p, N]`
    of some prompts and returns `[S, K, M, p]`. Raises InvalidChoice for quantities of another shape.
    """
    quantities = cube.scores_MPR if quantities_KPR is None else np.asarray(quantities_KPR)
    if quantities.shape[1:] != cube.scores_MPR.shape[1:]:
        raise InvalidChoice(f"quantities are {quantities.shape}, scores {cube.scores_MPR.shape}; they have to agree")
    values = np.empty((S, len(quantities), len(cube.reward_models), len(prompts)))
    for count, places in cube.of_prompts(prompts).by_count():
        chosen = prompts[places]
        values[..., places] = expectations(quantities[:, chosen, :count], cube.scores_MPR[:, chosen, :count])
    return values


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3:
        raise InvalidChoice(f"{what} have {array.ndim} axes; they take reward models × prompts × responses")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(number) for number in wrong[0])
        raise InvalidChoice(f"{what} are {array[place]} at {place}, {len(wrong)} in all are not finite; leave them out")
    return array


def _names(given: Sequence[str] | None, count: int, what: str, pattern: str) -> tuple[str, ...]:
    if given is None:
        return tuple(pattern.format(number) for number in range(count))
    if len(given) != count:
        raise InvalidChoice(f"{len(given)} {what} for {count}; give one each")
    return tuple(given)
