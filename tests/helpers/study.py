"""A run made of numbers, published into a real DuckDB warehouse: normal scores with known structure, PPO if asked for.

Every response has a quality that all reward models see with noise of their own, more of it the more labels were
flipped, and a length, which each likes a little. PPO moves quality and length along known curves. Rows are made a table
at a time, so that a run may have millions of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from warehouse import ingest
from warehouse.metrics.cube import score_cube
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.metrics.policies.tilted import tilted_policies, tilted_values
from warehouse.schema import CATEGORIES, TABLES, Table

MARKUP = "<b>bold</b> **strong** [link](http://x) <script>alert(1)</script> $x^2$ :red[red]"
"""The text of the first response to every prompt: shown letter by letter, or a page is broken."""

Made = dict[str, list[pl.DataFrame]]


@dataclass(frozen=True)
class Study:
    """What is simulated; `prompts` are RM-test prompts a category, `rl_prompts` RL-test ones, as many if not given.

    `ppo_steps` empty leaves PPO out, `stops` maps a reward model to its last PPO step; `penalties` are KL coefficients
    that PPO was run with besides 0, against the first `swept` reward models; `algorithms` are what else, or instead of
    it, went the same steps. Each policy is optimised `repeats` times, those against `once` only once. `offset` is the
    standard deviation of what a prompt adds to all scores of its responses. With `tilted` there are tilted policies, as
    far as `samples` allow. `sources` are further policies that answer the RM-test prompts; with `paraphrases` the
    initial policy answers them in other words too.
    """

    run_id: str = "simulated"
    reward_models: int = 4
    prompts: int = 4
    rl_prompts: int | None = None
    responses: int = 5
    samples: int = 8
    categories: tuple[str, ...] = CATEGORIES
    ppo_steps: tuple[int, ...] = ()
    stops: tuple[tuple[str, int], ...] = ()
    penalties: tuple[float, ...] = ()
    swept: int = 3
    algorithms: tuple[str, ...] = ("ppo",)
    repeats: int = 1
    once: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    paraphrases: bool = False
    offset: float = 0.0
    constant: bool = False
    tilted: bool = False
    seed: int = 0

    @property
    def names(self) -> list[str]:
        return [f"rm-{m:02}" for m in range(self.reward_models)]

    @property
    def flip_rates(self) -> np.ndarray:
        return np.linspace(0, 0.45, self.reward_models)

    def prompt_ids(self, split: str) -> list[str]:
        """Ids of a split's prompts in their order."""
        return sorted(prompt for category in self.categories for prompt in self._of(category, split))

    def prompt_rows(self, split: str) -> pl.DataFrame:
        """Table `prompt` of a split."""
        return pl.DataFrame(
            {"prompt_id": prompt, "category": category, "subset": _subset(category, split), "split": split}
            | {"text": f"Question {p} of {_subset(category, split)}?"}
            for category in self.categories
            for p, prompt in enumerate(self._of(category, split))
        )

    def _of(self, category: str, split: str) -> list[str]:
        count = self.prompts if split == "rm_test" or self.rl_prompts is None else self.rl_prompts
        return [f"{_subset(category, split)}/{p:02}" for p in range(count)]


def _subset(category: str, split: str) -> str:
    return f"{category.lower().replace(' ', '-')}-{split[:2]}"


def publish(home: Path, study: Study | None = None) -> Path:
    """Publish the study into the data folder; gives the folder."""
    study = study or Study()
    ingest.publish(home, rows(study), study.run_id)
    return home


