"""Stage 4: the frozen trunk reads every distinct text of the preference pairs once, for all reward models together.

For those that are not trained yet: in a run that extends another one, features are there already, or nobody needs them.
Those that train all layers read the texts themselves, again and again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline import texts
from pipeline.config import ALL_LAYERS
from pipeline.context import Context, Work
from pipeline.runs import RunDirectory

STAGE = "features"


def run(context: Context) -> Work:
    from pipeline.models.trunk import depths_in, save_features, trunk_features

    untrained = [
        plan
        for plan in context.config.reward_models.plans
        if not context.run.has_part("reward_model", "reward_models", plan.reward_model_id)
    ]
    depths = {plan.trainable_layers for plan in untrained} - {ALL_LAYERS}
    planned = text_batches(context.run)
    missing = [unit for unit in range(len(planned)) if depths - depths_in(feature_file(context.run, unit))]
    total = sum(len(batch) for batch in planned)
    context.progress.plan(total, "texts", total - sum(len(planned[unit]) for unit in missing))
    for unit in missing:
        features = trunk_features(context.base_model, depths, planned[unit])
        path = feature_file(context.run, unit)
        context.run.write_summed(path, partial(save_features, features))
        context.progress.advance(len(planned[unit]))
    return Work(total, "texts")


def text_batches(run: RunDirectory) -> list[list[texts.Text]]:
    """The texts of all pairs, in the batches whose features have a file each."""
    return texts.batches(texts.of_pairs(run.read("preference")))


def feature_file(run: RunDirectory, unit: int) -> Path:
    return run.work("features", f"{unit:05d}.safetensors")
