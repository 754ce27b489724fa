"""What each reward model is worth to a golden, one number a prompt, so that any two are compared prompt by prompt.

METHOD, "Choosing a reward model". The figure of a reward model is the mean of its numbers over the prompts. Prompts are
what is random; a prompt's number comes from random responses, whose noise is part of how the numbers vary. Reward
models and policies are taken as they are. Shapes: G goldens, M candidates, Q prompts, N samples a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.formats import listed
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.policies.best_of_n import best_of_n_gap, best_of_n_kl_bound, best_of_n_values
from warehouse.metrics.prompt_values import PromptValues
from warehouse.stats.bootstrap import Bools, Estimate, Floats
from warehouse.study.curves.value_curves import values_at_kl
from warehouse.study.power import Terms, clearly_positive, linearised, t_interval

FEWEST_PROMPTS = 2
LONGEST, SHORTEST = "longest response", "shortest response"
"""The policies that look at length alone."""

Unit = Literal["sd", "share", "measure"]
"""Gain in standard deviations of the golden within prompts; the share of right answers; the unit of a measure."""

_DECIMALS = 12


@dataclass(frozen=True)
class Worth:
    """What each of M `candidates` is worth on each of Q prompts, `values_MQ`, to these goldens (the mean over them).

    `left_out` are reward models without a figure: no policy, or a measure that is undefined. `reached` are the NDR of
    the candidates: the share of the goldens' own gains, None where there is no such policy or it does not clearly gain.
    `gains_MQ` are the golden gains in sd within prompts, None for a measure.
    """

    values_MQ: Floats
    candidates: tuple[str, ...]
    goldens: tuple[str, ...]
    unit: Unit
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    reached: tuple[Estimate | None, ...] = ()
    gains_MQ: Floats | None = None

    def of_prompts(self, prompts: NDArray[np.int64]) -> Worth:
        """On some prompts only, given by their numbers `[prompts]`; without NDR and gains."""
        axes = (self.prompts, self.categories, self.subsets)
        named, categories, subsets = (tuple(axis[number] for number in prompts) for axis in axes)
        return replace(
            self,
            values_MQ=self.values_MQ[:, prompts],
            prompts=named,
            categories=categories,
            subsets=subsets,
            reached=(),
            gains_MQ=None,
        )


class Sides(NamedTuple):
    """Numbers of the goldens and of the candidates among the scorers of a run."""

    goldens: list[int]
    candidates: list[int]

    @property
    def judges_GM(self) -> Bools:
        """Which golden judges which candidate: all but itself."""
        return np.array([[golden != candidate for candidate in self.candidates] for golden in self.goldens])


def sides_of(names: Sequence[str], goldens: Sequence[str], roles: Sequence[str | None], least: int = 2) -> Sides:
    """Goldens by name (none: those that are golden only, or else every reward model), and who is judged by them.

    `roles` are those of table `reward_model`. Raises UnknownName, and InvalidChoice for fewer reward models than
    `least`.
    """
    unknown = [name for name in goldens if name not in names]
    if unknown:
        raise UnknownName(f"no scorer {unknown[0]!r} to be golden; there are {listed(names)}")
    only_golden = [name for name, role in zip(names, roles, strict=True) if role == "golden"]
    chosen = list(goldens) or only_golden or [n for n, role in zip(names, roles, strict=True) if role != "proxy"]
    alone = chosen if len(chosen) == 1 else []
    candidates = [n for n, role in zip(names, roles, strict=True) if role != "golden" and n not in alone]
    if len(candidates) < least:
        others = f" besides the golden {alone[0]!r}" if alone else ""
        raise InvalidChoice(f"choosing takes two reward models or more{others}; this run has {len(candidates)}")
    if len(candidates) == 2 and set(chosen) == set(candidates):
        raise InvalidChoice(
            "there are two reward models and nothing else to judge them by; choosing takes a third one or a truth, "
            "such as labels"
        )
    return Sides([names.index(name) for name in chosen], [names.index(name) for name in candidates])


def best_of_n(cube: ScoreCube, n: int, least: int = 2) -> PolicyValues:
    """Best-of-n against every scorer on the prompts that have n samples or more, and `least`.

    Raises InvalidChoice for fewer than two such prompts.
    """
    if n < 1:
        raise InvalidChoice(f"n is {n}; best-of-n draws 1 sample or more")
    parts = [(rows, cube.scores_MPR[:, rows, :count]) for count, rows in cube.by_count(least=max(n, least))]
    rows_Q = np.concatenate([np.empty(0, dtype=np.int64), *(rows for rows, _ in parts)])
    if len(rows_Q) < FEWEST_PROMPTS:
        R = cube.scores_MPR.shape[2]
        raise InvalidChoice(f"best of {n}: {len(rows_Q)} of these prompts have so many samples; the most are {R}")
    order = np.argsort(rows_Q, kind="stable")
    initial_MQ = np.concatenate([scores.mean(axis=2, dtype=np.float64) for _, scores in parts], axis=1)
    optimised_MMQ = np.concatenate([best_of_n_values(scores, [n])[0] for _, scores in parts], axis=2)
    prompts, categories, subsets = _described(cube, rows_Q[order])
    optimised_MMQ = optimised_MMQ[:, :, order]
    return PolicyValues(initial_MQ[:, order], optimised_MMQ, cube.reward_models, prompts, categories, subsets)


def best_of_n_at_kl(cube: ScoreCube, kl: float) -> PolicyValues:
    """Best-of-n where the bound of its KL is `kl` nats, between the two nearest n (`value_curves.values_at_kl`).

    On the prompts that have samples for the greater of the two. Raises InvalidChoice beyond the most samples.
    """
    most, M = cube.scores_MPR.shape[2], len(cube.reward_models)
    after = next((n for n in range(2, most + 1) if best_of_n_kl_bound(n) >= kl), most)
    steps = (after - 1, after)
    bound_SM = np.repeat([[best_of_n_kl_bound(n)] for n in steps], M, axis=1)
    return values_at_kl([best_of_n(cube, n, least=after) for n in steps], bound_SM, kl)


def spread_within(cube: ScoreCube) -> Floats:
    """Standard deviation of each scorer's scores within prompts, `[M]`: the root of the mean variance."""
    parts = [(cube.scores_MPR[:, rows, :count], len(rows)) for count, rows in cube.by_count(least=2)]
    sums_M = np.sum([s.astype(np.float64).var(axis=2, ddof=1).sum(axis=1) for s, _ in parts], axis=0)
    spread_M: Floats = np.sqrt(sums_M / max(1, sum(rows for _, rows in parts)))
    return spread_M


