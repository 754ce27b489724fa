"""Stage 4: the frozen trunk reads every distinct text of the preference pairs once, for all reward models together.

For those that are not trained yet: in a run that extends another one, features are there already, or nobody needs them.
Those that train all layers read the texts themselves, again and again.
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
    """A batch of texts each."""
    untrained = [
        plan
        for plan in context.config.reward_models.plans
        if not context.run.has_part("reward_model", "reward_models", plan.reward_model_id)
    ]
    depths = {plan.trainable_layers for plan in untrained} - {ALL_LAYERS}
    planned = text_batches(context.run)
    missing = {unit: len(batch) for unit, batch in enumerate(planned) if depths - _depths(context.run, unit)}

    def make(unit: int) -> None:
        from pipeline.models.trunk import save_features, trunk_features

        features = trunk_features(context.base_model, depths, planned[unit])
        context.run.write_summed(feature_file(context.run, unit), partial(save_features, features))
        context.progress.advance(len(planned[unit]))

    return Parts(sum(len(batch) for batch in planned), "texts", missing, make)


def _depths(run: RunDirectory, unit: int) -> set[int]:
    """Those that a file of features has."""
    path = feature_file(run, unit)
    if not path.exists():
        return set()
    from pipeline.models.trunk import depths_in

    return depths_in(path)


def text_batches(run: RunDirectory) -> list[list[texts.Text]]:
    """The texts of all pairs, in the batches whose features have a file each."""
    return texts.batches(texts.of_pairs(run.read("preference")))


def feature_file(run: RunDirectory, unit: int) -> Path:
    return run.work_path("features", f"{unit:05d}.safetensors")
