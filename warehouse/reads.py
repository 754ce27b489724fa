"""What can be asked of the warehouse: one function per question, each to a Polars frame or a dense array.

Every function takes a connection of `store.open_read_only` first. The order of reward models, prompts and responses is
by id everywhere, so that axes of different reads fit each other.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import polars as pl

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures.best_of_n import best_of_n_values
from warehouse.measures.cube import PolicyValues, ScoreCube

INITIAL = "initial"
"""`policy_id` of the initial policy π_0 as it is evaluated: the study's own temperature and system prompt."""


def runs(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Table `run`, newest first."""
    return _frame(connection, "SELECT * FROM run ORDER BY finished_at DESC, run_id DESC")


def newest_run(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Id of the run that finished last; None in an empty warehouse."""
    run_ids: list[str] = runs(connection)["run_id"].to_list()
    return run_ids[0] if run_ids else None


def reward_models(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Table `reward_model` of a run, by id. Raises UnknownName for a run that is not there."""
    frame = _frame(connection, "SELECT * FROM reward_model WHERE run_id = ? ORDER BY reward_model_id", run_id)
    if frame.is_empty():
        known = runs(connection)["run_id"].to_list()
        raise UnknownName(f"run {run_id!r} is not in the warehouse; it has {known}")
    return frame


def prompts(connection: duckdb.DuckDBPyConnection, run_id: str, split: str | None = None) -> pl.DataFrame:
    """Table `prompt` of a run, of one split or of all, by id."""
    return _frame(
        connection,
        "SELECT * FROM prompt WHERE run_id = ? AND (split = ? OR ? IS NULL) ORDER BY prompt_id",
        run_id,
        split,
        split,
    )


def strengths(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """The optimizers of a run and the strengths they were valued at: columns `optimizer`, `strength`, `policies`."""
    return _frame(
        connection,
        """
        SELECT optimizer, strength, count(*) AS policies FROM policy
        WHERE run_id = ? AND optimizer <> 'none' GROUP BY ALL ORDER BY ALL
        """,
        run_id,
    )


def score_cube(connection: duckdb.DuckDBPyConnection, run_id: str) -> ScoreCube:
    """Scores of all reward models for the initial policy's responses to the RM-test prompts."""
    return ScoreCube(*initial_scores(connection, run_id, "rm_test")[:5])


def policy_values(connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str, strength: float) -> PolicyValues:
    """Per-prompt values of the initial policy and of all policies of one optimizer at one strength.

    Best-of-n whose values are not stored, as in an imported run, is computed from the scores of the RL-test responses.

    Raises InvalidChoice where the run has no such policies.
    """
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    values = _frame(
        connection,
        """
        SELECT policy.optimizer, policy.reward_model_id, value.golden_id, value.prompt_id, value.value,
               prompt.category, prompt.subset
        FROM policy_value AS value
        JOIN policy USING (run_id, policy_id) JOIN prompt USING (run_id, prompt_id)
        WHERE value.run_id = ? AND (policy.policy_id = ? OR (policy.optimizer = ? AND policy.strength = ?))
        ORDER BY policy.optimizer = 'none' DESC, value.golden_id, policy.reward_model_id, value.prompt_id
        """,
        run_id,
        INITIAL,
        optimizer,
        strength,
    )
    initial = values.filter(optimizer="none")
    optimised = values.filter(pl.col("optimizer") != "none")
    prompt_ids = initial["prompt_id"].unique(maintain_order=True).to_list()
    M, Q = len(models), len(prompt_ids)
    there = strengths(connection, run_id)
    if there.filter(optimizer=optimizer, strength=strength).is_empty():
        known = [f"{row['optimizer']} {row['strength']:g}" for row in there.to_dicts()]
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} at {strength:g}; it has {known}")
    if optimised.is_empty() and optimizer == "bon":
        scores_MPN = initial_scores(connection, run_id, "rl_test")[0]
        optimised_values = best_of_n_values(scores_MPN, [int(strength)])[0]
    else:
        optimised_values = optimised["value"].to_numpy()
    if initial.height != M * Q or optimised_values.size != M * M * Q:
        raise InvalidChoice(f"run {run_id!r} lacks values of {optimizer!r} at {strength:g} for some reward models")
    described = initial.head(Q)
    return PolicyValues(
        initial_MQ=initial["value"].to_numpy().reshape(M, Q),
        optimised_MMQ=optimised_values.reshape(M, M, Q),
        reward_models=tuple(models),
        prompts=tuple(prompt_ids),
        categories=tuple(described["category"]),
        subsets=tuple(described["subset"]),
    )


def picks(
    connection: duckdb.DuckDBPyConnection, run_id: str, golden_id: str, proxy_id: str, n: int, limit: int = 20
) -> pl.DataFrame:
    """What best-of-n picks under both reward models among the first n samples of each RL-test prompt.

    Columns: `prompt_id, category, subset, prompt, golden_pick, proxy_pick` (texts), `golden_of_golden_pick,
    golden_of_proxy_pick, proxy_of_golden_pick, proxy_of_proxy_pick` (scores) and `loss`, the golden score given up by
    following the proxy, in standard deviations of the golden's scores; the greatest loss first.
    """
    scores_MPN, models, prompt_ids, categories, subsets = initial_scores(connection, run_id, "rl_test")
    for name in (golden_id, proxy_id):
        if name not in models:
            raise UnknownName(f"reward model {name!r} is not in run {run_id!r}; it has {list(models)}")
    golden_PN, proxy_PN = scores_MPN[models.index(golden_id)], scores_MPN[models.index(proxy_id)]
    if not 1 <= n <= golden_PN.shape[1]:
        raise InvalidChoice(f"n is {n}; run {run_id!r} has samples for n from 1 to {golden_PN.shape[1]}")
    rows = np.arange(len(prompt_ids))
    best_by_golden, best_by_proxy = golden_PN[:, :n].argmax(axis=1), proxy_PN[:, :n].argmax(axis=1)
    loss = (golden_PN[rows, best_by_golden] - golden_PN[rows, best_by_proxy]) / max(float(golden_PN.std()), 1e-12)
    order = np.argsort(-loss, kind="stable")[:limit]
    texts = _frame(
        connection,
        """
        SELECT response.prompt_id, sample, response.text AS response, prompt.text AS prompt
        FROM response JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = ? AND policy_id = ? AND split = 'rl_test' AND sample < ?
        """,
        run_id,
        INITIAL,
        n,
    )
    text = {(row["prompt_id"], row["sample"]): row["response"] for row in texts.to_dicts()}
    prompt_text = dict(zip(texts["prompt_id"], texts["prompt"], strict=True))
    columns: dict[str, list[Any]] = {
        "prompt_id": [prompt_ids[p] for p in order],
        "category": [categories[p] for p in order],
        "subset": [subsets[p] for p in order],
        "prompt": [prompt_text[prompt_ids[p]] for p in order],
        "golden_pick": [text[prompt_ids[p], int(best_by_golden[p])] for p in order],
        "proxy_pick": [text[prompt_ids[p], int(best_by_proxy[p])] for p in order],
        "golden_of_golden_pick": [float(golden_PN[p, best_by_golden[p]]) for p in order],
        "golden_of_proxy_pick": [float(golden_PN[p, best_by_proxy[p]]) for p in order],
        "proxy_of_golden_pick": [float(proxy_PN[p, best_by_golden[p]]) for p in order],
        "proxy_of_proxy_pick": [float(proxy_PN[p, best_by_proxy[p]]) for p in order],
        "loss": [float(loss[p]) for p in order],
    }
    return pl.DataFrame(columns)


def initial_scores(
    connection: duckdb.DuckDBPyConnection, run_id: str, split: str
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Scores `[M, P, R]` of the initial policy's responses in one split, with the names of what is along its axes.

    The others are reward models, and prompts with their categories and subsets. Raises InvalidChoice where the scores
    are not dense: another number of responses, or of reward models, for some prompt.
    """
    models = tuple(reward_models(connection, run_id)["reward_model_id"])
    rows = connection.execute(
        """
        SELECT score.score, response.prompt_id, prompt.category, prompt.subset
        FROM score JOIN response USING (run_id, response_id) JOIN prompt USING (run_id, prompt_id)
        WHERE score.run_id = ? AND response.policy_id = ? AND prompt.split = ?
        ORDER BY score.reward_model_id, response.prompt_id, response.sample
        """,
        [run_id, INITIAL, split],
    ).pl()
    described = rows.head(rows.height // len(models)).unique("prompt_id", maintain_order=True, keep="first")
    M, P = len(models), described.height
    if P == 0 or rows.group_by("prompt_id").len()["len"].n_unique() > 1 or rows.height % (M * P):
        raise InvalidChoice(f"run {run_id!r}: its {split} responses do not all have scores of all {M} reward models")
    scores_MPR = rows["score"].to_numpy().astype(np.float32).reshape(M, P, rows.height // (M * P))
    return (
        scores_MPR,
        models,
        tuple(described["prompt_id"]),
        tuple(described["category"]),
        tuple(described["subset"]),
    )


def _frame(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> pl.DataFrame:
    return connection.execute(query, list(values)).pl()
