"""How the reward models of a run are trained: on the trunk's features, on the texts, or by several processes.

The features serve those that train their head or top blocks. What trains all layers reads the texts at every step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ALL_LAYERS, RewardModelPlan, RewardModelSettings
from pipeline.context import Context
from pipeline.errors import TrainingFailed
from pipeline.machine import note_beside
from pipeline.scoring.texts import Text
from pipeline.stages import training_processes

if TYPE_CHECKING:
    from pipeline.models.trunk import Features, Tokens


@dataclass(frozen=True)
class Lesson:
    """What one reward model learns: pairs of text numbers `[pairs, 2]`, as labelled, and true ones to measure by."""

    plan: RewardModelPlan
    settings: RewardModelSettings
    seed: int
    train_pairs: NDArray[np.int64]
    validation_pairs: NDArray[np.int64]


@dataclass(frozen=True)
class Learnt:
    """A trained reward model: what writes its files into a folder, and its curve."""

    save: Callable[[Path], object]
    curve: Sequence[Mapping[str, Any]]


Learn = Callable[[Lesson], Learnt]


def learning(context: Context, layers: int, texts: Sequence[Text], files: Sequence[Path]) -> Learn:
    """What trains reward models with `trainable_layers = layers`; `files` hold the features of the texts."""
    settings = context.config.reward_models
    if layers == ALL_LAYERS and settings.processes > 1:
        return partial(_together, context, texts)
    from pipeline.models.trunk import Tokens, load_features

    if layers == ALL_LAYERS:
        return partial(_here, context, Tokens(context.base_model, layers, texts, settings.texts_at_once))
    return partial(_here, context, load_features(files, layers))


def _here(context: Context, features: Features | Tokens, lesson: Lesson) -> Learnt:
    from pipeline.models.reward_model import RewardModel
    from pipeline.models.training import train

    reward_model = RewardModel(context.base_model, lesson.plan.trainable_layers, lesson.seed)
    curve = train(reward_model, features, lesson.train_pairs, lesson.validation_pairs, lesson.settings, lesson.seed)
    return Learnt(reward_model.save, [asdict(point) for point in curve])


def _together(context: Context, texts: Sequence[Text], lesson: Lesson) -> Learnt:
    name = lesson.plan.reward_model_id
    folder = context.run.work_path("reward_models", f".partial-training-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = training_processes.Job(
        context.config.policy.model,
        lesson.seed,
        context.config.threads,
        lesson.settings,
    )
    try:
        made = training_processes.train(folder, job, texts, lesson.train_pairs, lesson.validation_pairs)
    except TrainingFailed as failed:
        raise TrainingFailed(f"{name}: {failed}; `righttree resume {context.run.run_id}` trains it anew") from failed
    note_beside(made.peak_bytes)

    def save(draft: Path) -> None:
        for path in made.weights.iterdir():
            path.rename(draft / path.name)
        shutil.rmtree(folder)

    return Learnt(save, made.curve)
