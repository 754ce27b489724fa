"""The one place that scores (prompt, response) texts with the reward models of a run.

Scores are of the text, not of the sampled tokens, so they can be computed again from the text and the saved weights.

Reward models that share the trunk, and servers, score a text together, as a group. A reward model with a whole model's
weights (all layers trained, or added as a model) is a group of its own: only one of those is in memory at a time
(`Context.whole_model`), so it scores all texts of a stage before the next starts. So table `score` has several parts
for a unit of texts, one per group, and another one for reward models that an extended run adds.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable
from functools import partial
from itertools import chain, count, takewhile
from typing import TYPE_CHECKING

import polars as pl

from pipeline.config import ALL_LAYERS, RewardModelSettings
from pipeline.context import Context
from pipeline.scoring import texts

if TYPE_CHECKING:
    from pipeline.models.reward_model import Judge, RewardModel


class Scorer:
    """The reward models of a run, trained and added, each loaded on first use.

    What loads one raises ModelUnavailable if its weights are missing, DamagedRun if they were changed.
    """

    def __init__(self, context: Context) -> None:
        rows = context.run.read("reward_model").sort("reward_model_id")
        if context.config.reward_models.engine == "openrlhf":  # whole models, which score as added ones do
            rows = rows.with_columns(weights=pl.lit(None, dtype=pl.String))
        trained = rows.drop_nulls("weights")
        self._context = context
        self._layers = dict(trained.select("reward_model_id", "trainable_layers").iter_rows())
        self._weights = dict(trained.select("reward_model_id", "weights").iter_rows())
        self._added = rows.filter(pl.col("weights").is_null())["reward_model_id"].to_list()
        self._loaded: dict[str, RewardModel] = {}
        self._checked: set[str] = set()

    @property
    def ids(self) -> list[str]:
        """Ids of the reward models, sorted."""
        return sorted([*self._layers, *self._added])

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The ids of those that score a text together."""
        return groups(self._context.config.reward_models, self.ids)

    def reward_model(self, reward_model_id: str) -> RewardModel:
        """A trained reward model by its id."""
        load = partial(self._load, reward_model_id)
        if self._layers[reward_model_id] == ALL_LAYERS:
            return self._context.whole_model(reward_model_id, load)
        if reward_model_id not in self._loaded:
            self._loaded[reward_model_id] = load()
        return self._loaded[reward_model_id]

    def judges(self, layers: int) -> dict[str, Judge]:
        """The trained ones as judges of the outputs of the trunk below the top `layers` blocks, or of a deeper trunk.

        Loads all of them into memory: call it on a scorer of one group.
        """
        from pipeline.models.reward_model import Judge

        return {
            name: Judge(self._context.base_model, self.reward_model(name), self._below(name, layers))
            for name in self._layers
        }

    def deeper(self, layers: int) -> set[int]:
        """The deeper trunks, as numbers of top blocks, that some reward models need below the top `layers` blocks."""
        return {self._below(name, layers) for name in self._layers} - {layers}

    def only(self, names: Collection[str]) -> Scorer:
        """A scorer of some of the reward models, which it shares with this one; the scores are the same."""
        some = copy.copy(self)
        some._layers = {name: layers for name, layers in self._layers.items() if name in names}
        some._added = [name for name in self._added if name in names]
        return some

    def rows(self, responses: pl.DataFrame, only_texts: Iterable[texts.Text] | None = None) -> pl.DataFrame:
        """Rows of table `score`, sorted, for responses with columns `response_id, prompt, text`, all or some."""
        scored = self.score(responses.select("prompt", "text").iter_rows() if only_texts is None else only_texts)
        return (
            responses.join(scored, on=["prompt", "text"])
            .unpivot(self.ids, index="response_id", variable_name="reward_model_id", value_name="score")
            .sort("reward_model_id", "response_id")
        )

    def score(self, texts_to_score: Iterable[texts.Text]) -> pl.DataFrame:
        """Scores of the distinct texts: columns `prompt`, `text` (the response) and a float32 one per reward model.

        The trunk reads each text once for all reward models that share it, whatever their depths. The same texts give
        the same scores; among other texts, in other batches, scores differ by the rounding of bfloat16.
        """
        batches = texts.batches(texts_to_score)
        keys = [text for batch in batches for text in batch]
        scores = pl.DataFrame(keys, schema={"prompt": pl.String, "text": pl.String}, orient="row")
        for group in self.groups:
            some = self.only(group)
            empty = pl.DataFrame(schema=dict.fromkeys(group, pl.Float32))
            scores = scores.hstack(pl.concat([empty, *(some._score_batch(batch).select(group) for batch in batches)]))
        return scores.select("prompt", "text", *self.ids)

    def _score_batch(self, batch: list[texts.Text]) -> pl.DataFrame:
        from pipeline.models.trunk import trunk_features

        scores = {name: self._context.added(name).score(batch) for name in self._added}
        if self._layers:
            features = trunk_features(self._context.base_model, sorted(set(self._layers.values())), batch)
            scores |= {name: self.reward_model(name).score(features[layers]) for name, layers in self._layers.items()}
        return pl.DataFrame(scores)

    def _load(self, name: str) -> RewardModel:
        from pipeline.models.reward_model import load_reward_model

        run = self._context.run
        folder = run.path / self._weights[name]
        if name not in self._checked:
            remade = (f"reward_model/reward_models-{name}.parquet", "stages/reward_models.json")
            run.check(folder, *remade, "stages/features.json")
            self._checked.add(name)
        return load_reward_model(folder, self._context.base_model)

    def _below(self, name: str, layers: int) -> int:
        """Number of top blocks above the trunk that a reward model shares with a policy of `layers` blocks."""
        from pipeline.models.trunk import shared_layers

        return shared_layers(self._context.base_model, layers, self._layers[name])


