"""Stage 5: M reward models learn from the same pairs, each with its own share of labels flipped.

A part is one reward model: its weights, its labels, its curve, and last the row of table `reward_model`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.context import Context, Work
from pipeline.runs import RunDirectory
from pipeline.stages.features import feature_file, text_batches

if TYPE_CHECKING:
    from pipeline.models.reward_model import RewardModel
    from pipeline.models.trunk import Features

STAGE = "reward_models"


def run(context: Context) -> Work:
    from pipeline.models.trunk import load_features

    models = [(f"flip-{rate:.2f}", rate) for rate in context.config.reward_models.flip_rates]
    missing = [(name, rate) for name, rate in models if not context.run.has_part("reward_model", STAGE, name)]
    context.progress.plan(len(models), "reward models", len(models) - len(missing))
    if missing:
        batches = text_batches(context.run)
        features = load_features([feature_file(context.run, unit) for unit in range(len(batches))])
        numbers = {text: number for number, text in enumerate(text for batch in batches for text in batch)}
        pairs = context.run.read("preference").with_columns(
            chosen_text=pl.struct("prompt", "chosen").map_elements(
                lambda text: numbers[text["prompt"], text["chosen"]], return_dtype=pl.Int64
            ),
            rejected_text=pl.struct("prompt", "rejected").map_elements(
                lambda text: numbers[text["prompt"], text["rejected"]], return_dtype=pl.Int64
            ),
        )
        for name, rate in missing:
            _train_one(context, name, rate, pairs, features)
            context.progress.advance()
    return Work(len(models), "reward models")


def _train_one(context: Context, name: str, flip_rate: float, pairs: pl.DataFrame, features: Features) -> None:
    from pipeline.models.reward_model import RewardModel
    from pipeline.models.training import train

    settings = context.config.reward_models
    seed = context.seed(STAGE, name)
    numbers = {split: _text_numbers(pairs.filter(split=split)) for split in ("train", "validation")}
    flipped = flips(len(numbers["train"]), flip_rate, context.rng(STAGE, name, "flips"))
    labelled = np.where(flipped[:, None], numbers["train"][:, ::-1], numbers["train"])
    reward_model = RewardModel(context.base_model, settings.trainable_layers, seed)
    curve = train(reward_model, features, labelled, numbers["validation"], settings, seed)
    weights = _save(context.run, name, reward_model)
    context.run.write_part(
        "label",
        STAGE,
        name,
        pairs.filter(split="train").select(
            pl.lit(name).alias("reward_model_id"), "preference_id", pl.Series("flipped", flipped)
        ),
    )
    points = [{"model_id": name, "metric": p.metric, "step": p.step, "value": p.value} for p in curve]
    context.run.write_part("training_curve", STAGE, name, pl.DataFrame(points))
    accuracy = next(point.value for point in reversed(curve) if point.metric == "validation_accuracy")
    row = {
        "reward_model_id": name,
        "kind": "flip",
        "flip_rate": flip_rate,
        "base_model": context.config.policy.model,
        "trainable_layers": settings.trainable_layers,
        "seed": seed,
        "train_pairs": len(labelled),
        "validation_accuracy": accuracy,
        "weights": weights,
    }
    context.run.write_part("reward_model", STAGE, name, pl.DataFrame([row]))
    context.progress.say(f"{name}: validation accuracy {accuracy:.3f} on {len(numbers['validation'])} pairs")


def flips(pairs: int, flip_rate: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which pairs to flip: the nearest whole number to `flip_rate · pairs` of them, drawn without replacement."""
    flipped = np.zeros(pairs, dtype=bool)
    flipped[rng.permutation(pairs)[: round(flip_rate * pairs)]] = True
    return flipped


def _text_numbers(pairs: pl.DataFrame) -> NDArray[np.int64]:
    return pairs.select("chosen_text", "rejected_text").to_numpy()


def _save(run: RunDirectory, name: str, reward_model: RewardModel) -> str:
    """Write the weights' folder under a temporary name, then rename it; returns its path within the run."""
    target = run.work("reward_models", name)
    draft = target.with_name(f".partial-{name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    reward_model.save(draft)
    shutil.rmtree(target, ignore_errors=True)  # what a kill between the rename and the part left behind
    draft.rename(target)
    return str(target.relative_to(run.path))
