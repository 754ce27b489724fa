"""An ensemble of a run's scorers joins it as a scorer of its own, made from stored scores; no model is loaded.

Members are standardised by their mean and standard deviation over the initial policy's responses to the RM-test
prompts. What a policy is worth to the mean of the members follows from what it is worth to each of them, also where its
responses were not stored; to the worst, or to the mean less the disagreement, it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.errors import InvalidConfig
from pipeline.runs.derived import Derived, NewScorer, derive
from warehouse import reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.ensembles import combined, scales, standardised
from warehouse.reads import derived as read
from warehouse.schema import INITIAL, ROLES

SUFFIX = "ensemble"
"""What the id of the new run ends with by default."""


def ensemble(
    data: Path,
    run_id: str,
    members: Sequence[str],
    how: str = "mean",
    *,
    weight: float = 1.0,
    name: str | None = None,
    role: str | None = None,
    new_id: str | None = None,
) -> Derived:
    """Publish a new run with the ensemble as one scorer more; its name is by default `ensemble-<how>`.

    Raises UnknownName for an unknown run or member, InvalidChoice for members that make no ensemble, and what `derive`
    raises.
    """
    if role is not None and role not in ROLES:
        raise InvalidConfig(f"role is {role!r}; choose one of {', '.join(ROLES)}, or none for both")
    if not members:
        raise InvalidChoice("members is empty; an ensemble takes two or more")
    if repeated := [member for member in members if list(members).count(member) > 1]:
        raise InvalidChoice(f"member {repeated[0]!r} is named twice; name each once")
    with store.open_read_only(data) as connection:
        known = reads.runs.reward_models(connection, run_id)["reward_model_id"].to_list()
        if unknown := [member for member in members if member not in known]:
            raise UnknownName(f"no reward model {unknown[0]!r} in run {run_id!r}; there are {', '.join(known)}")
        scores = read.scores_of(connection, run_id, members)
        places = read.responses(connection, run_id)
        values = read.values_of(connection, run_id, members)
    reference = places.filter(policy_id=INITIAL, split="rm_test").select("response_id")
    reference_MK = _matrix(scores.join(reference, on="response_id"), members)
    if reference_MK.shape[1] == 0:
        raise InvalidChoice(
            f"no response of the initial policy to an RM-test prompt has scores of {', '.join(members)}"
        )
    mean_M, deviation_M = scales(reference_MK, members)
    standard_MK = standardised(_matrix(scores, members), mean_M, deviation_M)
    score_K = combined(standard_MK, how, weight)
    settings = {
        "members": list(members),
        "how": how,
        **({"weight": weight} if how == "uncertainty" else {}),
        "standardised_by": {
            member: {"mean": float(mean), "standard_deviation": float(deviation)}
            for member, mean, deviation in zip(members, mean_M, deviation_M, strict=True)
        },
    }
    called = name or f"ensemble-{how}"
    scorer = NewScorer(
        {"reward_model_id": called, "kind": "ensemble", "role": role, "base_model": f"{how} of {', '.join(members)}"},
        scores.select("response_id", score=pl.Series(score_K.astype(np.float32))),
        _mean_values(values, members, mean_M, deviation_M) if how == "mean" else NewScorer.no_values(),
        settings,
    )
    return derive(data, run_id, scorer, new_id, suffix=SUFFIX)


def _matrix(scores: pl.DataFrame, members: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The members' scores `[M, K]`."""
    return np.stack([scores[member].to_numpy() for member in members])


def _mean_values(
    values: pl.DataFrame,
    members: Sequence[str],
    mean_M: np.ndarray[tuple[int], np.dtype[np.float64]],
    deviation_M: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> pl.DataFrame:
    """What policies are worth to the mean of the members `[M]`, on prompts for which all members have a value."""
    scale = pl.DataFrame({"golden_id": list(members), "mean": mean_M, "deviation": deviation_M})
    standard = values.join(scale, on="golden_id").with_columns(
        value=(pl.col("value") - pl.col("mean")) / pl.col("deviation")
    )
    means = standard.group_by("policy_id", "prompt_id").agg(pl.col("value").mean(), pl.len())
    return means.filter(pl.col("len") == len(members)).select("policy_id", "prompt_id", "value")
