"""Edited responses of a run: how reward models react to them, and how the features that they change drift."""

from __future__ import annotations

import numpy as np
import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube, best_of_n_of_cube, by_prompt, spread_within_prompts
from warehouse.metrics.policies.tilted import tilted_values
from warehouse.reads import policies, scores
from warehouse.schema import BY_WEIGHTING, EDITS, INITIAL, PROBES
from warehouse.stats.bootstrap import Floats
from warehouse.store import Connection
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.reactions import Drift, Reactions
from warehouse.study.reactions.features import features

_CHANGES = """
    WITH edited AS (
        SELECT edit.policy_id, edit.prompt_id, edit.response_id AS edited_id, initial.response_id AS initial_id
        FROM response AS edit JOIN response AS initial USING (run_id, prompt_id, prompt_form, sample)
        WHERE run_id = $run AND list_contains($probes, edit.policy_id) AND initial.policy_id = $initial
    )
    SELECT edited.policy_id, prompt_id, after.reward_model_id, after.score::DOUBLE - before.score::DOUBLE AS change
    FROM edited
    JOIN score AS after ON after.run_id = $run AND after.response_id = edited_id
    JOIN score AS before
      ON before.run_id = $run AND before.response_id = initial_id AND before.reward_model_id = after.reward_model_id
"""

_TEXTS = """
    SELECT coalesce(reward_model_id, '') AS reward_model_id, prompt_id, response.text, tokens, finished
    FROM response JOIN prompt USING (run_id, prompt_id) JOIN policy USING (run_id, policy_id)
    WHERE run_id = $run AND split = 'rl_test' AND prompt_form = 'original' AND list_contains($policies, policy_id)
    ORDER BY prompt_id, sample, response_id
"""


def reactions(connection: Connection, run_id: str) -> Reactions | None:
    """How the run's reward models react to the edits; None without edited responses that two or more scored."""
    chosen: dict[str, object] = {"run": run_id, "probes": list(PROBES.values()), "initial": INITIAL}
    changes = connection.execute(_CHANGES, chosen).pl()
    whole = changes.group_by("prompt_id", "reward_model_id").len().filter(pl.col("len") == len(EDITS))
    of_model = whole.group_by("reward_model_id").len()
    complete = of_model.filter(pl.col("len") == pl.col("len").max())["reward_model_id"].to_list()
    if not complete:
        return None
    try:
        cube = scores.initial_scores(connection, run_id, "rm_test")
        spread = dict(zip(cube.reward_models, spread_within_prompts(cube), strict=True))
    except InvalidChoice:
        return None
    names = [name for name in cube.reward_models if name in complete and spread[name] > 0]
    prompts = whole["prompt_id"].unique().sort().to_list()
    rows = (
        changes.filter(pl.col("reward_model_id").is_in(names), pl.col("prompt_id").is_in(prompts))
        .with_columns(edit=pl.col("policy_id").replace_strict({PROBES[edit]: e for e, edit in enumerate(EDITS)}))
        .sort("edit", "reward_model_id", "prompt_id")
    )
    change_EMP = rows["change"].to_numpy().reshape(len(EDITS), len(names), len(prompts))
    spread_M = np.array([spread[name] for name in names])
    left_out = tuple(name for name in cube.reward_models if name not in names)
    return Reactions(tuple(names), tuple(prompts), change_EMP / spread_M[:, None], left_out)


def initial_features(connection: Connection, run_id: str, samples: ScoreCube) -> Floats | None:
    """Features `[E, Q, N]` of the initial policy's responses to the RL-test prompts, in the order of `samples`.

    None if some have no score or no text.
    """
    rows = connection.execute(_TEXTS, {"run": run_id, "policies": [INITIAL]}).pl()
    if rows.height != samples.counts_P.sum() or (rows["text"] == "").all():
        return None
    return np.asarray(by_prompt(_features(rows), samples.counts_P), dtype=np.float64)


def drift(
    connection: Connection, run_id: str, curves: ValueCurves, samples: ScoreCube, initial_EQN: Floats
) -> Drift | None:
    """The drift of the features from π_0 to an optimiser's policies at the last strength; None without their texts.

    `samples` are the scores of the initial policy's responses to the RL-test prompts, of the curves' reward models, and
    `initial_EQN` their features. Of best-of-n and tilted policies, expectations over those responses.
    """
    prompts = curves.values[-1].prompts
    places = np.array([samples.prompts.index(name) for name in prompts])
    start_EQ = (initial_EQN.sum(axis=2) / samples.counts_P)[:, places]
    strength = curves.strengths[-1]
    is_golden_only_M = curves.roles.golden_only_M
    optimised = [name for name, only in zip(curves.reward_models, is_golden_only_M, strict=True) if not only]
    if curves.optimizer in BY_WEIGHTING:
        samples = samples.of_reward_models(optimised)
        if curves.optimizer == "bon":
            end_EMQ = best_of_n_of_cube(samples, [int(strength)], places, initial_EQN)[0]
        else:
            end_EMQ = tilted_values(samples, [strength], places, initial_EQN)[0]
        return Drift(samples.reward_models, end_EMQ - start_EQ[:, None])
    chosen = policies.of_optimizer(connection, run_id, curves.optimizer).filter(strength=strength)
    rows = connection.execute(_TEXTS, {"run": run_id, "policies": chosen["policy_id"].to_list()}).pl()
    rows = rows.filter(pl.col("prompt_id").is_in(prompts), pl.col("reward_model_id").is_in(optimised))
    of_edit = pl.DataFrame(_features(rows).T, schema=list(EDITS))
    means = (
        rows.select("reward_model_id", "prompt_id")
        .hstack(of_edit)
        .group_by("reward_model_id", "prompt_id")
        .agg(pl.col(EDITS).mean())
        .sort("reward_model_id", pl.col("prompt_id").replace_strict({name: q for q, name in enumerate(prompts)}))
    )
    names = tuple(means["reward_model_id"].unique().sort())
    if not names or means.height != len(names) * len(prompts):
        return None
    end_EMQ = means.select(EDITS).to_numpy().T.reshape(len(EDITS), len(names), len(prompts))
    return Drift(names, end_EMQ - start_EQ[:, None])


def _features(rows: pl.DataFrame) -> Floats:
    """Features `[E, K]` of K rows with `text, tokens, finished`."""
    return features(rows["text"].to_list(), rows["tokens"].to_numpy(), rows["finished"].to_numpy())
