"""A finished run of any size made of numbers, written part by part as the pipeline writes its parts, to be published.

A score is the quality of the response, which all reward models see, and noise of the reward model's own, more of it the
more labels were flipped. Each part is drawn by seeds of its own, so that no more than one is in memory; the values of
best-of-n are left to the reads, which compute them from the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import runs
from pipeline.cost import estimate
from pipeline.prompts import load_prompts
from pipeline.runs import RunDirectory
from tests.helpers.study import filled
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.schema import CATEGORIES, INITIAL, TABLES

_PART_RESPONSES = 200_000
_SPLITS = ("rm_test", "rl_test")


@dataclass(frozen=True)
class Scale:
    """What is simulated: M reward models, as many RM-test as RL-test prompts, R responses or N samples to each.

    `pairs` are training pairs, whose labels every reward model has; `words` is the mean length of a text.
    """

    reward_models: int = 100
    prompts: int = 2_733
    responses: int = 8
    samples: int = 64
    pairs: int = 105_348
    validation_pairs: int = 7_052
    words: int = 40
    run_id: str = "scale"
    seed: int = 0

    @property
    def names(self) -> list[str]:
        return [f"flip-{0.45 * m / max(1, self.reward_models - 1):.4f}" for m in range(self.reward_models)]

    @property
    def strengths(self) -> list[int]:
        return [2**power for power in range(self.samples.bit_length()) if 2**power <= self.samples]

    def each(self, split: str) -> int:
        """Responses to a prompt of the split."""
        return self.responses if split == "rm_test" else self.samples

    def rng(self, *path: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *path])

    def prompt_ids(self, split: str) -> list[str]:
        """Ids of a split's prompts, in their order."""
        return [f"{split}-{number:06}" for number in range(self.prompts)]


def write(home: Path, scale: Scale) -> RunDirectory:
    """A run directory with all parts and a manifest."""
    config = estimate.reference().config.model_copy(update={"profile": "simulated"})
    run = runs.create(home, config, scale.run_id)
    words = _vocabulary()
    for split in _SPLITS:
        _part(run, "prompt", "prompts", split, _prompts(scale, split, words))
        for unit, frame in enumerate(_responses(scale, split, words)):
            _part(run, "response", "test_responses", f"{split}-{unit:05}", frame)
        _score(run, scale, split)
    _part(run, "reward_model", "reward_models", "all", _reward_models(scale))
    _part(run, "policy", "best_of_n", "all", _policies(scale))
    _preferences(run, scale, words)
    about: dict[str, Any] = {"run_id": run.run_id, "started_at": runs.now(), "finished_at": runs.now(), "wall_s": 0.0}
    about |= {"code_version": "-", "config": config.model_dump(mode="json")}
    run.finish(about | {"packages": {}, "host": {}, "stages": {}})
    return run


def _part(run: RunDirectory, table: str, stage: str, unit: str, frame: pl.DataFrame) -> None:
    run.write_part(table, stage, unit, filled(TABLES[table], run.run_id, frame).drop("run_id"))


def _vocabulary() -> NDArray[np.object_]:
    """The words of the project's own prompts, as often as they stand there."""
    return np.array(" ".join(load_prompts()["text"]).split(), dtype=object)


