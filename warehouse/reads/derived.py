"""What a scorer made from stored scores needs of a run: scores of other scorers, and which policies have values."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from warehouse.schema import ORIGINAL
from warehouse.store import Connection


def scores_of(connection: Connection, run_id: str, names: Sequence[str]) -> pl.DataFrame:
    """Every response that all of these scorers scored, by id: `response_id`, and a column of scores for each."""
    columns = ", ".join(
        f"max(score) FILTER (WHERE reward_model_id = $m{number}) AS m{number}" for number in range(len(names))
    )
    frame = connection.execute(
        f"""
        SELECT response_id, {columns} FROM score WHERE run_id = $run AND list_contains($names, reward_model_id)
        GROUP BY response_id HAVING count(*) = len($names) ORDER BY response_id
        """,
        {"run": run_id, "names": list(names), **{f"m{number}": name for number, name in enumerate(names)}},
    ).pl()
    return frame.rename({f"m{number}": name for number, name in enumerate(names)})


def responses(connection: Connection, run_id: str) -> pl.DataFrame:
    """Where each response to a prompt as it is written belongs: `response_id, policy_id, prompt_id, split`."""
    return connection.execute(
        """
        SELECT response_id, policy_id, prompt_id, split FROM response JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = ? AND prompt_form = ? ORDER BY response_id
        """,
        [run_id, ORIGINAL],
    ).pl()


def policies(connection: Connection, run_id: str) -> pl.DataFrame:
    """Table `policy` of a run with `valued`, whether it has rows of values, by id."""
    return connection.execute(
        """
        SELECT *, policy_id IN (SELECT policy_id FROM policy_value WHERE run_id = $run) AS valued FROM policy
        WHERE run_id = $run ORDER BY policy_id
        """,
        {"run": run_id},
    ).pl()


def valued_prompts(connection: Connection, run_id: str) -> pl.DataFrame:
    """On which prompts each policy has values: `policy_id, prompt_id`, by both."""
    query = "SELECT DISTINCT policy_id, prompt_id FROM policy_value WHERE run_id = ? ORDER BY ALL"
    return connection.execute(query, [run_id]).pl()


def values_of(connection: Connection, run_id: str, goldens: Sequence[str]) -> pl.DataFrame:
    """Values of all policies to these goldens: `policy_id, golden_id, prompt_id, value`, by the first three."""
    return connection.execute(
        """
        SELECT policy_id, golden_id, prompt_id, value FROM policy_value
        WHERE run_id = ? AND list_contains(?, golden_id) ORDER BY ALL
        """,
        [run_id, list(goldens)],
    ).pl()