def rows(study: Study) -> dict[str, pl.DataFrame]:
    """Rows of every table."""
    rng = np.random.default_rng(study.seed)
    made: Made = {name: [] for name in TABLES}
    about = {"finished_at": "2026-01-02T00:00:00+00:00", "base_model": "base", "profile": "simulated"}
    made["run"].append(pl.DataFrame([about | dict.fromkeys(("config", "packages", "host", "timings"), "{}")]))
    for split, each in (("rm_test", study.responses), ("rl_test", study.samples)):
        made["prompt"].append(study.prompt_rows(split))
        scores_MPN = _respond(made, study, rng, split, each, "initial")
        if split == "rl_test":
            _best_of_n(made, study, scores_MPN)
            if study.tilted:
                _tilted(made, study, scores_MPN)
    made["policy"].append(pl.DataFrame([{"policy_id": "initial", "optimizer": "none", "kl": 0.0}]))
    for source in study.sources:
        made["policy"].append(pl.DataFrame([{"policy_id": source, "optimizer": "none"}]))
        _respond(made, study, rng, "rm_test", study.responses, source)
    if study.paraphrases:
        _respond(made, study, rng, "rm_test", study.responses, "initial", form="paraphrase")
    for m, name in enumerate(study.names):
        _reward_model(made, rng, name, float(study.flip_rates[m]))
        last = dict(study.stops).get(name, max(study.ppo_steps, default=0))
        for algorithm in study.algorithms if study.ppo_steps else ():
            for penalty in (0.0, *(study.penalties if m < study.swept else ())):
                for repeat in range(1 if name in study.once else study.repeats):
                    for step in (step for step in study.ppo_steps if step <= last):
                        _checkpoint(made, study, rng, m, step, penalty, algorithm, repeat)
            stopped = last < max(study.ppo_steps)
            run = {
                "ppo_id": f"{algorithm}/{name}",
                "reward_model_id": name,
                "steps_done": last,
                "steps": max(study.ppo_steps),
            }
            run |= {"state": "diverged", "reason": "the loss is nan"} if stopped else {"state": "finished"}
            made["ppo_run"].append(pl.DataFrame([run]))
    return {
        name: filled(TABLES[name], study.run_id, pl.concat(frames, how="diagonal_relaxed"))
        if frames
        else pl.DataFrame(schema=TABLES[name].polars_schema)
        for name, frames in made.items()
    }


