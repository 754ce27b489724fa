"""Stage 5: M reward models are trained on the same pairs, each with its own label noise or choice of pairs.

A part is one reward model: its weights, its labels, its curve, and last its row of table `reward_model`. They train on
the stored outputs of the trunk or, with all layers, on the texts, in one process, in several, or by OpenRLHF. Added
reward models, trained elsewhere, only score the validation pairs and get a row. Ensembles are computed last, in the
run's own process, from the heads of their members: engines make parts in any order.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.backends.openrlhf.reward_models import train_reward_model
from pipeline.config import ALL_LAYERS, AddedRewardModel, RewardModelPlan, RewardModelSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.errors import InvalidConfig, TrainingFailed
from pipeline.machine import note_beside
from pipeline.scoring.added import opened, settings_of
from pipeline.scoring.texts import Text
from pipeline.stages.features import feature_file, text_batches

if TYPE_CHECKING:
    from pipeline.models.trunk import Features, Tokens

STAGE = "reward_models"
_TRIED_TEXTS = 100


def run(context: Context) -> StageResult:
    result = context.make(parts)
    _make_ensembles(context)
    return result


def parts(context: Context) -> Parts:
    """One part per reward model: those that are trained, in the order of their depths, then the added ones.

    Ensembles are no parts, and count as done: they take no time.
    """
    settings = context.config.reward_models
    trained = [plan for plan in settings.plans if not plan.members]
    plans = {plan.reward_model_id: plan for plan in sorted(trained, key=lambda plan: plan.trainable_layers)}
    added = {entry.name: entry for entry in settings.added}
    missing = [name for name in (*plans, *added) if not context.run.has_part("reward_model", STAGE, name)]
    batches = text_batches(context.run) if plans.keys() & set(missing) else []
    numbers = _numbers(batches)

    @lru_cache(maxsize=1)  # holds the features of one depth at a time
    def trainer(layers: int) -> Trainer:
        if settings.engine == "openrlhf":
            return partial(_train_by_openrlhf, context, list(numbers))
        if layers == ALL_LAYERS and settings.processes > 1:
            return partial(_train_in_processes, context, list(numbers))
        return partial(_train_here, context, _trunk_outputs(context, layers, list(numbers), len(batches)))

    def make(name: str) -> None:
        if name in plans:
            _train_one(context, plans[name], numbers, trainer(plans[name].trainable_layers))
        else:
            _add_one(context, added[name])
        context.progress.advance()

    return Parts(len(settings.ids), "reward models", dict.fromkeys(missing, 1), make)


@dataclass(frozen=True)
class Task:
    """How to train one reward model; pairs are text numbers `[pairs, 2]`, flipped only for training."""

    plan: RewardModelPlan
    settings: RewardModelSettings
    seed: int
    train_pairs: NDArray[np.int64]
    validation_pairs: NDArray[np.int64]


@dataclass(frozen=True)
class Trained:
    """A trained reward model: `save` writes its files into a folder; the points of its curve.

    `score` gives its scores of all texts, `[texts]`; None if it was trained in other processes.
    """

    save: Callable[[Path], object]
    curve: Sequence[Mapping[str, Any]]
    score: Callable[[], NDArray[np.float32]] | None = None


Trainer = Callable[[Task], Trained]


def _trunk_outputs(context: Context, layers: int, texts: Sequence[Text], batches: int) -> Features | Tokens:
    """What reward models with `trainable_layers = layers` train on: stored features or, for all layers, the texts."""
    from pipeline.models.trunk import Tokens

    if layers == ALL_LAYERS:
        return Tokens(context.base_model, layers, texts, context.config.reward_models.texts_at_once)
    return _stored_features(context, layers, batches)


def _stored_features(context: Context, layers: int, batches: int) -> Features:
    from pipeline.models.trunk import load_features

    files = [feature_file(context.run, unit) for unit in range(batches)]
    for file in files:
        context.run.check(file, str(file.relative_to(context.run.path)), "stages/features.json")
    return load_features(files, layers)


def _train_here(context: Context, features: Features | Tokens, task: Task) -> Trained:
    from pipeline.models.reward_model import RewardModel
    from pipeline.models.training import train

    reward_model = RewardModel(context.base_model, task.plan.trainable_layers)
    curve = train(reward_model, features, task.train_pairs, task.validation_pairs, task.settings, seed=task.seed)
    return Trained(reward_model.save, [asdict(point) for point in curve], partial(reward_model.score, features))


def _train_in_processes(context: Context, texts: Sequence[Text], task: Task) -> Trained:
    from pipeline.models.training_processes import Job, train_in_processes

    name, config = task.plan.reward_model_id, context.config
    folder = context.run.work_path(STAGE, f".partial-training-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = Job(config.policy.model, task.seed, config.threads, task.settings)
    try:
        trained = train_in_processes(folder, job, texts, task.train_pairs, task.validation_pairs)
    except TrainingFailed as failed:
        raise TrainingFailed(f"{name}: {failed}; `righttree resume {context.run.run_id}` trains it again") from failed
    note_beside(trained.peak_bytes)

    def save(draft: Path) -> None:
        for path in trained.weights.iterdir():
            path.rename(draft / path.name)
        shutil.rmtree(folder)

    return Trained(save, trained.curve)


def _train_by_openrlhf(context: Context, texts: Sequence[Text], task: Task) -> Trained:
    from pipeline.models.reward_model import RewardModel
    from pipeline.models.sequence_classification import save as save_classifier

    name, policy = task.plan.reward_model_id, context.base_model
    folder, log = context.run.work_path(STAGE, f".{name}"), context.run.work_path(STAGE, f"{name}.log")
    shutil.rmtree(folder, ignore_errors=True)
    base = folder / "base"
    base.mkdir(parents=True)
    save_classifier(policy, RewardModel(policy, 0), base, "bfloat16", texts[:_TRIED_TEXTS])
    tokens = max(len(policy.prompt_ids(prompt)) + len(policy.response_ids(response)) for prompt, response in texts)
    context.release()
    context.progress.say(f"{name}: OpenRLHF trains it; its log is {log}")
    train, validation = (
        [(texts[a], texts[b]) for a, b in pairs] for pairs in (task.train_pairs, task.validation_pairs)
    )
    try:
        trained = train_reward_model(
            task.settings,
            base,
            folder,
            log,
            pairs=train,
            validation_pairs=validation,
            longest_tokens=tokens,
            seed=task.seed,
        )
    except TrainingFailed as failed:
        raise TrainingFailed(f"{name}: {failed}; `righttree resume {context.run.run_id}` trains it again") from failed
    reader = opened(settings_of(model=str(trained), name=name, dtype="float32"))
    chosen, rejected = (reader.score([pair[side] for pair in validation]) for side in (0, 1))
    steps = task.settings.epochs * (len(train) // task.settings.batch_pairs)
    point = {"metric": "validation_accuracy", "step": steps, "value": _accuracy(chosen, rejected)}

    def save(draft: Path) -> None:
        for path in trained.iterdir():
            path.rename(draft / path.name)
        shutil.rmtree(folder)

    return Trained(save, [point])


def _train_one(context: Context, plan: RewardModelPlan, numbers: Mapping[Text, int], trainer: Trainer) -> None:
    run, name = context.run, plan.reward_model_id
    seed = context.seed(STAGE, name)
    pairs = run.read("preference")
    validation_pairs = _text_numbers(pairs.filter(split="validation"), numbers)
    own = {"learning_rate": plan.learning_rate, "epochs": plan.epochs}
    settings = context.config.reward_models.model_copy(update=own)

    def train(pairs_N2: NDArray[np.int64], seed: int) -> Trained:
        return trainer(Task(plan, settings, seed, pairs_N2, validation_pairs))

    margins_N = None
    if plan.kind == "margin-flip":
        unflipped_N2 = _text_numbers(pairs.filter(split="train"), numbers)
        scores = _scores_of(train(unflipped_N2, context.seed(STAGE, "margins")))
        margins_N = np.abs(scores[unflipped_N2[:, 0]] - scores[unflipped_N2[:, 1]])
    labels = labels_of(plan, pairs.filter(split="train"), partial(context.rng, STAGE), margins_N)
    train_pairs = _text_numbers(labels, numbers)
    labelled = np.where(labels["flipped"].to_numpy()[:, None], train_pairs[:, ::-1], train_pairs)
    trained = train(labelled, seed)
    weights = _save(context, name, trained.save)
    run.write_part("label", STAGE, name, labels.select("preference_id", "flipped", reward_model_id=pl.lit(name)))
    run.write_rows("training_curve", STAGE, name, [{"model_id": name, **point} for point in trained.curve])
    accuracy = next(point["value"] for point in reversed(trained.curve) if point["metric"] == "validation_accuracy")
    row = {
        "reward_model_id": name,
        "kind": plan.kind,
        "flip_rate": float(labels["flipped"].to_numpy().mean()) if plan.flipped_category else plan.flip_rate,
        "length_bias": plan.length_bias,
        "base_model": context.config.policy.model,
        "trainable_layers": plan.trainable_layers,
        "seed": seed,
        "train_pairs": len(labelled),
        "validation_accuracy": accuracy,
        "weights": weights,
    }
    run.write_rows("reward_model", STAGE, name, [row])
    context.progress.say(f"{name}: validation accuracy {accuracy:.3f} on {len(validation_pairs)} pairs")


def _scores_of(trained: Trained) -> NDArray[np.float32]:
    """Scores of all texts, `[texts]`, by a model that was trained in this process."""
    if trained.score is None:
        raise TrainingFailed("a reward model trained by several processes cannot rank pairs for a margin-flip")
    return trained.score()


def _save(context: Context, name: str, save: Callable[[Path], object]) -> str:
    """Write the files of a reward model; returns its folder, relative to the run's."""
    weights = context.run.work_path(STAGE, name)

    def write(folder: Path) -> None:
        folder.mkdir()
        save(folder)

    context.run.write_summed(weights, write)
    return str(weights.relative_to(context.run.path))


