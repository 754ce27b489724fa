"""A run whose reward models like known features of texts, with edited responses and policies that follow the likes."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.helpers.study import Study, rows
from warehouse.schema import EDITS, PROBES

STUDY = Study(reward_models=12, prompts=6, rl_prompts=8, responses=6, samples=16, ppo_steps=(5, 10), repeats=2)
_WORDS = 12
_TURNS = {"polite": "Of course! {}", "list": "- {}", "repeated": "{0} {0}"}


def text_of(number: int, has: dict[str, bool]) -> str:
    """A text of its own words with these features."""
    text = " ".join(f"w{number}x{place}" for place in range(_WORDS))
    for edit, form in _TURNS.items():
        text = form.format(text) if has[edit] else text
    return text


def likes(seed: int, models: int = STUDY.reward_models) -> np.ndarray:
    """How much each reward model likes each feature, `[E, M]`: each its own order."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.linspace(-1.5, 1.5, models)) for _ in EDITS])


def rows_with(reaction_EM: np.ndarray, liked_EM: np.ndarray, seed: int = 0) -> dict[str, pl.DataFrame]:
    """Rows of the run: reward models react so to the edits, and score, and have policies, as they like the features."""
    rng = np.random.default_rng(seed)
    tables = rows(STUDY)
    model_of = {name: m for m, name in enumerate(STUDY.names)}
    against = dict(tables["policy"].select("policy_id", "reward_model_id").iter_rows())
    responses, has_features = [], {}
    for number, row in enumerate(tables["response"].to_dicts()):
        name = against[row["policy_id"]]
        share_E = np.full(len(EDITS), 0.5) if name is None else 0.5 + 0.25 * liked_EM[:, model_of[name]]
        has = dict(zip(EDITS, (rng.random(len(EDITS)) < share_E).tolist(), strict=True))
        row |= {"text": text_of(number, has), "tokens": 40 if has["padding"] else 20, "finished": not has["unfinished"]}
        responses.append(row)
        has_features[row["response_id"]] = np.array([has[edit] for edit in EDITS], dtype=float)
    liked = [
        float(liked_EM[:, model_of[model]] @ has_features[response])
        for model, response in tables["score"].select("reward_model_id", "response_id").iter_rows()
    ]
    scores = tables["score"].with_columns(score=(pl.col("score") * 0.1 + pl.Series(liked)).cast(pl.Float32))
    asked = tables["prompt"].filter(split="rm_test").select("prompt_id")
    answered = pl.DataFrame(responses, schema=tables["response"].schema)
    first = answered.filter(policy_id="initial", sample=1).join(asked, on="prompt_id")
    of_probes, of_policies, of_scores = [], [], []
    for e, (edit, policy_id) in enumerate(PROBES.items()):
        renamed = pl.col("response_id").str.replace("initial", policy_id, literal=True)
        of_probes.append(first.with_columns(response_id=renamed, policy_id=pl.lit(policy_id), text=pl.lit(edit)))
        of_policies.append(tables["policy"].filter(policy_id="initial").with_columns(policy_id=pl.lit(policy_id)))
        reaction = pl.col("reward_model_id").replace_strict(dict(zip(STUDY.names, reaction_EM[e], strict=True)))
        before = scores.join(first.select("response_id"), on="response_id")
        noise = pl.Series(0.2 * rng.standard_normal(before.height))
        of_scores.append(
            before.with_columns(score=(pl.col("score") + reaction + noise).cast(pl.Float32), response_id=renamed)
        )
    return tables | {
        "response": pl.concat([answered, *of_probes]),
        "policy": pl.concat([tables["policy"], *of_policies]),
        "score": pl.concat([scores, *of_scores]),
        # of best-of-n: those of other scores; they are computed from these
        "policy_value": tables["policy_value"].filter(~pl.col("policy_id").str.starts_with("bon-")),
    }