def is_right_or_wrong(cube: ScoreCube, golden: int) -> bool:
    """Whether a scorer gives nothing but 0 and 1, as labels and verifiers do."""
    scores = [cube.scores_MPR[golden, rows, :count].ravel() for count, rows in cube.by_count()]
    return set(np.unique(np.concatenate(scores)).tolist()) <= {0.0, 1.0}


def of_policies(values: PolicyValues, sides: Sides, spread_M: Floats, *, share: bool = False) -> Worth:
    """Golden gain of each candidate's policy in sd within prompts (`spread_M`), or with `share` its share of right.

    Raises InvalidChoice if no candidate has a policy, or no golden tells responses apart.
    """
    names = values.reward_models
    optimised_M = np.ones(len(names), dtype=bool) if values.optimised_M is None else values.optimised_M
    candidates = [m for m in sides.candidates if optimised_M[m]]
    left_out = tuple(names[m] for m in sides.candidates if not optimised_M[m])
    goldens = [g for g in sides.goldens if spread_M[g] > 0]
    if not goldens:
        raise InvalidChoice("the golden gives all responses to a prompt the same score, so no policy is worth more")
    compared = Sides(goldens, candidates)
    gain_GMQ = values.optimised_MMQ[np.ix_(goldens, candidates)] - values.initial_MQ[goldens][:, None]
    worth = _judged(gain_GMQ / spread_M[goldens][:, None, None], compared.judges_GM, names, compared)
    gains_MQ = worth.values_MQ
    share = share and len(goldens) == 1
    if share:
        right_MQ = values.optimised_MMQ[goldens[0], [names.index(name) for name in worth.candidates]]
        worth = replace(worth, values_MQ=np.round(right_MQ, _DECIMALS))
    own_GQ = values.optimised_MMQ[goldens, goldens] - values.initial_MQ[goldens]
    clear_G = clearly_positive(own_GQ) & optimised_M[goldens]
    reached = []
    for place in range(len(candidates)):
        judged = clear_G & compared.judges_GM[:, place]
        terms = Terms(gain_GMQ[judged, place], own_GQ[judged])
        reached.append(t_interval(linearised(terms)) if judged.any() else None)
    return replace(
        worth,
        unit="share" if share else "sd",
        prompts=values.prompts,
        categories=values.categories,
        subsets=values.subsets,
        left_out=left_out + worth.left_out,
        reached=tuple(reached),
        gains_MQ=gains_MQ,
    )


