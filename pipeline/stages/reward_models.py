"""Stage 5: M reward models learn from the same pairs, each on its own corruption of their labels or choice of them.

A part is one reward model: its weights, its labels, its curve, and last the row of table `reward_model`. They are
trained on the features of the trunk, or, with all layers, on the texts, by one process or by several. Those made
elsewhere, which are added to a run, are not trained: they order the validation pairs, and have a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.config import AddedRewardModel, RewardModelPlan
from pipeline.context import Context, Parts, StageResult
from pipeline.scoring.texts import Text
from pipeline.stages.features import feature_file, text_batches
from pipeline.stages.learning import Learn, Lesson, learning

STAGE = "reward_models"


def run(context: Context) -> StageResult:
    return context.make(parts)


def parts(context: Context) -> Parts:
    """A reward model each: those that are trained, in the order of their depths, then the added ones."""
    settings = context.config.reward_models
    plans = {plan.reward_model_id: plan for plan in sorted(settings.plans, key=lambda plan: plan.trainable_layers)}
    added = {entry.name: entry for entry in settings.added}
    missing = [name for name in (*plans, *added) if not context.run.has_part("reward_model", STAGE, name)]
    batches = text_batches(context.run) if plans.keys() & set(missing) else []
    texts = [text for batch in batches for text in batch]
    numbers = {text: number for number, text in enumerate(texts)}

    @cache
    def files() -> list[Path]:
        found = [feature_file(context.run, unit) for unit in range(len(batches))]
        for file in filter(Path.exists, found):  # all layers are trained without them
            context.run.check(file, str(file.relative_to(context.run.path)), "stages/features.json")
        return found

    @lru_cache(maxsize=1)  # the features of one depth at a time are held
    def learner(layers: int) -> Learn:
        return learning(context, layers, texts, files())

    def make(name: str) -> None:
        if name in plans:
            _train_one(context, plans[name], numbers, learner(plans[name].trainable_layers))
        else:
            _add_one(context, added[name])
        context.progress.advance()

    return Parts(len(settings.ids), "reward models", dict.fromkeys(missing, 1), make)


def _add_one(context: Context, added: AddedRewardModel) -> None:
    pairs = context.run.read("preference").filter(split="validation")
    sides = [list(pairs.select("prompt", side).iter_rows()) for side in ("chosen", "rejected")]
    texts = sorted({*sides[0], *sides[1]})
    scores = dict(zip(texts, context.added(added.name).score(texts), strict=True))
    chosen, rejected = (np.array([scores[text] for text in side], dtype=np.float32) for side in sides)
    accuracy = float(np.mean((chosen > rejected) + 0.5 * (chosen == rejected)))
    row = {
        "reward_model_id": added.name,
        "kind": added.kind,
        "flip_rate": None,
        "length_bias": None,
        "base_model": added.origin,
        "trainable_layers": None,
        "seed": None,
        "train_pairs": None,
        "validation_accuracy": accuracy,
        "weights": None,
    }
    context.run.write_part("reward_model", STAGE, added.name, pl.DataFrame([row]))
    context.progress.say(f"{added.name}: validation accuracy {accuracy:.3f} on {pairs.height} pairs")


def _train_one(context: Context, plan: RewardModelPlan, numbers: Mapping[Text, int], learn: Learn) -> None:
    name, settings = plan.reward_model_id, context.config.reward_models
    seed = context.seed(STAGE, name)
    pairs = context.run.read("preference")
    labels = labels_of(plan, pairs.filter(split="train"), partial(context.rng, STAGE))
    train_pairs = _text_numbers(labels, numbers)
    labelled = np.where(labels["flipped"].to_numpy()[:, None], train_pairs[:, ::-1], train_pairs)
    validation_pairs = _text_numbers(pairs.filter(split="validation"), numbers)
    changed = settings.model_copy(update={"learning_rate": plan.learning_rate, "epochs": plan.epochs})
    learnt = learn(Lesson(plan, changed, seed, labelled, validation_pairs))
    weights = context.run.work_path(STAGE, name)
    context.run.write_summed(weights, partial(_into_new, learnt.save))
    rows = labels.select(pl.lit(name).alias("reward_model_id"), "preference_id", "flipped")
    context.run.write_part("label", STAGE, name, rows)
    points = [{"model_id": name, **point} for point in learnt.curve]
    context.run.write_part("training_curve", STAGE, name, pl.DataFrame(points))
    accuracy = next(point["value"] for point in reversed(learnt.curve) if point["metric"] == "validation_accuracy")
    row = {
        "reward_model_id": name,
        "kind": plan.kind,
        "flip_rate": plan.flip_rate,
        "length_bias": plan.length_bias,
        "base_model": context.config.policy.model,
        "trainable_layers": plan.trainable_layers,
        "seed": seed,
        "train_pairs": len(labelled),
        "validation_accuracy": accuracy,
        "weights": str(weights.relative_to(context.run.path)),
    }
    context.run.write_part("reward_model", STAGE, name, pl.DataFrame([row]))
    context.progress.say(f"{name}: validation accuracy {accuracy:.3f} on {len(validation_pairs)} pairs")


def labels_of(plan: RewardModelPlan, pairs: pl.DataFrame, rng: Callable[..., Generator]) -> pl.DataFrame:
    """The training pairs that a reward model sees, with column `flipped`: chosen and rejected are swapped for it.

    `rng(*names)` gives the random numbers of one purpose. Those of the choice of pairs are the same for every reward
    model, so that a smaller training set is part of a larger one. Lengths are in characters; equal ones change nothing.
    """
    if plan.train_share < 1.0:
        kept = rng("size").permutation(pairs.height)[: max(1, round(plan.train_share * pairs.height))]
        pairs = pairs[np.sort(kept)]
    flipped = some_of(pairs.height, plan.flip_rate, rng(plan.reward_model_id, "flips"))
    chosen, rejected = (pairs[side].str.len_chars().to_numpy() for side in ("chosen", "rejected"))
    by_length = some_of(pairs.height, plan.length_bias, rng(plan.reward_model_id, "length")) & (chosen != rejected)
    return pairs.with_columns(flipped=np.where(by_length, rejected > chosen, flipped))


def some_of(pairs: int, share: float, rng: Generator) -> NDArray[np.bool_]:
    """Which pairs to change: the nearest whole number to `share · pairs` of them, drawn without replacement."""
    chosen = np.zeros(pairs, dtype=bool)
    chosen[rng.permutation(pairs)[: round(share * pairs)]] = True
    return chosen


def _text_numbers(pairs: pl.DataFrame, numbers: Mapping[Text, int]) -> NDArray[np.int64]:
    """Numbers of the chosen and rejected texts, `[pairs, 2]`."""
    sides = [[numbers[text] for text in pairs.select("prompt", side).iter_rows()] for side in ("chosen", "rejected")]
    return np.array(sides, dtype=np.int64).T


def _into_new(save: Callable[[Path], object], folder: Path) -> None:
    folder.mkdir()
    save(folder)
