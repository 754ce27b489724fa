"""How the policies' responses to the RL-test prompts end: which share does so by itself, and how long they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.reads import policies
from warehouse.reads.scores import policy_scores
from warehouse.schema import BY_WEIGHTING, INITIAL
from warehouse.stats.bootstrap import Floats
from warehouse.store import Connection
from warehouse.study.curves.length_features import (
    FEATURES,
    Answered,
    Answers,
    Matched,
    PolicyFeatures,
    features,
    matched_responses,
    weighted_features,
    weighted_matches,
)
from warehouse.study.curves.value_curves import ValueCurves


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


def answers(connection: Connection, run_id: str, policy_id: str = INITIAL, split: str = "rl_test") -> Answers | None:
    """How a policy's responses to the prompts of a split end, `[P, R]` in the order of `scores.policy_scores`.

    Lengths are in tokens if they were counted for all, else in characters of the texts; None without any text.
    """
    rows = connection.execute(
        """
        SELECT dense_rank() OVER (ORDER BY prompt_id) - 1 AS prompt,
               row_number() OVER (PARTITION BY prompt_id ORDER BY sample, response_id) - 1 AS place,
               finished, tokens, length(response.text) AS characters
        FROM response JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = ? AND policy_id = ? AND split = ? AND prompt_form = 'original'
        """,
        [run_id, policy_id, split],
    ).pl()
    unit = "tokens" if (rows["tokens"] > 0).all() else "characters"
    if rows.is_empty() or not (rows[unit] > 0).any():
        return None
    places = rows["prompt"].to_numpy(), rows["place"].to_numpy()
    lengths_PR = np.zeros((places[0].max() + 1, places[1].max() + 1))
    finished_PR = np.zeros(lengths_PR.shape, dtype=bool)
    lengths_PR[places] = rows[unit].to_numpy()
    finished_PR[places] = rows["finished"].to_numpy() if unit == "tokens" else True
    return Answers(finished_PR, lengths_PR, unit)


def features_of_curves(
    connection: Connection,
    run_id: str,
    curves: ValueCurves,
    samples: ScoreCube,
    kl_coefficient: float | None = None,
    *,
    matched: bool = False,
) -> PolicyFeatures | None:
    """Length and finishing of the policies that the curves are of; None where they are not known of all.

    `samples` are the scores of the initial policy's responses to the RL-test prompts, of the curves' reward models.
    With `matched` the responses at the last strength are matched with the initial policy's; that is None if they were
    not all scored.
    """
    of_initial, prompts = answers(connection, run_id), curves.values[0].prompts
    if of_initial is None or of_initial.lengths_PR.shape != samples.is_response_PR.shape:
        return None
    if not set(prompts) <= set(samples.prompts):
        return None
    if curves.optimizer in BY_WEIGHTING:
        whole = weighted_features(curves, samples, of_initial)
        return replace(whole, matched=weighted_matches(curves, samples, of_initial)) if matched else whole
    if of_initial.unit != "tokens":
        return None
    frame = policies.of_optimizer(connection, run_id, curves.optimizer, kl_coefficient).filter(
        pl.col("reward_model_id").is_in(curves.reward_models), pl.col("strength").is_in(curves.strengths)
    )
    own_LKQ = _own_features(connection, run_id, frame["policy_id"].to_list(), prompts)
    if own_LKQ is None:
        return None
    places = np.array([samples.prompts.index(name) for name in prompts])
    initial = PolicyFeatures(
        samples=samples.of_prompts(places),
        initial_KQR=features(of_initial.finished_PR, of_initial.lengths_PR)[:, places],
        policies_SKMQ=np.empty(0),
        unit=of_initial.unit,
    )
    shape = len(curves.strengths), len(FEATURES), len(curves.reward_models), len(prompts)
    policies_SKMQ = np.broadcast_to(initial.initial_KQ[None, :, None], shape).copy()
    for s, strength in enumerate(curves.strengths):
        for m, name in enumerate(curves.reward_models):
            repeats = _rows(frame, name, strength)
            if repeats:
                policies_SKMQ[s, :, m] = own_LKQ[repeats].mean(axis=0)
    whole = replace(initial, policies_SKMQ=policies_SKMQ)
    if not matched:
        return whole
    return replace(whole, matched=_matched(connection, run_id, curves, frame, Answered(samples, of_initial)))


def _rows(frame: pl.DataFrame, reward_model: str, strength: float) -> list[int]:
    """The rows of the repeats of a policy."""
    chosen = (pl.col("reward_model_id") == reward_model) & (pl.col("strength") == strength)
    return frame.select(chosen.arg_true()).to_series().to_list()


def _own_features(connection: Connection, run_id: str, own: list[str], prompts: tuple[str, ...]) -> Floats | None:
    """Mean features `[L, K, Q]` of the responses of these policies to these prompts; None if some are not known."""
    rows = connection.execute(
        """
        SELECT policy, prompt, finished, tokens
        FROM response JOIN (SELECT unnest($policies) AS policy_id, unnest(range(len($policies))) AS policy)
        USING (policy_id) JOIN (SELECT unnest($prompts) AS prompt_id, unnest(range(len($prompts))) AS prompt)
        USING (prompt_id)
        WHERE run_id = $run AND prompt_form = 'original'
        """,
        {"run": run_id, "policies": own, "prompts": list(prompts)},
    ).pl()
    columns = dict(zip(FEATURES, features(rows["finished"].to_numpy(), rows["tokens"].to_numpy()), strict=True))
    means = rows.with_columns(**columns).group_by("policy", "prompt").agg(pl.col(*FEATURES).mean())
    if means.height != len(own) * len(prompts) or not (rows["tokens"] > 0).all():
        return None
    ordered = means.sort("policy", "prompt").select(FEATURES).to_numpy()
    return ordered.reshape(len(own), len(prompts), len(FEATURES)).transpose(0, 2, 1)


def _matched(
    connection: Connection, run_id: str, curves: ValueCurves, frame: pl.DataFrame, initial: Answered
) -> Matched | None:
    """Of the policies at the last strength; the mean over the repeats of each."""
    M, prompts = len(curves.reward_models), curves.values[0].prompts
    difference_MMQ, share_MQ = np.zeros((M, M, len(prompts))), np.zeros((M, len(prompts)))
    for m, name in enumerate(curves.reward_models):
        repeats = _rows(frame, name, curves.strengths[-1])
        for policy in frame["policy_id"][repeats]:
            try:
                cube = policy_scores(connection, run_id, policy, "rl_test").of_reward_models(curves.reward_models)
            except InvalidChoice:
                return None
            own = answers(connection, run_id, policy)
            if own is None or own.lengths_PR.shape != cube.is_response_PR.shape:
                return None
            of_policy = matched_responses(Answered(cube, own), initial, prompts)
            difference_MMQ[:, m] += of_policy.difference_MMQ[:, 0] / len(repeats)
            share_MQ[m] += of_policy.share_MQ[0] / len(repeats)
    return Matched(difference_MMQ, share_MQ)