def _make_ensembles(context: Context) -> None:
    """Compute the ensembles that are missing, from the stored heads of their members."""
    run = context.run
    plans = [
        plan
        for plan in context.config.reward_models.plans
        if plan.members and not run.has_part("reward_model", STAGE, plan.reward_model_id)
    ]
    if not plans:
        return
    from pipeline.models.reward_model import load_reward_model, mean_head

    batches = text_batches(run)
    numbers = _numbers(batches)
    features = _stored_features(context, 0, len(batches))
    validation_pairs = _text_numbers(run.read("preference").filter(split="validation"), numbers)
    for plan in plans:
        name = plan.reward_model_id
        members = []
        for member in plan.members:
            folder = run.work_path(STAGE, member)
            run.check(folder, f"reward_model/{STAGE}-{member}.parquet", f"stages/{STAGE}.json")
            members.append(load_reward_model(folder, context.base_model))
        ensemble = mean_head(context.base_model, members, features, np.unique(validation_pairs))
        accuracy = _accuracy(*ensemble.score(features)[validation_pairs].T)
        weights = _save(context, name, ensemble.save)
        point = {"model_id": name, "metric": "validation_accuracy", "step": 0, "value": accuracy}
        run.write_rows("training_curve", STAGE, name, [point])
        row = {
            "reward_model_id": name,
            "kind": plan.kind,
            "base_model": f"mean of {', '.join(plan.members)}",
            "trainable_layers": 0,
            "validation_accuracy": accuracy,
            "weights": weights,
        }
        run.write_rows("reward_model", STAGE, name, [row])
        context.progress.say(f"{name}: validation accuracy {accuracy:.3f} on {len(validation_pairs)} pairs")


