"""What can be asked about responses: which prompts hold a word, what was answered to them, and how long it is.

Responses to paraphrases are left out: everything here shows a prompt in its own words.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.reads import INITIAL


def response_tokens(connection: duckdb.DuckDBPyConnection, run_id: str, split: str) -> NDArray[np.int64]:
    """Lengths `[P, R]` in tokens of the initial policy's responses, in the order of `reads.initial_scores`.

    Raises InvalidChoice where prompts have different numbers of responses.
    """
    rows = connection.execute(
        """
        SELECT prompt_id, tokens FROM response JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = ? AND policy_id = ? AND split = ? AND prompt_form = 'original' ORDER BY prompt_id, sample
        """,
        [run_id, INITIAL, split],
    ).pl()
    prompts = rows["prompt_id"].n_unique()
    if prompts == 0 or rows.group_by("prompt_id").len()["len"].n_unique() > 1:
        raise InvalidChoice(f"run {run_id!r}: its {split} prompts do not all have equally many responses")
    return rows["tokens"].to_numpy().reshape(prompts, -1)


def found_prompts(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    split: str,
    categories: tuple[str, ...] = (),
    subsets: tuple[str, ...] = (),
    text: str = "",
) -> pl.DataFrame:
    """Prompts of a split that hold the text, or have a response that does: `prompt_id, category, subset, text, hits`.

    `hits` counts the responses, of any policy, that hold it. Capitals do not matter; `%` and `_` are what they are.
    No categories, subsets or text: all of them.
    """
    return connection.execute(
        """
        SELECT prompt_id, category, subset, prompt.text AS text,
               count(response.response_id) FILTER (contains(lower(response.text), lower($text))) AS hits
        FROM prompt LEFT JOIN (FROM response WHERE prompt_form = 'original') AS response USING (run_id, prompt_id)
        WHERE run_id = $run AND split = $split
          AND (len($categories) = 0 OR list_contains($categories, category))
          AND (len($subsets) = 0 OR list_contains($subsets, subset))
        GROUP BY ALL HAVING hits > 0 OR contains(lower(prompt.text), lower($text))
        ORDER BY prompt_id
        """,
        {
            "run": run_id,
            "split": split,
            "categories": list(categories),
            "subsets": list(subsets),
            "text": text,
        },
    ).pl()


def answered_by(connection: duckdb.DuckDBPyConnection, run_id: str, prompt_id: str) -> pl.DataFrame:
    """Policies with responses to a prompt, the initial one first: `policy_id, optimizer, reward_model_id, strength`,
    `kl, kl_estimator, temperature, responses`; the optimised ones by reward model and strength.
    """
    return connection.execute(
        """
        SELECT * FROM (
          SELECT policy_id, optimizer, reward_model_id, strength, kl, kl_estimator, temperature, count(*) AS responses
          FROM response JOIN policy USING (run_id, policy_id)
          WHERE run_id = ? AND prompt_id = ? AND prompt_form = 'original' GROUP BY ALL
        ) ORDER BY policy_id <> ?, optimizer <> 'none', optimizer, reward_model_id, strength, policy_id
        """,
        [run_id, prompt_id, INITIAL],
    ).pl()


def responses_to(connection: duckdb.DuckDBPyConnection, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """A policy's responses to a prompt, by sample: `response_id, sample, text, tokens, finished`."""
    return connection.execute(
        """
        SELECT response_id, sample, text, tokens, finished FROM response
        WHERE run_id = ? AND prompt_id = ? AND policy_id = ? AND prompt_form = 'original' ORDER BY sample
        """,
        [run_id, prompt_id, policy_id],
    ).pl()


def scores_of(connection: duckdb.DuckDBPyConnection, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """Scores of a policy's responses to a prompt: `reward_model_id, sample, score`, by both. May be empty."""
    return connection.execute(
        """
        SELECT reward_model_id, sample, score FROM score JOIN response USING (run_id, response_id)
        WHERE run_id = ? AND prompt_id = ? AND policy_id = ? AND prompt_form = 'original'
        ORDER BY reward_model_id, sample
        """,
        [run_id, prompt_id, policy_id],
    ).pl()


def prompt(connection: duckdb.DuckDBPyConnection, run_id: str, prompt_id: str) -> dict[str, Any]:
    """The row of one prompt. Raises UnknownName."""
    row = connection.execute("SELECT * FROM prompt WHERE run_id = ? AND prompt_id = ?", [run_id, prompt_id]).pl()
    if row.is_empty():
        raise UnknownName(f"prompt {prompt_id!r} is not in run {run_id!r}")
    return row.row(0, named=True)
