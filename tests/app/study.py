"""A run made of numbers, published into a real DuckDB warehouse: normal scores with known structure, PPO if asked for.

Every response has a quality that all reward models see with noise of their own, more of it the more labels were
flipped, and a length, which each likes a little. PPO moves quality and length along known curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from warehouse import ingest
from warehouse.measures import best_of_n_kl_bound, best_of_n_values
from warehouse.schema import CATEGORIES, TABLES, Table

MARKUP = "<b>bold</b> **strong** [link](http://x) <script>alert(1)</script> $x^2$ :red[red]"
"""The text of the first response to every prompt: shown letter by letter, or a page is broken."""


@dataclass(frozen=True)
class Study:
    """What is simulated; `ppo_steps` empty leaves PPO out, `stops` maps a reward model to its last PPO step.

    `sources` are further policies that answer the RM-test prompts; with `paraphrases` the initial policy answers them
    in other words too.
    """

    run_id: str = "simulated"
    reward_models: int = 4
    prompts: int = 4
    responses: int = 5
    samples: int = 8
    categories: tuple[str, ...] = CATEGORIES
    ppo_steps: tuple[int, ...] = ()
    stops: tuple[tuple[str, int], ...] = ()
    sources: tuple[str, ...] = ()
    paraphrases: bool = False
    constant: bool = False
    seed: int = 0

    @property
    def names(self) -> list[str]:
        return [f"rm-{m:02}" for m in range(self.reward_models)]


def publish(home: Path, study: Study | None = None) -> Path:
    """Publish the study into the data folder; gives the folder."""
    study = study or Study()
    ingest.publish(home, rows(study), study.run_id)
    return home


def rows(study: Study) -> dict[str, pl.DataFrame]:
    """Rows of every table."""
    rng = np.random.default_rng(study.seed)
    flip_rates = np.linspace(0, 0.45, study.reward_models)
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    made["run"] = [{"finished_at": "2026-01-02T00:00:00+00:00", "base_model": "base", "profile": "simulated"}]
    made["run"][0] |= dict.fromkeys(("config", "packages", "host", "timings"), "{}")
    for split, each in (("rm_test", study.responses), ("rl_test", study.samples)):
        _prompts(made, study, split)
        scores_MPN = _respond(made, study, rng, flip_rates, split, each, "initial")
        if split == "rl_test":
            _best_of_n(made, study, scores_MPN)
    made["policy"].append({"policy_id": "initial", "optimizer": "none", "kl": 0.0})
    for source in study.sources:
        made["policy"].append({"policy_id": source, "optimizer": "none"})
        _respond(made, study, rng, flip_rates, "rm_test", study.responses, source)
    if study.paraphrases:
        _respond(made, study, rng, flip_rates, "rm_test", study.responses, "initial", form="paraphrase")
    for m, name in enumerate(study.names):
        _reward_model(made, rng, name, float(flip_rates[m]))
        last = dict(study.stops).get(name, max(study.ppo_steps, default=0))
        for step in (step for step in study.ppo_steps if step <= last):
            _checkpoint(made, study, rng, flip_rates, m, step)
        if study.ppo_steps:
            stopped = last < max(study.ppo_steps)
            run = {"ppo_id": f"ppo/{name}", "reward_model_id": name, "steps_done": last, "steps": max(study.ppo_steps)}
            run |= {"state": "diverged", "reason": "the loss is nan"} if stopped else {"state": "finished"}
            made["ppo_run"].append(run)
    return {name: filled(TABLES[name], study.run_id, content) for name, content in made.items()}


def filled(table: Table, run_id: str, content: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The rows with what they leave out: null where that may be, else nothing of its type."""
    nothing = {pl.String: "-", pl.Int64: 0, pl.Float32: 0.0, pl.Float64: 0.0, pl.Boolean: False}
    defaults = {
        column.name: None if column.nullable else column.allowed[0] if column.allowed else nothing[type(column.dtype)]
        for column in table.columns
    }
    return pl.DataFrame([defaults | row | {"run_id": run_id} for row in content], schema=table.polars_schema)


def _prompts(made: dict[str, list[dict[str, Any]]], study: Study, split: str) -> None:
    for category in study.categories:
        subset = f"{category.lower().replace(' ', '-')}-{split[:2]}"
        made["prompt"] += [
            {"prompt_id": f"{subset}/{p:02}", "category": category, "subset": subset, "split": split}
            | {"text": f"Question {p} of {subset}?"}
            for p in range(study.prompts)
        ]


