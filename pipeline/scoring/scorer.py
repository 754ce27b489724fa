"""Scoring (prompt, response) texts with all reward models of a run: the one place where it is done.

The text is scored, not the tokens that were sampled: so a score can be had again from the text and the saved weights.

Reward models that share the trunk, and servers, score a text together. One that has a whole model's weights, trained in
all layers or made elsewhere, does so by itself: no more than one of those is in memory (`Context.hold`), so all texts
of a stage come before the next. In a run that extends another one, what was taken over lacks the added reward models.
Table `score` has therefore several parts of a unit of texts, each with what some reward models gave to it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from pipeline.config import ALL_LAYERS, RewardModelSettings
from pipeline.context import Context
from pipeline.scoring import texts

if TYPE_CHECKING:
    from pipeline.models.reward_model import Judge, RewardModel


class Scorer:
    """Reward models of a run, trained or added. Each is loaded when it is first asked.

    All but `ids`, `groups` and `only` raise ModelUnavailable if the weights of one are gone, DamagedRun if they are not
    as they were written.
    """

    def __init__(self, context: Context) -> None:
        there = context.run.read("reward_model").sort("reward_model_id")
        trained = there.drop_nulls("weights")
        self._context = context
        self._layers = dict(trained.select("reward_model_id", "trainable_layers").iter_rows())
        self._weights = dict(trained.select("reward_model_id", "weights").iter_rows())
        self._added = there.filter(pl.col("weights").is_null())["reward_model_id"].to_list()
        self._kept: dict[str, RewardModel] = {}
        self._checked: set[str] = set()

    @property
    def ids(self) -> list[str]:
        """Ids of the reward models, sorted."""
        return sorted([*self._layers, *self._added])

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Those that score together."""
        return groups(self._context.config.reward_models, self.ids)

    def reward_model(self, reward_model_id: str) -> RewardModel:
        """One of the trained ones, by its id."""
        load = partial(self._load, reward_model_id)
        if self._layers[reward_model_id] == ALL_LAYERS:
            return self._context.hold(reward_model_id, load)
        if reward_model_id not in self._kept:
            self._kept[reward_model_id] = load()
        return self._kept[reward_model_id]

    def judges(self, layers: int) -> dict[str, Judge]:
        """The trained ones as judges of what leaves the trunk below the top `layers` blocks, or a deeper one's own.

        All of them are in memory: ask a scorer of one group.
        """
        from pipeline.models.reward_model import Judge

        return {
            name: Judge(self._context.base_model, self.reward_model(name), self._below(name, layers))
            for name in self._layers
        }

    def deeper(self, layers: int) -> set[int]:
        """Depths of those whose trunk ends below the one that is below the top `layers` blocks."""
        return {self._below(name, layers) for name in self._layers} - {layers}

    def only(self, names: Collection[str]) -> Scorer:
        """A scorer of some of them alone, which it shares with this one; the scores are the same."""
        some = copy.copy(self)
        some._layers = {name: layers for name, layers in self._layers.items() if name in names}
        some._added = [name for name in self._added if name in names]
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

        The trunk reads each text once for all reward models that share it, whatever their depths. The same texts give
        the same scores; among other texts, in other batches, they differ by the rounding of bfloat16.
        """
        batches = texts.batches(wanted)
        keys = [text for batch in batches for text in batch]
        found = pl.DataFrame(keys, schema={"prompt": pl.String, "text": pl.String}, orient="row")
        for group in self.groups:
            some = self.only(group)
            none = pl.DataFrame(schema=dict.fromkeys(group, pl.Float32))
            found = found.hstack(pl.concat([none, *(some._score_batch(batch).select(group) for batch in batches)]))
        return found.select("prompt", "text", *self.ids)

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
        """Top blocks above the trunk whose outputs one judges, of a policy that trains the top `layers` blocks."""
        from pipeline.models.trunk import shared_layers

        return shared_layers(self._context.base_model, layers, self._layers[name])


def groups(settings: RewardModelSettings, names: Collection[str]) -> list[tuple[str, ...]]:
    """Reward models that score a text together, of those named: first all that share the trunk, then each other one."""
    alone = sorted(_alone(settings).intersection(names))
    together = tuple(sorted(set(names).difference(alone)))
    return [*([together] if together else []), *((name,) for name in alone)]


def parts_of(context: Context, stage: str, unit: int | str) -> tuple[list[str], str]:
    """Names of the parts of table `score` with what those that share the trunk gave to a unit; the next one's name."""
    there: list[str] = []
    first = following = _first(unit)
    while context.run.has_part("score", stage, following):
        there.append(following)
        following = f"{first}-{len(there)}"
    return there, following


def part_of(context: Context, stage: str, unit: int | str, group: Collection[str]) -> str:
    """The part of table `score` that a group's scores of a unit go to."""
    if _alone(context.config.reward_models).issuperset(group):
        (name,) = group
        return f"{_first(unit)}+{name}"
    return parts_of(context, stage, unit)[1]


def unscored(context: Context, stage: str, unit: int | str) -> list[tuple[str, ...]]:
    """Groups of the run's reward models whose scores of a unit's texts are not there yet."""
    run, settings = context.run, context.config.reward_models
    there, _ = parts_of(context, stage, unit)
    scored = {name for name in _alone(settings) if run.has_part("score", stage, f"{_first(unit)}+{name}")}
    scored.update(*(run.read_part("score", stage, name)["reward_model_id"] for name in there))
    return groups(settings, set(settings.ids) - scored)


def _alone(settings: RewardModelSettings) -> set[str]:
    """Those that have all weights of a model."""
    whole = {plan.reward_model_id for plan in settings.plans if plan.trainable_layers == ALL_LAYERS}
    return whole | {added.name for added in settings.added if added.model is not None}


def _first(unit: int | str) -> str:
    return f"{unit:05d}" if isinstance(unit, int) else unit


def _texts(responses: pl.DataFrame) -> Iterable[texts.Text]:
    return responses.select("prompt", "text").iter_rows()
