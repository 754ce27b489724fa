"""Scores of all reward models as dense arrays, and whose responses they are of.

Scores are not sorted: sorting millions of rows by their ids takes far more time and memory than reading them. Each goes
straight to its place in the array, which is computed from the small tables, and one batch of rows is in memory at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import ScoreCube, by_prompt
from warehouse.metrics.test_set import with_paraphrases, with_responses
from warehouse.reads.policies import of_optimizer
from warehouse.reads.runs import prompts, reward_models
from warehouse.schema import INITIAL, ORIGINAL, PARAPHRASE, PROBES, RL_ALGORITHMS
from warehouse.store import Connection

_BATCH_ROWS = 1_000_000

_RESPONSES = """
    SELECT response.run_id, response_id, number, row_number() OVER (ORDER BY number, sample, response_id) - 1 AS place
    FROM response JOIN (
        SELECT run_id, prompt_id, row_number() OVER (ORDER BY prompt_id) - 1 AS number FROM prompt
        WHERE run_id = $run AND split = $split
    ) USING (run_id, prompt_id)
    WHERE policy_id = $policy AND prompt_form = $form
"""

# reward models come as a list: as another table of the run, DuckDB would pair them with all responses first
_SCORES = f"""
    SELECT model * $responses + place AS place, score FROM score
    JOIN ({_RESPONSES}) USING (run_id, response_id)
    JOIN (SELECT unnest($models) AS reward_model_id, unnest(range(len($models))) AS model) USING (reward_model_id)
    WHERE score.run_id = $run