def _respond(
    made: dict[str, list[dict[str, Any]]],
    study: Study,
    rng: np.random.Generator,
    flip_rates: np.ndarray,
    split: str,
    each: int,
    policy: str,
    quality: float = 0.0,
    tokens: float = 0.0,
    learnt_M: np.ndarray | float = 0.0,
    form: str = "original",
) -> np.ndarray:
    """Responses of a policy of this mean quality to the prompts of a split, and their scores `[M, P, each]`.

    `learnt_M` is what each reward model likes about them beside their quality.
    """
    prompts = sorted(row["prompt_id"] for row in made["prompt"] if row["split"] == split)
    truth = quality + rng.standard_normal((len(prompts), each))
    length = np.clip(30 + tokens + 8 * rng.standard_normal(truth.shape), 2, None).astype(int)
    noise = (0.3 + 3 * flip_rates)[:, None, None] * rng.standard_normal((study.reward_models, *truth.shape))
    scores = truth + noise + 0.02 * (length - 30) + np.broadcast_to(learnt_M, study.reward_models)[:, None, None]
    if study.constant:
        scores = np.zeros_like(scores)
    for p, prompt in enumerate(prompts):
        for sample in range(each):
            response = f"{policy}|{prompt}|{sample}" + ("" if form == "original" else f"|{form}")
            text = MARKUP if sample == 0 else f"Answer {sample} of {policy} to {prompt}."
            made["response"].append(
                {"response_id": response, "prompt_id": prompt, "policy_id": policy, "sample": sample, "text": text}
                | {"tokens": int(length[p, sample]), "finished": sample != 1, "prompt_form": form}
            )
            made["score"] += [
                {"reward_model_id": name, "response_id": response, "score": float(scores[m, p, sample])}
                for m, name in enumerate(study.names)
            ]
    return scores.astype(np.float32)


def _values(made: dict[str, list[dict[str, Any]]], study: Study, policy: str, values_MP: np.ndarray) -> None:
    prompts = sorted(row["prompt_id"] for row in made["prompt"] if row["split"] == "rl_test")
    made["policy_value"] += [
        {"policy_id": policy, "golden_id": name, "prompt_id": prompt, "value": float(values_MP[g, p])}
        for g, name in enumerate(study.names)
        for p, prompt in enumerate(prompts)
    ]


def _best_of_n(made: dict[str, list[dict[str, Any]]], study: Study, scores_MPN: np.ndarray) -> None:
    strengths = [2**k for k in range(study.samples.bit_length()) if 2**k <= study.samples]
    values_SMMP = best_of_n_values(scores_MPN, strengths)
    _values(made, study, "initial", scores_MPN.mean(axis=2, dtype=np.float64))
    for s, n in enumerate(strengths):
        for m, name in enumerate(study.names):
            policy = {"policy_id": f"bon-{n}/{name}", "optimizer": "bon", "reward_model_id": name, "strength": n}
            made["policy"].append(policy | {"kl": best_of_n_kl_bound(n), "kl_estimator": "bound"})
            _values(made, study, policy["policy_id"], values_SMMP[s, :, m])


def _reward_model(made: dict[str, list[dict[str, Any]]], rng: np.random.Generator, name: str, flip_rate: float) -> None:
    accuracy = 0.9 - flip_rate * 0.8
    made["reward_model"].append(
        {"reward_model_id": name, "kind": "flip", "flip_rate": flip_rate, "base_model": "base", "train_pairs": 200}
        | {"validation_accuracy": accuracy, "seed": 1, "trainable_layers": 0}
    )
    for step in range(1, 6):
        for metric, value in (
            ("train_loss", 0.7 - 0.05 * step * (1 - flip_rate)),
            ("validation_accuracy", 0.5 + (accuracy - 0.5) * step / 5),
        ):
            made["training_curve"].append({"model_id": name, "metric": metric, "step": 10 * step, "value": value})


def _checkpoint(
    made: dict[str, list[dict[str, Any]]],
    study: Study,
    rng: np.random.Generator,
    flip_rates: np.ndarray,
    m: int,
    step: int,
) -> None:
    """PPO at a step: KL grows with it, quality rises and then falls, the sooner the noisier the reward model."""
    kl = step / 10.0
    quality = np.sqrt(kl) * (1.0 - (0.2 + flip_rates[m]) * np.sqrt(kl))
    policy = f"ppo-{step}/{study.names[m]}"
    made["policy"].append(
        {"policy_id": policy, "optimizer": "ppo", "reward_model_id": study.names[m], "strength": float(step)}
        | {"kl": kl, "kl_estimator": "k3"}
    )
    learnt_M = 0.5 * np.sqrt(kl) * (np.arange(study.reward_models) == m)
    scores = _respond(made, study, rng, flip_rates, "rl_test", 2, policy, float(quality), 0.5 * step, learnt_M)
    _values(made, study, policy, scores.mean(axis=2, dtype=np.float64))
    for metric, value in (("reward", float(np.sqrt(kl))), ("kl_k3", kl)):
        row = {"model_id": f"ppo/{study.names[m]}", "metric": metric, "step": step, "value": value}
        made["training_curve"].append(row)
