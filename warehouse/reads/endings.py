"""How the policies' responses to the RL-test prompts end: which share does so by itself, and how long they are."""

from __future__ import annotations

import polars as pl

from warehouse.reads import policies
from warehouse.schema import INITIAL
from warehouse.store import Connection


def endings(connection: Connection, run_id: str) -> pl.DataFrame:
    """Shares of responses that end by themselves, and mean tokens, of the initial and the optimised policies, by id.

    Columns `policy_id, optimizer, reward_model_id, strength, kl, kl_coefficient, finished_share, mean_tokens`, the last
    two as they are stored, else from a policy's own responses, each prompt counting the same; null where unknown. And
    `usual`: whether it is the initial policy, or of those that are shown first of their optimiser.
    """
    frame = connection.execute(
        """
        WITH of_prompt AS (
            SELECT policy_id, avg(finished::INTEGER) AS finished, avg(tokens) AS tokens, min(tokens) AS fewest
            FROM response JOIN prompt USING (run_id, prompt_id)
            WHERE run_id = $run AND split = 'rl_test' AND prompt_form = 'original' GROUP BY policy_id, prompt_id
        ), own AS (
            SELECT policy_id, avg(finished) AS finished_share, avg(tokens) AS mean_tokens
            FROM of_prompt GROUP BY policy_id HAVING min(fewest) > 0  -- 0 tokens: nobody counted, as in imported runs
        )
        SELECT policy_id, optimizer, reward_model_id, strength, kl, kl_coefficient,
               coalesce(policy.finished_share, own.finished_share) AS finished_share,
               coalesce(policy.mean_tokens, own.mean_tokens) AS mean_tokens
        FROM policy LEFT JOIN own USING (policy_id)
        WHERE run_id = $run AND (policy_id = $initial OR reward_model_id IS NOT NULL) ORDER BY policy_id
        """,
        {"run": run_id, "initial": INITIAL},
    ).pl()
    usual = [INITIAL]
    for optimizer in policies.strengths(connection, run_id)["optimizer"].unique().sort():
        strength = policies.usual_strength(connection, run_id, optimizer)
        usual += policies.of_optimizer(connection, run_id, optimizer).filter(strength=strength)["policy_id"].to_list()
    return frame.with_columns(usual=pl.col("policy_id").is_in(usual))
