"""Stage 4: the frozen trunk reads every distinct text of the preference pairs once, for all reward models together.

Only for reward models that are not trained yet: a run that extends another one has the features, or does not need them.
Reward models that train all layers read the texts themselves at every step.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.config import ALL_LAYERS
from pipeline.context import Context, Parts, StageResult
from pipeline.runs import RunDirectory
from pipeline.scoring import texts

STAGE = "features"


def run(context: Context) -> StageResult:
    return context.make(parts)


def parts(context: Context) -> Parts:
    """One part per batch of texts."""
    untrained = [
        plan
        for plan in context.config.reward_models.plans
        if not context.run.has_part("reward_model", "reward_models", plan.reward_model_id)
    ]
    depths = {plan.trainable_layers for plan in untrained} - {ALL_LAYERS}
    batches = text_batches(context.run)

    def lacks_depths(unit: int) -> bool:
        path = feature_file(context.run, unit)
        if not path.exists():
            return bool(depths)
        from pipeline.models.trunk import depths_in

        return not depths <= depths_in(path)

    missing = {unit: len(batch) for unit, batch in enumerate(batches) if lacks_depths(unit)}

    def make(unit: int) -> None:
        from pipeline.models.trunk import save_features, trunk_features

        features = trunk_features(context.base_model, depths, batches[unit])
        context.run.write_summed(feature_file(context.run, unit), partial(save_features, features))
        context.progress.advance(len(batches[unit]))

    return Parts(sum(map(len, batches)), "texts", missing, make)


def text_batches(run: RunDirectory) -> list[list[texts.Text]]:
    """The texts of all pairs, in batches; each has a file of features."""
    return texts.batches(texts.of_pairs(run.read("preference")))


def feature_file(run: RunDirectory, unit: int) -> Path:
    return run.work_path("features", f"{unit:05d}.safetensors")
