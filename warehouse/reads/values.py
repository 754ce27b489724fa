"""What optimised policies are worth to every golden reward model: at a strength, at a KL, or at all strengths.

Best-of-n and tilted policies whose values are not stored, as in an imported run, are computed from the scores of the
RL-test responses: at n from those prompts that have n or more, at λ from those where it is defined for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import (
    PolicyValues,
    ScoreCube,
    best_of_n_of_cube,
    mean_of_repeats,
    spread_within_prompts,
)
from warehouse.metrics.policies.repeats import Repeats, averaged
from warehouse.metrics.policies.tilted import tilted_policies, tilted_values
from warehouse.reads import policies
from warehouse.reads.runs import prompts, reward_models
from warehouse.reads.scores import initial_scores
from warehouse.schema import BY_WEIGHTING, INITIAL
from warehouse.store import Connection
from warehouse.study.curves.value_curves import ValueCurves, strengths_read, values_at_kl

Samples = Callable[[], ScoreCube]
"""Returns the scores of the RL-test responses, `scores.initial_scores`, from a cache; called only if needed."""


def policy_values(
    connection: Connection,
    run_id: str,
    optimizer: str,
    strength: float,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
) -> PolicyValues:
    """Per-prompt values of the initial policy `[M, Q]` and of an optimiser's policies at one strength `[M, M, Q]`.

    Both are float64. One KL penalty is read: `kl_coefficient`, or the default one (`policies.kl_coefficients`).
    A reward model without a policy at this strength (PPO that diverged) is marked in `optimised_M`; of policies that
    were optimised several times, the values are means over those that got there (`PolicyValues.repeats`). `samples`
    gives the scores from which best-of-n and tilted policies are computed; None: they are read here.

    Raises InvalidChoice if the run has no such policies.
    """
    penalty = policies.chosen_kl_coefficient(connection, run_id, optimizer, kl_coefficient)
    scorers = reward_models(connection, run_id)
    models = scorers["reward_model_id"].to_list()
    every = policies.of_optimizer(connection, run_id, optimizer, penalty)
    frame = every.filter(strength=strength)
    if frame.is_empty():
        strengths = policies.strengths(connection, run_id, penalty)
        known = [f"{row['optimizer']} {row['strength']:g}" for row in strengths.to_dicts()]
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} at {strength:g}; it has {known}")
    samples = samples or partial(initial_scores, connection, run_id, "rl_test")
    stored = _stored_values(connection, run_id, frame, models, samples, repeats=_repeats(every))
    (values,) = _squared(stored, scorers, samples)
    return values


def value_curves(
    connection: Connection,
    run_id: str,
    optimizer: str,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
    goldens: Sequence[str] = (),
) -> ValueCurves:
    """`policy_values` of an optimiser at all S strengths that enough reward models have, and their KL `[S, M]` in nats.

    Reward models without a policy at some strength (PPO that diverged) are left out; if fewer than two would be left,
    the strengths that all have are taken instead. Scorers that are golden only, and `goldens`, stay without policies.
    All strengths are on the same prompts: of best-of-n, those with enough responses for every n that half of the
    prompts reach; of tilted policies, those where the greatest λ is defined, of which their KL is then too.
    Raises InvalidChoice if there is nothing to compare.
    """
    scorers = reward_models(connection, run_id)
    frame = policies.of_optimizer(connection, run_id, optimizer, kl_coefficient)
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r}")
    samples = samples or partial(initial_scores, connection, run_id, "rl_test")
    if optimizer == "bon":
        reached = policies.within_reach(connection, run_id, frame["strength"].unique().to_list())
        frame = frame.filter(pl.col("strength").is_in(reached)) if reached else frame
    complete, strengths = _complete(frame)
    frame = frame.filter(pl.col("reward_model_id").is_in(complete) & pl.col("strength").is_in(strengths))
    names = pl.col("reward_model_id")
    stays = names.is_in(list(goldens)) | (pl.col("role") == "golden").fill_null(False)
    present = scorers.filter(names.is_in(complete) | stays)
    present_names = present["reward_model_id"].to_list()
    repeats = _repeats(frame)
    stored = _stored_values(connection, run_id, frame, present_names, samples, repeats=repeats)
    if len(stored.optimised_SMKQ) != len(strengths) or not set(complete) <= set(stored.reward_models):
        raise _incomplete(run_id, optimizer)
    kl_SM = np.zeros((len(strengths), len(present_names)))
    kl_SM[:, [present_names.index(name) for name in complete]] = (
        policies.mean_kl(frame)["kl"].fill_null(0.0).to_numpy().reshape(len(strengths), len(complete))
    )
    if optimizer == "bon":  # the same for all, with a policy of their own or not
        kl_SM[:] = kl_SM.max(axis=1, keepdims=True)
    if optimizer == "tilted" and (cube := _scored(samples)) is not None:
        used_P = np.isin(np.array(cube.prompts, dtype=object), stored.prompts["prompt_id"].to_list())
        rows = [cube.reward_models.index(name) for name in present_names]
        kl_SM = tilted_policies(cube, strengths).kl_SMP[:, rows][:, :, used_P].mean(axis=2)
    return ValueCurves(
        optimizer=optimizer,
        strengths=tuple(strengths),
        kl_SM=kl_SM,
        kl_estimator=str(frame["kl_estimator"][0] or "none"),
        values=tuple(_squared(stored, present, samples)),
        left_out=tuple(name for name in scorers["reward_model_id"] if name not in present_names),
    )


def _scored(samples: Samples) -> ScoreCube | None:
    """The scores of the RL-test responses; None if they were not stored."""
    try:
        return samples()
    except InvalidChoice:
        return None


def _squared(stored: _Stored, scorers: pl.DataFrame, samples: Samples) -> list[PolicyValues]:
    """The values at each strength, with a place for every scorer; those without a policy are marked."""
    names = scorers["reward_model_id"].to_list()
    optimised_M = np.isin(names, stored.reward_models)
    spread_M = None
    if not optimised_M.all():
        cube = _scored(samples)
        spread_M = None if cube is None else spread_within_prompts(cube.of_reward_models(names))
    only = tuple(scorers["role"])
    values = []
    for at_MKQ, repeats in zip(stored.optimised_SMKQ, stored.repeats_S, strict=True):
        optimised_MMQ = at_MKQ
        if not optimised_M.all():
            optimised_MMQ = np.repeat(stored.initial_MQ[:, None], len(names), axis=1)
            optimised_MMQ[:, optimised_M] = at_MKQ
            repeats = repeats and repeats.among(optimised_M)
        values.append(
            PolicyValues(
                initial_MQ=stored.initial_MQ,
                optimised_MMQ=optimised_MMQ,
                reward_models=tuple(names),
                prompts=tuple(stored.prompts["prompt_id"]),
                categories=tuple(stored.prompts["category"]),
                subsets=tuple(stored.prompts["subset"]),
                optimised_M=None if optimised_M.all() else optimised_M,
                spread_M=spread_M,
                only=only if any(only) else None,
                repeats=repeats,
            )
        )
    return values


def policy_values_at_kl(
    connection: Connection,
    run_id: str,
    optimizer: str,
    kl: float,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
) -> PolicyValues:
    """`policy_values` of an optimiser where each policy has diverged from the initial one by `kl` nats.

    Between strengths as in `study.curves.value_curves`; a reward model whose policy never gets that far is marked in
    `optimised_M`. Each repeat of a policy is read at its own strengths, and the mean is over those that get that far.
    Raises InvalidChoice if the run has no such policies, or none gets that far.
    """
    every = policies.of_optimizer(connection, run_id, optimizer, kl_coefficient)
    frame = every.drop_nulls("kl")
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} whose KL is known")
    if optimizer == "tilted":
        curves = value_curves(connection, run_id, optimizer, samples=samples)
        return values_at_kl(curves.values, curves.kl_SM, kl)
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    strengths = frame["strength"].unique().sort().to_list()
    repeats, penalty = _repeats(every), frame["kl_coefficient"][0]
    kl_TSM = np.full((len(repeats), len(strengths), len(models)), np.nan)
    for repeat, strength, name, nats in frame.select(_REPEAT, "strength", "reward_model_id", "kl").iter_rows():
        kl_TSM[repeats.index(repeat), strengths.index(strength), models.index(name)] = nats
    known_TSM, kl_TSM = ~np.isnan(kl_TSM), np.nan_to_num(kl_TSM)
    farthest_T = np.where(known_TSM, kl_TSM, -np.inf).max(axis=(1, 2))
    reaching = np.flatnonzero(farthest_T >= kl).tolist() or [int(farthest_T.argmax())]
    read = {t: strengths_read(kl_TSM[t], known_TSM[t], kl) for t in reaching}
    values = {
        s: policy_values(connection, run_id, optimizer, strengths[s], penalty, samples=samples)
        for s in sorted(set().union(*read.values()))
    }
    if len({at.prompts for at in values.values()}) > 1:  # of best-of-n, fewer have samples for more
        common = set.intersection(*(set(at.prompts) for at in values.values()))
        values = {s: at.of_prompts(np.flatnonzero([name in common for name in at.prompts])) for s, at in values.items()}
    return mean_of_repeats(
        [values_at_kl([values[s].of_repeat(t) for s in read[t]], kl_TSM[t][read[t]], kl) for t in reaching]
    )


_REPEAT = pl.col("repeat").fill_null(0)


def _repeats(frame: pl.DataFrame) -> list[int]:
    """The numbers of the repeats of policies (rows of `of_optimizer`), ascending."""
    return frame.select(_REPEAT).to_series().unique().sort().to_list()


class _Stored(NamedTuple):
    """Values of the initial policy and of S strengths × K policies to M goldens, on Q prompts (rows of `prompt`).

    Those of policies are means over their repeats, from which these differ as `repeats_S` says.
    """

    initial_MQ: NDArray[np.float64]
    optimised_SMKQ: NDArray[np.float64]
    repeats_S: list[Repeats | None]
    reward_models: list[str]
    prompts: pl.DataFrame


def _stored_values(
    connection: Connection,
    run_id: str,
    frame: pl.DataFrame,
    goldens: list[str],
    samples: Samples,
    *,
    repeats: list[int],
) -> _Stored:
    """Values of policies (rows of `of_optimizer`) to these goldens. Raises InvalidChoice if some are missing.

    `repeats` are the numbers of repeats that any of the optimiser's policies has.
    """
    optimizer = frame["optimizer"][0]
    # policies and prompts by number: names beside every value would take longer than the values
    values = connection.execute(
        """
        WITH numbered AS (
            SELECT run_id, prompt_id, row_number() OVER (ORDER BY prompt_id) - 1 AS number
            FROM prompt WHERE run_id = $run
        )
        SELECT place, number, value
        FROM policy_value JOIN (SELECT unnest($policies) AS policy_id, unnest(range(len($policies))) AS place)
        USING (policy_id) JOIN numbered USING (run_id, prompt_id)
        WHERE run_id = $run AND list_contains($goldens, golden_id)
        ORDER BY place, golden_id, number  -- as they are stored: any other order takes three times as long
        """,
        {"run": run_id, "policies": [INITIAL, *frame["policy_id"]], "goldens": goldens},
    ).pl()
    initial, optimised = values.filter(place=0), values.filter(pl.col("place") > 0)
    numbered = prompts(connection, run_id)
    if optimised.is_empty() and optimizer in BY_WEIGHTING:
        cube, strengths = samples(), frame["strength"].unique().sort().to_list()
        places = _defined(cube, optimizer, max(strengths))
        optimised_values = _weighted(cube.of_reward_models(goldens), optimizer, strengths, places)
        names = goldens
        answered = set(np.array(cube.prompts, dtype=object)[places].tolist())
        numbers = [number for number, name in enumerate(numbered["prompt_id"]) if name in answered]
        initial = initial.filter(pl.col("number").is_in(numbers))
    else:
        if optimizer in BY_WEIGHTING:
            optimised = _on_common_prompts(optimised, frame.height * len(goldens))
        initial = initial.filter(pl.col("number").is_in(optimised["number"].unique().implode()))
        optimised_values = optimised["value"].to_numpy()
        frame = frame[optimised["place"].unique().sort() - 1]
        names = frame["reward_model_id"].unique().sort().to_list()
    described = numbered[initial["number"].unique().sort().to_numpy()]
    M, Q = len(goldens), described.height
    if Q == 0 or initial.height != M * Q:
        raise _incomplete(run_id, optimizer)
    repeats_S: list[Repeats | None] = [None] * frame["strength"].n_unique()
    if optimised_values.ndim == 1:
        if optimised_values.size != frame.height * M * Q:
            raise _incomplete(run_id, optimizer)
        means = _averaged(optimised_values.reshape(frame.height, M, Q), frame, names, repeats)
        if means is None:
            raise _incomplete(run_id, optimizer)
        optimised_values, repeats_S = means
    return _Stored(initial["value"].to_numpy().reshape(M, Q), optimised_values, repeats_S, names, described)


class _Means(NamedTuple):
    """Means over repeats, and how these differ from them at each strength."""

    optimised_SMKQ: NDArray[np.float64]
    repeats_S: list[Repeats | None]


def _averaged(
    values_LMQ: NDArray[np.float64], frame: pl.DataFrame, names: list[str], repeats: list[int]
) -> _Means | None:
    """Of the values of L policies (rows of `frame`), the means over repeats at each strength; None if some lack."""
    columns = frame.select(_REPEAT, "strength", "reward_model_id")
    axes = repeats, columns["strength"].unique().sort().to_list(), names
    places = tuple(np.searchsorted(axis, columns.to_series(number).to_numpy()) for number, axis in enumerate(axes))
    T, S, K = (len(axis) for axis in axes)
    _, M, Q = values_LMQ.shape
    present_TSK = np.zeros((T, S, K), dtype=bool)
    present_TSK[places] = True
    if present_TSK.sum() != len(values_LMQ) or not present_TSK.any(axis=0).all():
        return None
    if T == 1:  # by strength and reward model, as they are
        return _Means(np.ascontiguousarray(values_LMQ.reshape(S, K, M, Q).transpose(0, 2, 1, 3)), [None] * S)
    values_TSKMQ = np.zeros((T, S, K, M, Q))
    values_TSKMQ[places] = values_LMQ
    parts = [averaged(values_TSKMQ[:, s].swapaxes(1, 2), present_TSK[:, s]) for s in range(S)]
    return _Means(np.stack([part.mean_MMQ for part in parts]), [part.repeats for part in parts])


def _defined(cube: ScoreCube, optimizer: str, strength: float) -> NDArray[np.int64]:
    """Numbers `[prompts]` of the prompts on which the policies of an optimiser by weighting are defined."""
    if optimizer == "bon":
        return np.flatnonzero(cube.counts_P >= strength)
    return np.flatnonzero(tilted_policies(cube, [strength]).defined_SP[0])


def _weighted(
    cube: ScoreCube, optimizer: str, strengths: list[float], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Values `[S, M golden, M proxy, prompts]` on prompts that are all defined."""
    if optimizer == "bon":
        return best_of_n_of_cube(cube, [int(n) for n in strengths], places)
    return tilted_values(cube, strengths, places)


def _on_common_prompts(values: pl.DataFrame, policies_and_goldens: int) -> pl.DataFrame:
    """The stored values on those prompts that all policies have: fewer are defined at greater strengths."""
    counted = values.group_by("number").len()
    common = counted.filter(len=policies_and_goldens)["number"]
    return values if len(common) == counted.height else values.filter(pl.col("number").is_in(common.implode()))


def _incomplete(run_id: str, optimizer: str) -> InvalidChoice:
    return InvalidChoice(f"run {run_id!r} lacks values of {optimizer!r} for some reward models or prompts")


def _complete(frame: pl.DataFrame) -> tuple[list[str], list[float]]:
    """The reward models and the strengths to compare."""
    models, strengths = (frame[name].unique().sort() for name in ("reward_model_id", "strength"))
    counts = frame.group_by("reward_model_id").agg(pl.col("strength").n_unique())
    complete = counts.filter(strength=len(strengths))["reward_model_id"].sort().to_list()
    if len(complete) < 2 <= len(models):
        counts = frame.group_by("strength").agg(pl.col("reward_model_id").n_unique())
        common = counts.filter(reward_model_id=len(models))["strength"].sort().to_list()
        if common:
            return models.to_list(), common
    return complete, strengths.to_list()