def groups(settings: RewardModelSettings, names: Collection[str]) -> list[tuple[str, ...]]:
    """Which of these reward models score a text together: first all that share the trunk, then each other one."""
    single = sorted(_whole_models(settings).intersection(names))
    together = tuple(sorted(set(names).difference(single)))
    return [*([together] if together else []), *((name,) for name in single)]


def part_of(context: Context, stage: str, unit: int | str, group: Collection[str]) -> str:
    """The part of table `score` for a group's scores of a unit."""
    if _whole_models(context.config.reward_models).issuperset(group):
        (name,) = group
        return f"{_name(unit)}+{name}"
    earlier = len(_shared_parts(context, stage, unit))
    return f"{_name(unit)}-{earlier}" if earlier else _name(unit)


def unscored(context: Context, stage: str, unit: int | str) -> list[tuple[str, ...]]:
    """The groups of the run's reward models that have not scored the texts of a unit yet."""
    run, settings = context.run, context.config.reward_models
    scored = {name for name in _whole_models(settings) if run.has_part("score", stage, f"{_name(unit)}+{name}")}
    for part in _shared_parts(context, stage, unit):
        scored.update(run.read_part("score", stage, part)["reward_model_id"])
    return groups(settings, set(settings.ids) - scored)


def _shared_parts(context: Context, stage: str, unit: int | str) -> list[str]:
    """The parts of table `score` that hold a unit's scores by reward models that share the trunk, and by servers."""
    first = _name(unit)
    names = chain([first], (f"{first}-{number}" for number in count(1)))
    return list(takewhile(lambda name: context.run.has_part("score", stage, name), names))


def _whole_models(settings: RewardModelSettings) -> set[str]:
    """Reward models that have all weights of a model."""
    trained = {plan.reward_model_id for plan in settings.plans if plan.trainable_layers == ALL_LAYERS}
    return trained | {added.name for added in settings.added if added.model is not None}


def _name(unit: int | str) -> str:
    return f"{unit:05d}" if isinstance(unit, int) else unit