def of_measure(cube: ScoreCube, values: PromptValues, sides: Sides) -> Worth:
    """A measure of each candidate; `values` are those of `prepare` on the same cube.

    Raises InvalidChoice if it is undefined for all of them.
    """
    _, P, _ = cube.scores_MPR.shape
    defined_PC = np.ones(values.values_TPC.shape[1:], dtype=bool)
    defined_PC[values.undefined_rows] = values.undefined_UC == 0
    numbers_GMP = np.zeros((len(sides.goldens), len(sides.candidates), P))
    judges_GM = sides.judges_GM
    for g, m in np.argwhere(judges_GM).tolist():
        column = values.column_MM[sides.goldens[g], sides.candidates[m]]
        terms_TP, defined_P = values.values_TPC[:, :, column], defined_PC[:, column]
        if not defined_P.any():
            judges_GM[g, m] = False
            continue
        if len(terms_TP) > 1:  # minus the sum of the bins' absolute values
            terms_TP = -terms_TP * np.sign(terms_TP.sum(axis=1, keepdims=True))
        numbers_GMP[g, m] = linearised(Terms(terms_TP.sum(axis=0)[None], defined_P[None].astype(np.float64)))
    worth = _judged(numbers_GMP, judges_GM, cube.reward_models, sides)
    return replace(worth, prompts=cube.prompts, categories=cube.categories, subsets=cube.subsets)


def of_length(
    cube: ScoreCube, lengths_PN: NDArray[np.number], golden_PN: Floats, n: int, *, share: bool = False
) -> Worth:
    """What best-of-n by length alone gains on this truth: always the longest, always the shortest of n.

    With `share` it is the share of right picks instead of a gain.
    """
    values, rows_Q = [], []
    for count, rows in cube.by_count(least=max(n, 2)):
        length_PN = lengths_PN[rows, :count].astype(np.float64)
        truth_PN = golden_PN[rows, :count]
        start_P = truth_PN.mean(axis=1) if share else 0.0
        values.append(np.stack([start_P + _gap(truth_PN[None], side, n)[0] for side in (length_PN, -length_PN)]))
        rows_Q.append(rows)
    numbers = np.concatenate(rows_Q)
    order = np.argsort(numbers, kind="stable")
    described = _described(cube, numbers[order])
    unit: Unit = "share" if share else "sd"
    return Worth(np.concatenate(values, axis=1)[:, order], (LONGEST, SHORTEST), (), unit, *described)


def truth_for(cube: ScoreCube, sides: Sides, candidate: int, *, share: bool = False) -> Floats:
    """The golden score `[P, N]` of every response in standard deviations, of 0 and 1 as it is (`share`).

    With several goldens it is their mean, without the candidate itself (its number among the scorers).
    """
    goldens = [g for g in sides.goldens if g != candidate]
    if share and len(goldens) == 1:
        return cube.scores_MPR[goldens[0]].astype(np.float64)
    spread_M = spread_within(cube)
    scaled = [cube.scores_MPR[g] / spread_M[g] for g in goldens if spread_M[g] > 0]
    if not scaled:
        raise InvalidChoice("the golden gives all responses to a prompt the same score, so no policy is worth more")
    truth_PN: Floats = np.mean(scaled, axis=0, dtype=np.float64)
    return truth_PN


class _Described(NamedTuple):
    """Names, categories and subsets of some prompts."""

    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subsets: tuple[str, ...]


def _described(cube: ScoreCube, prompts: NDArray[np.int64]) -> _Described:
    axes = (cube.prompts, cube.categories, cube.subsets)
    return _Described(*(tuple(axis[number] for number in prompts) for axis in axes))


def _gap(quantities_KPN: Floats, scores_PN: Floats, n: int) -> Floats:
    """How much best-of-n by these scores has more of each quantity than a response has on average: `[K, P]`."""
    return best_of_n_gap(quantities_KPN, scores_PN, np.zeros_like(scores_PN), n)


def _judged(values_GMQ: Floats, judges_GM: Bools, names: Sequence[str], sides: Sides) -> Worth:
    """The mean over goldens, as if each candidate were judged by all of them.

    No reward model judges itself, so plain means are over unlike goldens; a least-squares fit of golden plus candidate
    to the pairs takes that out. With the same goldens for all it is the plain mean.
    """
    judged = judges_GM.any(axis=0)
    if not judged.any():
        raise InvalidChoice("no reward model has a figure here")
    values_GMQ, judges_GM = values_GMQ[:, judged], judges_GM[:, judged]
    G, M, Q = values_GMQ.shape
    if judges_GM.all():
        values_MQ = values_GMQ.mean(axis=0)
    else:
        pairs = np.argwhere(judges_GM)
        design = np.zeros((len(pairs), G + M))
        design[np.arange(len(pairs)), pairs[:, 0]] = design[np.arange(len(pairs)), G + pairs[:, 1]] = 1.0
        target = np.concatenate([np.full((M, G), 1.0 / G), np.eye(M)], axis=1)
        values_MQ = target @ np.linalg.pinv(design) @ values_GMQ[judges_GM].reshape(len(pairs), Q)
    places = np.flatnonzero(judged)
    return Worth(
        np.round(values_MQ, _DECIMALS),
        tuple(names[sides.candidates[place]] for place in places),
        tuple(names[golden] for golden in sides.goldens),
        "measure",
        prompts=(),
        categories=(),
        subsets=(),
        left_out=tuple(names[sides.candidates[place]] for place in np.flatnonzero(~judged)),
    )
