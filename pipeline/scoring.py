"""Scoring (prompt, response) texts with all reward models of a run: the one place where it is done.

The text is scored, not the tokens that were sampled: so a score can be had again from the text and the saved weights.

A part of table `score` holds what all reward models of the run gave to a unit of texts; in a run that extends another
one, what was taken over lacks the added reward models, and theirs are in a part of their own beside it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import polars as pl

from pipeline import texts
from pipeline.context import Context
from pipeline.runs import RunDirectory

if TYPE_CHECKING:
    from pipeline.models.judge import Judge
    from pipeline.models.reward_model import RewardModel


class Scorer:
    """Reward models of a run, trained or added, all or those named, loaded once.

    Raises ModelUnavailable if the weights of one are gone, DamagedRun if they are not as they were written.
    """

    def __init__(self, context: Context, names: Collection[str] | None = None) -> None:
        from pipeline.models.reward_model import load_reward_model

        run = context.run
        there = run.read("reward_model").sort("reward_model_id").select("reward_model_id", "weights")
        saved = there.drop_nulls("weights")
        added = there.filter(pl.col("weights").is_null())["reward_model_id"]
        self._language_model = context.base_model
        self._models = {}
        for name, weights in saved.iter_rows():
            if names is None or name in names:
                remade = (f"reward_model/reward_models-{name}.parquet", "stages/reward_models.json")
                run.check(run.path / weights, *remade, "stages/features.json")
                self._models[name] = load_reward_model(run.path / weights, self._language_model)
        self._added = {name: context.added(name) for name in added if names is None or name in names}

    @property
    def ids(self) -> list[str]:
        """Ids of the reward models, sorted."""
        return sorted([*self._models, *self._added])

    def reward_model(self, reward_model_id: str) -> RewardModel:
        """One of the trained ones, by its id."""
        return self._models[reward_model_id]

    def judges(self, layers: int) -> dict[str, Judge]:
        """The trained ones as judges of what leaves the trunk below the top `layers` blocks, or a deeper one's own."""
        from pipeline.models.judge import Judge
        from pipeline.models.trunk import shared_layers

        return {
            name: Judge(
                self._language_model, model, shared_layers(self._language_model, layers, model.trainable_layers)
            )
            for name, model in self._models.items()
        }

    def deeper(self, layers: int) -> set[int]:
        """Depths of those whose trunk ends below the one that is below the top `layers` blocks."""
        return {judge.layers for judge in self.judges(layers).values()} - {layers}

    def only(self, names: Collection[str]) -> Scorer:
        """A scorer of some of them alone, which it shares with this one; the scores are the same."""
        some = copy.copy(self)
        some._models = {name: model for name, model in self._models.items() if name in names}
        some._added = {name: model for name, model in self._added.items() if name in names}
        return some

    def rows(self, responses: pl.DataFrame, wanted: Iterable[texts.Text] | None = None) -> pl.DataFrame:
        """Rows of table `score`, sorted, for responses with columns `response_id, prompt, text`.

        Of all of them, or of those whose text is wanted.
        """
        scored = self.score(_texts(responses) if wanted is None else wanted)
        return (
            responses.join(scored, on=["prompt", "text"])
            .unpivot(self.ids, index="response_id", variable_name="reward_model_id", value_name="score")
            .sort("reward_model_id", "response_id")
        )

    def score(self, wanted: Iterable[texts.Text]) -> pl.DataFrame:
        """Scores of the distinct texts: columns `prompt`, `text` (the response) and a float32 one per reward model.

        The trunk reads each text once for all reward models, whatever their depths. The same texts give the same
        scores; among other texts, in other batches, they differ by the rounding of bfloat16.
        """
        scored = [self._score_batch(batch) for batch in texts.batches(wanted)]
        if not scored:
            keys = {"prompt": pl.String, "text": pl.String}
            return pl.DataFrame(schema=keys | dict.fromkeys(self.ids, pl.Float32))
        return pl.concat(scored)

    def _score_batch(self, batch: list[texts.Text]) -> pl.DataFrame:
        from pipeline.models.trunk import trunk_features

        scores = {name: model.score(batch) for name, model in self._added.items()}
        if self._models:
            depths = sorted({model.trainable_layers for model in self._models.values()})
            features = trunk_features(self._language_model, depths, batch)
            scores |= {name: model.score(features[model.trainable_layers]) for name, model in self._models.items()}
        return pl.DataFrame(batch, schema=["prompt", "text"], orient="row").with_columns(
            pl.Series(name, values) for name, values in scores.items()
        )


def parts_of(run: RunDirectory, stage: str, unit: int | str) -> tuple[list[str], str]:
    """Names of the parts of table `score` that hold a unit's rows, and the name that the next one has."""
    first = f"{unit:05d}" if isinstance(unit, int) else unit
    there, following = [], first
    while run.has_part("score", stage, following):
        there.append(following)
        following = f"{first}-{len(there)}"
    return there, following


def unscored(context: Context, stage: str, unit: int | str) -> set[str]:
    """Reward models of the run whose scores of a unit's texts are not there yet."""
    there, _ = parts_of(context.run, stage, unit)
    scored = [set(context.run.read_part("score", stage, name)["reward_model_id"]) for name in there]
    return set(context.config.reward_models.ids).difference(*scored)


def _texts(responses: pl.DataFrame) -> Iterable[texts.Text]:
    return responses.select("prompt", "text").iter_rows()
