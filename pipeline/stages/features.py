"""Stage 4: the frozen trunk reads every distinct text of the preference pairs once, for all reward models together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl

from pipeline import texts
from pipeline.context import Context, Work
from pipeline.runs import RunDirectory

STAGE = "features"


def run(context: Context) -> Work:
    from pipeline.models.trunk import save_features, trunk_features

    planned = text_batches(context.run)
    missing = [unit for unit in range(len(planned)) if not feature_file(context.run, unit).exists()]
    total = sum(len(batch) for batch in planned)
    context.progress.plan(total, "texts", total - sum(len(planned[unit]) for unit in missing))
    for unit in missing:
        features = trunk_features(context.base_model, context.config.reward_models.depths, planned[unit])
        path = feature_file(context.run, unit)
        context.run.write_atomically(path, partial(save_features, features))
        context.progress.advance(len(planned[unit]))
    return Work(total, "texts")


def text_batches(run: RunDirectory) -> list[list[texts.Text]]:
    """The texts of all pairs, in the batches whose features have a file each."""
    pairs = run.read("preference")
    both = pl.concat([pairs.select("prompt", pl.col(side).alias("response")) for side in ("chosen", "rejected")])
    return texts.batches(both.iter_rows())


def feature_file(run: RunDirectory, unit: int) -> Path:
    return run.work("features", f"{unit:05d}.safetensors")