"""


def sources(connection: Connection, run_id: str) -> pl.DataFrame:
    """Where the scored responses to the RM-test prompts come from, the initial policy first.

    Columns: `source`, a policy or an algorithm such as `ppo`, which stands for all policies that it trained to the last
    step, without those of other KL coefficients than the default one; `prompts` answered; `responses` to each (the
    fewest), and `paraphrase_responses` to its paraphrase, 0 without any. Edited responses (`schema.PROBES`) are no
    source.
    Raises UnknownName for an unknown run.
    """
    reward_models(connection, run_id)
    counted = connection.execute(
        """
        WITH counted AS (
            SELECT policy_id, prompt_id, count(*) FILTER (WHERE prompt_form = 'original') AS responses,
                   count(*) FILTER (WHERE prompt_form = 'paraphrase') AS paraphrase_responses
            FROM response JOIN prompt USING (run_id, prompt_id)
            WHERE run_id = $run AND split = 'rm_test' AND NOT list_contains($probes, policy_id)
              AND response_id IN (SELECT response_id FROM score WHERE run_id = $run)
            GROUP BY ALL
        )
        SELECT policy_id AS source, count(*) AS prompts, min(responses) AS responses,
               max(paraphrase_responses) AS paraphrase_responses
        FROM counted GROUP BY policy_id ORDER BY policy_id <> $initial, policy_id
        """,
        {"run": run_id, "initial": INITIAL, "probes": list(PROBES.values())},
    ).pl()
    together = [
        counted.filter(pl.col("source").is_in(policies))
        .select(pl.lit(algorithm).alias("source"), pl.col("prompts").min(), pl.exclude("source", "prompts").sum())
        .head(1)
        for algorithm, policies in _last_policies(connection, run_id, counted["source"].to_list()).items()
    ]
    return pl.concat([counted, *together])


def score_cube(
    connection: Connection,
    run_id: str,
    source: str | Sequence[str] = INITIAL,
    paraphrase: float = 0.0,
    seed: int = 0,
) -> ScoreCube:
    """Scores `[M, P, R]` (float32) of all reward models for one or several sources' responses to the RM-test prompts.

    The responses of several sources alternate (`with_responses`). A share of the prompts, drawn by `seed`, is replaced
    by their paraphrases with the same sources' responses to those. Raises UnknownName for an unknown run or a source
    that `sources` does not have, InvalidChoice for a share that its paraphrases do not allow.
    """
    known = sources(connection, run_id)
    names = [source] if isinstance(source, str) else list(source)
    unknown = [f"no source {name!r}" for name in names if name not in known["source"]]
    if unknown or not names:
        listed = ", ".join(f"{row['source']} ({row['responses']})" for row in known.to_dicts())
        wrong = unknown[0] if unknown else "no source is named"
        raise UnknownName(f"{wrong}; run {run_id!r} has, with responses per prompt: {listed}")
    last = _last_policies(connection, run_id, known["source"].to_list())
    policies = list(dict.fromkeys(policy for name in names for policy in last.get(name, [name])))
    cube = _joined(connection, run_id, policies, ORIGINAL)
    if not paraphrase:
        return cube
    without = [name for name in policies if not known.filter(source=name)["paraphrase_responses"].item()]
    if without:
        having = known.filter(pl.col("paraphrase_responses") > 0)["source"].to_list()
        raise InvalidChoice(f"source {without[0]!r} has no responses to paraphrases; those that have: {having}")
    return with_paraphrases(cube, _joined(connection, run_id, policies, PARAPHRASE), paraphrase, seed)


def initial_scores(connection: Connection, run_id: str, split: str) -> ScoreCube:
    """`policy_scores` of the initial policy for the prompts of one split as they are written: `[M, P, R]`, float32."""
    return policy_scores(connection, run_id, INITIAL, split)


def policy_scores(
    connection: Connection, run_id: str, policy_id: str, split: str, prompt_form: str = ORIGINAL
) -> ScoreCube:
    """Scores `[M, P, R]` (float32) of a policy's responses to the prompts of one split, as written or paraphrased.

    Prompts may have different numbers of responses (`ScoreCube.responses_P`). Raises InvalidChoice if a response does
    not have a score of every scorer.
    """
    scorers = reward_models(connection, run_id)
    models = tuple(scorers["reward_model_id"])
    M = len(models)
    scores_MK, scored_MK, prompt_K = _scores_in_place(
        connection, run_id, policy_id, split=split, prompt_form=prompt_form, models=models
    )
    scored_K = scored_MK.any(axis=0)
    counts = np.bincount(prompt_K[scored_K])
    described = prompts(connection, run_id, split)[np.flatnonzero(counts)]
    counts_P = counts[counts > 0]
    P = described.height
    if P == 0 or not scored_MK[:, scored_K].all():
        raise InvalidChoice(
            f"run {run_id!r}: the {split} responses of {policy_id!r} do not all have scores of all {M} reward models"
        )
    scores_MK = scores_MK if scored_K.all() else scores_MK[:, scored_K]
    only = tuple(scorers["role"])
    return ScoreCube(
        scores_MPR=by_prompt(scores_MK, counts_P),
        reward_models=models,
        prompts=tuple(described["prompt_id"]),
        categories=tuple(described["category"]),
        subsets=tuple(described["subset"]),
        responses_P=counts_P if len(np.unique(counts_P)) > 1 else None,
        only=only if any(only) else None,
    )


def _joined(connection: Connection, run_id: str, policies: Sequence[str], form: str) -> ScoreCube:
    """The responses of all these policies to one form of the RM-test prompts."""
    cubes = [policy_scores(connection, run_id, policy, "rm_test", form) for policy in policies]
    return cubes[0] if len(cubes) == 1 else with_responses(cubes)


def _last_policies(connection: Connection, run_id: str, among: Sequence[str]) -> dict[str, list[str]]:
    """Those of these policies that each algorithm trained to its last step, by id; with the default KL coefficient."""
    last = {}
    for algorithm in RL_ALGORITHMS:
        steps = of_optimizer(connection, run_id, algorithm).filter(pl.col("policy_id").is_in(among))
        if not steps.is_empty():
            of_last = steps.filter(pl.col("strength") == pl.col("strength").max())
            last[algorithm] = of_last["policy_id"].sort().to_list()
    return last


class _InPlace(NamedTuple):
    """Scores of K responses by prompt and sample, whether each is stored, and the number of each response's prompt."""

    scores_MK: NDArray[np.float32]
    scored_MK: NDArray[np.bool_]
    prompt_K: NDArray[np.int64]


def _scores_in_place(
    connection: Connection, run_id: str, policy_id: str, *, split: str, prompt_form: str, models: Sequence[str]
) -> _InPlace:
    chosen: dict[str, object] = {"run": run_id, "split": split, "policy": policy_id, "form": prompt_form}
    prompt_K = connection.execute(f"SELECT number FROM ({_RESPONSES}) ORDER BY place", chosen).pl()["number"].to_numpy()
    shape = len(models), len(prompt_K)
    scores_MK, scored_MK = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
    rows = connection.execute(_SCORES, {**chosen, "responses": len(prompt_K), "models": list(models)})
    for batch in rows.to_arrow_reader(_BATCH_ROWS):
        places = batch.column("place").to_numpy()
        scores_MK.ravel()[places] = batch.column("score").to_numpy()
        scored_MK.ravel()[places] = True
    return _InPlace(scores_MK, scored_MK, prompt_K)
