"""Runs of any size made of numbers, published as real DuckDB files: normal reward models of growing noise.

Every table that the dashboard reads is filled, texts included, so that a page cannot tell such a run from a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import runs
from pipeline.config import load_profile
from tests.warehouse.study.simulate import normal_scores
from warehouse import ingest
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.schema import CATEGORIES, INITIAL, ORIGINAL, TABLES


def publish(
    home: Path,
    *,
    run_id: str = "simulated",
    M: int = 5,
    P: int = 32,
    R: int = 5,
    Q: int = 32,
    N: int = 16,
    categories: Sequence[str] = CATEGORIES,
    subsets: int = 2,
    optimizers: Sequence[str] = ("bon",),
    constant: bool = False,
    seed: int = 0,
) -> Path:
    """Publish a run of M reward models, P RM-test prompts × R responses and Q RL-test prompts × N samples.

    Policies of optimiser `ppo` get the values of best-of-n at their place of the series. With `constant` every reward
    model gives every response one score, so that nothing is defined. Returns `home`.
    """
    rng = np.random.default_rng(seed)
    noise = np.linspace(0.3, 2.5, M)
    test, samples = (normal_scores(rng, noise, *shape).astype(np.float32) for shape in ((P, R), (Q, N)))
    if constant:
        test[:], samples[:] = 1.0, 1.0
    models = [f"flip-{0.5 * m / M:.3f}" for m in range(M)]
    prompts = pl.concat([_prompts("rm_test", P, categories, subsets), _prompts("rl_test", Q, categories, subsets)])
    rm_ids, rl_ids = (prompts.filter(split=split)["prompt_id"].to_list() for split in ("rm_test", "rl_test"))
    policies, values = _policies(models, rl_ids, samples, optimizers)
    responses = pl.concat([_responses(rm_ids, R), _responses(rl_ids, N)])
    rows = {
        "run": _run(),
        "prompt": prompts,
        "reward_model": _reward_models(models, noise),
        "policy": policies,
        "response": responses,
        "score": pl.concat([_scores(models, rm_ids, test), _scores(models, rl_ids, samples)]),
        "policy_value": values,
    }
    ingest.publish(home, {name: _complete(name, frame, run_id) for name, frame in rows.items()}, f"simulated {run_id}")
    return home


def _complete(table: str, frame: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """With the run's id, and null in the columns that say nothing here."""
    frame = frame.with_columns(run_id=pl.lit(run_id))
    absent = [column.name for column in TABLES[table].columns if column.nullable and column.name not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(name) for name in absent)


def publish_beside_a_stopped_run(home: Path) -> Path:
    """A data folder with a small published run and one, `stopped`, that can be resumed. Returns `home`."""
    publish(home, P=8, Q=8, M=3)
    runs.create(home, load_profile("smoke"), "stopped")
    return home


def _run() -> pl.DataFrame:
    texts = {"profile": "simulated", "code_version": "0", "base_model": "simulated"}
    texts |= {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:01:00+00:00"}
    return pl.DataFrame(
        [texts | dict.fromkeys(("config", "packages", "host", "timings"), "{}") | {"seed": 0, "wall_s": 60.0}]
    )


def _prompts(split: str, count: int, categories: Sequence[str], subsets: int) -> pl.DataFrame:
    numbers = range(count)
    category = [categories[number % len(categories)] for number in numbers]
    return pl.DataFrame(
        {
            "prompt_id": [f"{split}/{number:05}" for number in numbers],
            "category": category,
            "subset": [f"{name.lower()}-{number // len(categories) % subsets}" for number, name in enumerate(category)],
            "split": split,
            "source": "simulated",
            "text": [f"Question {number} of {split}?" for number in numbers],
        }
    )


def _reward_models(models: Sequence[str], noise: NDArray[np.float64]) -> pl.DataFrame:
    M = len(models)
    return pl.DataFrame(
        {
            "reward_model_id": models,
            "kind": "flip",
            "flip_rate": [0.5 * m / M for m in range(M)],
            "length_bias": 0.0,
            "base_model": "simulated",
            "trainable_layers": 0,
            "seed": list(range(M)),
            "train_pairs": 1000,
            "validation_accuracy": 0.5 + 0.4 / (1 + noise),
            "weights": [f"reward_models/{model}" for model in models],
        }
    )


def _responses(prompts: Sequence[str], count: int) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "prompt_id": np.repeat(np.array(prompts, dtype=object), count).tolist(),
            "sample": list(range(count)) * len(prompts),
        }
    )
    return frame.with_columns(
        response_id=pl.format(INITIAL + "|{}|{}", "prompt_id", "sample"),
        policy_id=pl.lit(INITIAL),
        prompt_form=pl.lit(ORIGINAL),
        text=pl.format("Answer {} to {}.", "sample", "prompt_id"),
        tokens=pl.lit(5),
        finished=pl.lit(True),
    )


def _scores(models: Sequence[str], prompts: Sequence[str], scores_MPR: NDArray[np.float32]) -> pl.DataFrame:
    ids = _responses(prompts, scores_MPR.shape[2])["response_id"]
    return pl.concat(
        pl.DataFrame({"response_id": ids, "score": scores_MPR[m].ravel()}).with_columns(reward_model_id=pl.lit(model))
        for m, model in enumerate(models)
    )


def _policies(
    models: Sequence[str], prompts: Sequence[str], samples_MQN: NDArray[np.float32], optimizers: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    N = samples_MQN.shape[2]
    strengths = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= N]
    values_SMMQ = best_of_n_values(samples_MQN, strengths)
    common = {"temperature": 1.0, "base_model": "simulated"}
    policies = [{"policy_id": INITIAL, "optimizer": "none", "kl": 0.0, **common}]
    values = [_values(INITIAL, models, prompts, samples_MQN.mean(axis=2, dtype=np.float64))]
    for optimizer in optimizers:
        for s, n in enumerate(strengths):
            for m, model in enumerate(models):
                policy_id = f"{optimizer}-{n}/{model}"
                of = {"policy_id": policy_id, "optimizer": optimizer, "reward_model_id": model, "strength": float(n)}
                policies.append(of | {"kl": best_of_n_kl_bound(n), "kl_estimator": "bound", **common})
                values.append(_values(policy_id, models, prompts, values_SMMQ[s, :, m]))
    return pl.DataFrame(policies, infer_schema_length=None), pl.concat(values)


def _values(
    policy_id: str, models: Sequence[str], prompts: Sequence[str], values_MQ: NDArray[np.float64]
) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "golden_id": np.repeat(np.array(models, dtype=object), len(prompts)).tolist(),
            "prompt_id": list(prompts) * len(models),
            "value": values_MQ.ravel(),
        }
    )
    return frame.with_columns(policy_id=pl.lit(policy_id))