def _add_one(context: Context, added: AddedRewardModel) -> None:
    pairs = context.run.read("preference").filter(split="validation")
    sides = [list(pairs.select("prompt", side).iter_rows()) for side in ("chosen", "rejected")]
    texts = sorted({*sides[0], *sides[1]})
    scores = dict(zip(texts, context.added(added.name).score(texts), strict=True))
    chosen, rejected = (np.array([scores[text] for text in side], dtype=np.float32) for side in sides)
    accuracy = _accuracy(chosen, rejected)
    row = {
        "reward_model_id": added.name,
        "kind": added.kind,
        "base_model": added.origin,
        "validation_accuracy": accuracy,
    }
    context.run.write_rows("reward_model", STAGE, added.name, [row])
    context.progress.say(f"{added.name}: validation accuracy {accuracy:.3f} on {pairs.height} pairs")


def _accuracy(chosen: NDArray[np.float32], rejected: NDArray[np.float32]) -> float:
    """Share of pairs whose chosen text has the higher score `[pairs]`; a tie counts half."""
    return float(np.mean((chosen > rejected) + 0.5 * (chosen == rejected)))


def labels_of(
    plan: RewardModelPlan,
    pairs: pl.DataFrame,
    rng: Callable[..., Generator],
    margins_N: NDArray[np.float32] | None = None,
) -> pl.DataFrame:
    """The training pairs of a reward model, with column `flipped`: chosen and rejected are swapped for it.

    `rng(*names)` gives the random numbers of one purpose. All reward models share those of the choice of pairs, so that
    a smaller training set is part of a larger one. Lengths are in characters; equal lengths change nothing.
    `margins_N`, only for a margin-flip, are the absolute differences of the pairs' scores `[pairs]`: the smallest are
    flipped. Raises InvalidConfig if no pair has the category that the plan names.
    """
    if margins_N is not None:
        flipped = np.zeros(pairs.height, dtype=bool)
        flipped[np.argsort(margins_N, kind="stable")[: round(plan.flip_rate * pairs.height)]] = True
        return pairs.with_columns(flipped=flipped)
    if plan.flipped_category is not None:
        ours = np.flatnonzero(_of_category(pairs, plan.flipped_category, plan).to_numpy())
        flipped = np.zeros(pairs.height, dtype=bool)
        flipped[ours] = some_of(len(ours), plan.flip_rate, rng(plan.reward_model_id, "flips"))
        return pairs.with_columns(flipped=flipped)
    if plan.only_category is not None:
        pairs = pairs.filter(_of_category(pairs, plan.only_category, plan))
    if plan.train_share < 1.0:
        chosen_pairs = rng("size").permutation(pairs.height)[: max(1, round(plan.train_share * pairs.height))]
        pairs = pairs[np.sort(chosen_pairs)]
    flipped = some_of(pairs.height, plan.flip_rate, rng(plan.reward_model_id, "flips"))
    chosen, rejected = (pairs[side].str.len_chars().to_numpy() for side in ("chosen", "rejected"))
    by_length = some_of(pairs.height, plan.length_bias, rng(plan.reward_model_id, "length")) & (chosen != rejected)
    return pairs.with_columns(flipped=np.where(by_length, rejected > chosen, flipped))