def filled(table: Table, run_id: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with what they leave out: null where that may be, else nothing of its type."""
    nothing = {pl.String: "-", pl.Int64: 0, pl.Float32: 0.0, pl.Float64: 0.0, pl.Boolean: False}
    frame = frame.with_columns(run_id=pl.lit(run_id))
    return frame.with_columns(
        pl.lit(None if column.nullable else column.allowed[0] if column.allowed else nothing[type(column.dtype)])
        .cast(column.dtype)
        .alias(column.name)
        for column in table.columns
        if column.name not in frame.columns
    ).select(pl.col(column.name).cast(column.dtype) for column in table.columns)


def _respond(
    made: Made,
    study: Study,
    rng: np.random.Generator,
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
    prompts = study.prompt_ids(split)
    truth = quality + rng.standard_normal((len(prompts), each))
    if study.offset:
        truth += study.offset * np.random.default_rng((study.seed, len(prompts))).standard_normal((len(prompts), 1))
    length = np.clip(30 + tokens + 8 * rng.standard_normal(truth.shape), 2, None).astype(int)
    noise = (0.3 + 3 * study.flip_rates)[:, None, None] * rng.standard_normal((study.reward_models, *truth.shape))
    scores: np.ndarray = truth + noise + 0.02 * (length - 30)
    scores += np.broadcast_to(learnt_M, study.reward_models)[:, None, None]
    if study.constant:
        scores = np.zeros_like(scores)
    asked = pl.Series("prompt_id", prompts)
    response = (
        asked[np.repeat(np.arange(len(prompts)), each)]
        .to_frame()
        .with_columns(policy_id=pl.lit(policy), sample=np.tile(np.arange(each), len(prompts)), tokens=length.ravel())
    )
    made["response"].append(
        response.with_columns(
            response_id=pl.format(
                f"{policy}|{{}}|{{}}{'' if form == 'original' else f'|{form}'}", "prompt_id", "sample"
            ),
            text=pl.when(sample=0)
            .then(pl.lit(MARKUP))
            .otherwise(pl.format(f"Answer {{}} of {policy} to {{}}.", "sample", "prompt_id")),
            finished=pl.col("sample") != 3,
            prompt_form=pl.lit(form),
        )
    )
    responses = made["response"][-1]["response_id"]
    made["score"] += [
        pl.DataFrame({"response_id": responses, "score": scores[m].ravel()}).with_columns(reward_model_id=pl.lit(name))
        for m, name in enumerate(study.names)
    ]
    return scores.astype(np.float32)


def _values(made: Made, study: Study, policy: str, values_MP: np.ndarray, prompts: list[str] | None = None) -> None:
    prompts = prompts or study.prompt_ids("rl_test")
    made["policy_value"] += [
        pl.DataFrame({"prompt_id": prompts, "value": values_MP[g]}).with_columns(
            policy_id=pl.lit(policy), golden_id=pl.lit(name)
        )
        for g, name in enumerate(study.names)
    ]


def _best_of_n(made: Made, study: Study, scores_MPN: np.ndarray) -> None:
    strengths = [2**k for k in range(study.samples.bit_length()) if 2**k <= study.samples]
    values_SMMP = best_of_n_values(scores_MPN, strengths)
    _values(made, study, "initial", scores_MPN.mean(axis=2, dtype=np.float64))
    for s, n in enumerate(strengths):
        for m, name in enumerate(study.names):
            policy = {"policy_id": f"bon-{n}/{name}", "optimizer": "bon", "reward_model_id": name}
            policy |= {"strength": float(n), "kl": best_of_n_kl_bound(n), "kl_estimator": "bound"}  # type: ignore[dict-item]
            made["policy"].append(pl.DataFrame([policy]))
            _values(made, study, policy["policy_id"], values_SMMP[s, :, m])


def _tilted(made: Made, study: Study, scores_MPN: np.ndarray) -> None:
    cube = score_cube(scores_MPN, reward_models=study.names)
    offered = tilted_policies(cube).offered()
    for strength, defined_P, kl_M in zip(offered.strengths, offered.defined_SP, offered.kl_SM, strict=True):
        values_MMP = tilted_values(cube, [strength], np.flatnonzero(defined_P))[0]
        prompts = [prompt for prompt, defined in zip(study.prompt_ids("rl_test"), defined_P, strict=True) if defined]
        for m, name in enumerate(study.names):
            policy = {"policy_id": f"tilted-{strength:g}/{name}", "optimizer": "tilted", "reward_model_id": name}
            numbers = {"strength": strength, "kl": float(kl_M[m]), "kl_estimator": "weights"}
            shares = {"finished_share": 0.9 - 0.1 * m, "mean_tokens": 30.0 + m}
            made["policy"].append(pl.DataFrame([policy | numbers | shares]))
            _values(made, study, policy["policy_id"], values_MMP[:, m], prompts)


def _reward_model(made: Made, rng: np.random.Generator, name: str, flip_rate: float) -> None:
    accuracy = 0.9 - flip_rate * 0.8
    model: dict[str, Any] = {"reward_model_id": name, "kind": "flip", "flip_rate": flip_rate, "base_model": "base"}
    model |= {"train_pairs": 200, "validation_accuracy": accuracy, "seed": 1, "trainable_layers": 0}
    made["reward_model"].append(pl.DataFrame([model]))
    for step in range(1, 6):
        for metric, value in (
            ("train_loss", 0.7 - 0.05 * step * (1 - flip_rate)),
            ("validation_accuracy", 0.5 + (accuracy - 0.5) * step / 5),
        ):
            _curve(made, name, metric, 10 * step, value)


def _checkpoint(
    made: Made,
    study: Study,
    rng: np.random.Generator,
    m: int,
    step: int,
    penalty: float,
    algorithm: str,
    repeat: int = 0,
) -> None:
    """PPO at a step: KL grows with it, quality rises and then falls, the sooner the noisier the reward model.

    Another seed gets farther in KL, and adds to the quality what is its own.
    """
    kl = step / 10.0 / (1.0 + 20.0 * penalty) * (1.0 + 0.5 * repeat)
    quality = np.sqrt(kl) * (1.0 - (0.2 + study.flip_rates[m]) * np.sqrt(kl))
    if repeat:
        quality += 0.3 * np.random.default_rng((study.seed, m, repeat)).standard_normal() * np.sqrt(kl)
    of_penalty, of_repeat = f"-kl{penalty:g}" if penalty else "", f"-r{repeat}" if repeat else ""
    name = study.names[m]
    policy = {"policy_id": f"{algorithm}{of_penalty}-{step}{of_repeat}/{name}", "optimizer": algorithm}
    policy |= {"reward_model_id": name, "kl_estimator": "k3"}
    numbers = {"strength": float(step), "kl": kl, "kl_coefficient": penalty if study.penalties else None}
    numbers["repeat"] = repeat or None
    made["policy"].append(pl.DataFrame([policy | numbers]))
    learnt_M = 0.5 * np.sqrt(kl) * (np.arange(study.reward_models) == m)
    scores = _respond(made, study, rng, "rl_test", 2, policy["policy_id"], float(quality), 0.5 * step, learnt_M)
    _values(made, study, policy["policy_id"], scores.mean(axis=2, dtype=np.float64))
    for metric, value in (("reward", float(np.sqrt(kl))), ("kl_k3", kl)):
        _curve(made, f"{algorithm}{of_penalty}{of_repeat}/{name}", metric, step, value)


def _curve(made: Made, model: str, metric: str, step: int, value: float) -> None:
    row = {"model_id": model, "metric": metric, "step": step, "value": value}
    made["training_curve"].append(pl.DataFrame([row]))
