"""Millions of scores into an array without sorting them: each comes as it is stored and goes to its place.

To order rows by their texts takes far more time and memory than to read them; the places are computed from the tables
that are small, and only a batch of rows is in memory beside the array.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

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


def scores_in_place(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    policy_id: str,
    split: str,
    prompt_form: str,
    models: Sequence[str],
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Scores `[M, K]` of these reward models for the K responses of a policy to the prompts of one split.

    Responses are by prompt and sample. Returned, too, are which scores there are, `[M, K]`, and the number of each
    response's prompt among those of the split, by id, `[K]`.
    """
    chosen: dict[str, object] = {"run": run_id, "split": split, "policy": policy_id, "form": prompt_form}
    number_K = connection.execute(f"SELECT number FROM ({_RESPONSES}) ORDER BY place", chosen).pl()["number"].to_numpy()
    M, K = len(models), len(number_K)
    scores_MK, there_MK = np.zeros((M, K), dtype=np.float32), np.zeros((M, K), dtype=bool)
    for batch in connection.execute(_SCORES, {**chosen, "responses": K, "models": list(models)}).to_arrow_reader(
        _BATCH_ROWS
    ):
        places = batch.column("place").to_numpy()
        scores_MK.ravel()[places] = batch.column("score").to_numpy()
        there_MK.ravel()[places] = True
    return scores_MK, there_MK, number_K