def _of_category(pairs: pl.DataFrame, category: str, plan: RewardModelPlan) -> pl.Series:
    """Which pairs have the category."""
    ours = (pairs["category"] == category).fill_null(False)
    if not ours.any():
        known = pairs["category"].drop_nulls().unique().sort().to_list()
        raise InvalidConfig(
            f"reward_models.others: {plan.reward_model_id} is about category {category!r}, of which no pair is to be "
            f"trained on; there are pairs of {known}"
        )
    return ours


def some_of(pairs: int, share: float, rng: Generator) -> NDArray[np.bool_]:
    """Which pairs to change, `[pairs]`: the nearest whole number to `share · pairs`, drawn without replacement."""
    chosen = np.zeros(pairs, dtype=bool)
    chosen[rng.permutation(pairs)[: round(share * pairs)]] = True
    return chosen


def _numbers(batches: Sequence[Sequence[Text]]) -> dict[Text, int]:
    """The number of each text in the features, which are of distinct texts, batch after batch."""
    return {text: number for number, text in enumerate(chain.from_iterable(batches))}


def _text_numbers(pairs: pl.DataFrame, numbers: Mapping[Text, int]) -> NDArray[np.int64]:
    """Numbers of the chosen and rejected texts, `[pairs, 2]`."""
    sides = [[numbers[text] for text in pairs.select("prompt", side).iter_rows()] for side in ("chosen", "rejected")]
    return np.array(sides, dtype=np.int64).T
