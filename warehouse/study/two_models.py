"""Two reward models side by side, prompt by prompt: in a measure, and in what their policies are worth to a golden.

Each golden is a reward model other than the two, or a scorer that is golden only if it is named or there is no other
(`metrics.roles`). The terms serve `power.resolution`, which asks for them again on parts
of the responses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.catalogue import measure_named
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.formulas import Measure
from warehouse.metrics.policies.best_of_n import best_of_n_gap
from warehouse.metrics.preparation import prepare
from warehouse.metrics.responses import Responses
from warehouse.stats.bootstrap import Floats
from warehouse.study.power import Draws, Terms, clearly_positive

_CHUNK_ENTRIES = 2_000_000


def best_two(cube: ScoreCube) -> tuple[str, str]:
    """The two reward models of greatest accuracy, averaged over all others as golden. Raises InvalidChoice."""
    M, P, _ = cube.scores_MPR.shape
    pair_MM = cube.roles.pairs_MM
    if M < 3:
        raise InvalidChoice(f"there are {M} reward models; comparing two needs a third one as golden")
    values = prepare(cube, "accuracy")
    (share_C,), (defined_C,) = values.overall(np.ones((1, P)))
    share_MM = np.where(defined_C[values.column_MM] & pair_MM, share_C[values.column_MM], np.nan)
    counted_M = (~np.isnan(share_MM)).sum(axis=0)
    mean_M = np.nansum(share_MM, axis=0) / np.maximum(counted_M, 1)
    first, second = np.argsort(-mean_M, kind="stable")[:2]
    return cube.reward_models[first], cube.reward_models[second]


def strength_to_compare(optimizer: str, strengths: Sequence[float]) -> float:
    """The largest strength; of best-of-n the largest n of which the greatest is at least twice as large.

    Every prompt then has 2n samples or more, without which it could not be seen how the noise falls with them.
    """
    halved = [n for n in strengths if optimizer == "bon" and 2 * n <= max(strengths)]
    return float(max(halved or strengths))


def measure_draws(
    cube: ScoreCube, first: str, second: str, *, measure: str = "accuracy", golden: str | None = None
) -> Draws:
    """The difference of two proxies in a measure, for one golden or all others.

    The calibration error is linearised at its bins. Raises UnknownName for a name, InvalidChoice for goldens that are
    one of the two or missing.
    """
    formula = measure_named(measure)
    cube = cube.dense()
    a, b, goldens = _places(cube, first, second, golden)
    scores_MPR = cube.scores_MPR[:, :, :2] if formula.looks_at == "one pair" else cube.scores_MPR
    variance_M = scores_MPR[[a, b]].var(axis=(1, 2), dtype=np.float64)

    def terms(columns: NDArray[np.int64]) -> Terms:
        return _measured(formula, scores_MPR[goldens][:, :, columns], scores_MPR[[a, b]][:, :, columns], variance_M)

    return Draws(
        goldens=tuple(cube.reward_models[g] for g in goldens),
        undefined_goldens=(),
        responses=scores_MPR.shape[2],
        fewest=2,
        order=2 if formula.looks_at == "pairs" else None,
        terms=terms,
    )


def _measured(
    measure: Measure, golden_GPR: NDArray[np.floating], pair_KPR: NDArray[np.floating], variance_K: Floats
) -> Terms:
    """The difference of the pair's values and where both are defined, computed in chunks of prompts."""
    G, P, R = golden_GPR.shape
    step = max(1, _CHUNK_ENTRIES // (G * R * (R - 1)))
    values, defined = [], []
    for start in range(0, P, step):
        part = slice(start, start + step)
        proxies = Responses(pair_KPR[:, part].transpose(1, 0, 2), variance_K)
        values_TPGK, defined_PGK = measure.terms(Responses(golden_GPR[:, part].transpose(1, 0, 2)), proxies)
        defined_PG = defined_PGK[:, :, 0] & defined_PGK[:, :, 1]
        values.append(values_TPGK * defined_PG[:, :, None])
        defined.append(defined_PG)
    values_TPGK, defined_GP = np.concatenate(values, axis=1), np.concatenate(defined).T.astype(np.float64)
    if len(values_TPGK) > 1:  # minus the sum of the bins' absolute values
        values_TPGK = -values_TPGK * np.sign(values_TPGK.sum(axis=1, keepdims=True))
    values_PGK = values_TPGK.sum(axis=0)
    return Terms((values_PGK[:, :, 0] - values_PGK[:, :, 1]).T, defined_GP)


def best_of_n_draws(
    values: PolicyValues,
    samples_MQN: NDArray[np.floating],
    first: str,
    second: str,
    *,
    n: int,
    golden: str | None = None,
) -> Draws:
    """The difference of two best-of-n policies in golden score, per own gain of the golden: a difference of NDR.

    `samples_MQN` are the scores of the initial policy's samples to the prompts of `values`. The own gain is the one of
    `values`, whichever samples are used. Raises as `measure_draws`, and InvalidChoice where nothing was optimised.
    """
    a, b, goldens = _optimised(values, first, second, golden)

    def gap(columns: NDArray[np.int64]) -> Floats:
        samples_MQr = samples_MQN[:, :, columns]
        return best_of_n_gap(samples_MQr[goldens], samples_MQr[a], samples_MQr[b], n)

    return _policy_draws(values, goldens, golden, samples=samples_MQN.shape[2], fewest=n, gap=gap)


def scored_draws(
    values: PolicyValues,
    first_MQK: NDArray[np.floating],
    second_MQK: NDArray[np.floating],
    first: str,
    second: str,
    *,
    golden: str | None = None,
) -> Draws:
    """The same for policies that answered each prompt K times, from the scores of these responses; raises likewise."""
    _, _, goldens = _optimised(values, first, second, golden)
    K = min(first_MQK.shape[2], second_MQK.shape[2])
    difference_GQK = first_MQK[goldens, :, :K].astype(np.float64) - second_MQK[goldens, :, :K]

    def gap(columns: NDArray[np.int64]) -> Floats:
        mean_GQ: Floats = difference_GQK[:, :, columns].mean(axis=2)
        return mean_GQ

    return _policy_draws(values, goldens, golden, samples=K, fewest=1, gap=gap)


def value_draws(values: PolicyValues, first: str, second: str, *, golden: str | None = None) -> Draws:
    """The same for policies of which only the values per prompt are stored: the number of responses cannot vary."""
    a, b, goldens = _optimised(values, first, second, golden)
    difference_GQ = values.optimised_MMQ[goldens, a] - values.optimised_MMQ[goldens, b]
    return _policy_draws(values, goldens, golden, samples=1, fewest=1, gap=lambda _: difference_GQ)


def _policy_draws(
    values: PolicyValues,
    goldens: list[int],
    golden: str | None,
    *,
    samples: int,
    fewest: int,
    gap: Callable[[NDArray[np.int64]], Floats],
) -> Draws:
    """Terms of the goldens whose own gain is clearly above 0; of the others, `gap` computes the rows in vain."""
    own_GQ = values.optimised_MMQ[goldens, goldens] - values.initial_MQ[goldens]
    optimised_M = np.ones(len(values.reward_models), bool) if values.optimised_M is None else values.optimised_M
    clear_G = clearly_positive(own_GQ) & optimised_M[goldens]
    names = np.array(values.reward_models, dtype=object)[goldens]
    if not clear_G.any():
        which = f"golden {golden!r} does" if golden else "goldens do"
        raise InvalidChoice(f"the {which} not clearly gain by optimising, so what the policies lose is undefined")
    return Draws(
        goldens=tuple(names[clear_G]),
        undefined_goldens=tuple(names[~clear_G]),
        responses=samples,
        fewest=fewest,
        order=fewest,
        terms=lambda columns: Terms(gap(columns)[clear_G], own_GQ[clear_G]),
    )


class _Places(NamedTuple):
    """Numbers of the two reward models and of their goldens."""

    first: int
    second: int
    goldens: list[int]


def _optimised(values: PolicyValues, first: str, second: str, golden: str | None) -> _Places:
    places = _places(values, first, second, golden)
    for place in (places.first, places.second):
        if values.optimised_M is not None and not values.optimised_M[place]:
            name = values.reward_models[place]
            raise InvalidChoice(f"no policy was optimised against {name!r} this far; choose another strength or model")
    return places


def _places(scored: ScoreCube | PolicyValues, first: str, second: str, golden: str | None) -> _Places:
    names, roles = scored.reward_models, scored.roles
    for name in (first, second, *([] if golden is None else [golden])):
        if name not in names:
            raise UnknownName(f"no reward model {name!r}; there are {', '.join(names)}")
    if first == second:
        raise InvalidChoice(f"both reward models are {first!r}; name two different ones")
    if golden in (first, second):
        raise InvalidChoice(f"golden is {golden!r}, one of the two that are compared; choose a third reward model")
    two = names.index(first), names.index(second)
    for place in two:
        if not roles.proxy_M[place]:
            raise InvalidChoice(f"{names[place]!r} is no proxy, so no golden judges it; name two reward models")
    goldens = [names.index(golden)] if golden else [m for m in np.flatnonzero(roles.golden_M).tolist() if m not in two]
    goldens = goldens or [m for m, role in enumerate(scored.only or ()) if role == "golden"]
    if not goldens:
        raise InvalidChoice(f"there are {len(names)} reward models; comparing two needs a third one as golden")
    return _Places(*two, goldens)