def _texts(rng: np.random.Generator, vocabulary: NDArray[np.object_], count: int, words: int) -> list[str]:
    """Texts of `words` words on average, from half to one and a half times as many."""
    lengths = rng.integers(max(1, words // 2), words + words // 2 + 1, count)
    drawn = iter(vocabulary[rng.integers(0, len(vocabulary), lengths.sum())].tolist())
    return [" ".join(next(drawn) for _ in range(length)) for length in lengths]


def _prompts(scale: Scale, split: str, vocabulary: NDArray[np.object_]) -> pl.DataFrame:
    number = np.arange(scale.prompts)
    category = [CATEGORIES[one] for one in number % len(CATEGORIES)]
    subset = [f"{name.lower().replace(' ', '-')}-{one // 4 % 6}" for name, one in zip(category, number, strict=True)]
    texts = _texts(scale.rng(1, _SPLITS.index(split)), vocabulary, scale.prompts, scale.words)
    ids = scale.prompt_ids(split)
    return pl.DataFrame({"prompt_id": ids, "category": category, "subset": subset, "text": texts}).with_columns(
        split=pl.lit(split)
    )


def _response_keys(scale: Scale, split: str, prompts: slice = slice(None)) -> pl.DataFrame:
    """`prompt_id, sample, response_id` of the initial policy's responses, by prompt and sample."""
    ids = pl.Series("prompt_id", scale.prompt_ids(split)[prompts])
    each = scale.each(split)
    frame = ids[np.repeat(np.arange(len(ids)), each)].to_frame().with_columns(sample=np.tile(np.arange(each), len(ids)))
    return frame.with_columns(response_id=pl.format(f"{INITIAL}|{{}}|{{}}", "prompt_id", "sample"))


def _responses(scale: Scale, split: str, vocabulary: NDArray[np.object_]) -> Iterator[pl.DataFrame]:
    """Rows of table `response`, a number of whole prompts at a time."""
    step = max(1, _PART_RESPONSES // scale.each(split))
    for start in range(0, scale.prompts, step):
        keys = _response_keys(scale, split, slice(start, start + step))
        texts = _texts(scale.rng(2, _SPLITS.index(split), start), vocabulary, keys.height, scale.words)
        yield keys.with_columns(
            policy_id=pl.lit(INITIAL),
            prompt_form=pl.lit("original"),
            text=pl.Series(texts),
            tokens=pl.Series([1 + text.count(" ") for text in texts]),
            finished=pl.lit(True),
        )


def _score(run: RunDirectory, scale: Scale, split: str) -> None:
    """Table `score` of a split, a part per reward model, and what the initial policy is worth to it."""
    each, number = scale.each(split), _SPLITS.index(split)
    responses = _response_keys(scale, split)["response_id"]
    quality = scale.rng(3, number).standard_normal((scale.prompts, each), dtype=np.float32)
    for m, (name, noise) in enumerate(zip(scale.names, np.linspace(0.3, 2.5, scale.reward_models), strict=True)):
        own = scale.rng(4, number, m).standard_normal(quality.shape, dtype=np.float32)
        scores = quality + np.float32(noise) * own
        frame = pl.DataFrame({"response_id": responses, "score": scores.ravel()})
        _part(run, "score", "scores", f"{split}-{m:05}", frame.with_columns(reward_model_id=pl.lit(name)))
        if split == "rl_test":
            value = pl.Series("value", scores.mean(axis=1, dtype=np.float64))
            frame = pl.DataFrame({"prompt_id": scale.prompt_ids(split), "value": value})
            frame = frame.with_columns(policy_id=pl.lit(INITIAL), golden_id=pl.lit(name))
            _part(run, "policy_value", "best_of_n", f"{m:05}", frame)


def _reward_models(scale: Scale) -> pl.DataFrame:
    flip_rate = np.linspace(0, 0.45, scale.reward_models)
    return pl.DataFrame(
        {
            "reward_model_id": scale.names,
            "flip_rate": flip_rate,
            "seed": range(scale.reward_models),
            "train_pairs": [scale.pairs] * scale.reward_models,
            "validation_accuracy": 0.9 - 0.8 * flip_rate,
        }
    )


def _policies(scale: Scale) -> pl.DataFrame:
    initial: dict[str, Any] = {"policy_id": INITIAL, "optimizer": "none", "kl": 0.0}
    optimised = (
        {"policy_id": f"bon-{n}/{name}", "optimizer": "bon", "reward_model_id": name, "strength": float(n)}
        | {"kl": best_of_n_kl_bound(n), "kl_estimator": "bound"}
        for n in scale.strengths
        for name in scale.names
    )
    return pl.DataFrame(list(chain([initial], optimised)), infer_schema_length=None)


def _preferences(run: RunDirectory, scale: Scale, vocabulary: NDArray[np.object_]) -> None:
    """Tables `preference` and `label`: every reward model saw every training pair, its own share of them flipped."""
    count = scale.pairs + scale.validation_pairs
    ids = pl.Series("preference_id", [f"pair-{number:07}" for number in range(count)])
    texts = {
        name: _texts(scale.rng(5, number), vocabulary, count, scale.words)
        for number, name in enumerate(("prompt", "chosen", "rejected"))
    }
    split = ["train"] * scale.pairs + ["validation"] * scale.validation_pairs
    _part(run, "preference", "preferences", "all", pl.DataFrame({"preference_id": ids, "split": split, **texts}))
    for m, (name, rate) in enumerate(zip(scale.names, np.linspace(0, 0.45, scale.reward_models), strict=True)):
        flipped = scale.rng(6, m).random(scale.pairs) < rate
        frame = pl.DataFrame({"preference_id": ids[: scale.pairs], "flipped": flipped})
        _part(run, "label", "reward_models", f"{m:05}", frame.with_columns(reward_model_id=pl.lit(name)))
