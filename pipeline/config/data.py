"""Settings of the data: prompts, the preference pairs to train on, and the responses to test with."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.config.fields import Count, SettingsModel, Temperature
from warehouse.schema import CATEGORIES


class PromptSettings(SettingsModel):
    """How many prompts of each category serve which purpose. `files` are data sets whose prompts replace our own.

    With `at_most` a category that has fewer gives all it has; without, that is an error.
    """

    files: tuple[str, ...] = ()
    at_most: bool = False
    categories: tuple[str, ...] = CATEGORIES
    rm_train_per_category: Annotated[int, Field(ge=4)] = 40
    rm_test_per_category: Annotated[int, Field(ge=2)] = 16
    rl_test_per_category: Annotated[int, Field(ge=2)] = 16

    @model_validator(mode="after")
    def _categories_are_known(self) -> Self:
        if not self.categories or set(self.categories) - set(CATEGORIES):
            raise ValueError(f"categories has to be some of {list(CATEGORIES)}")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError(f"categories has to name each category once, got {list(self.categories)}")
        return self


class PreferenceSettings(SettingsModel):
    """How contrastive pairs are drawn from the policy's own responses.

    `files` are data sets whose pairs replace them: see `pipeline/data_sets`. The temperatures and samples say nothing
    then; the last three settings say what is kept.
    """

    files: tuple[str, ...] = ()
    cool_temperature: Temperature = 0.5
    cool_samples: Count = 2
    hot_temperature: Temperature = 1.6
    extra_samples: Annotated[int, Field(ge=1, le=64)] = 3
    validation_share: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    ranked_pairs: Count = 4
    max_characters: Count = 8192
    pairs_per_source: Count | None = None


class TestSettings(SettingsModel):
    """How many responses each test prompt gets, of the initial policy and of it at other temperatures.

    The initial policy answers the RM-test prompts and, `rm_test_responses` times too, their paraphrases. Every one of
    `source_temperatures` is a further source of `source_responses` responses to each RM-test prompt.
    """

    rm_test_responses: Annotated[int, Field(ge=2, le=64)] = 8
    rl_test_samples: Annotated[int, Field(ge=2, le=4096)] = 16
    source_temperatures: tuple[Temperature, ...] = (0.5, 1.5)
    source_responses: Annotated[int, Field(ge=1, le=64)] = 2

    @model_validator(mode="after")
    def _sources_are_distinct(self) -> Self:
        if len({f"{temperature:.2f}" for temperature in self.source_temperatures}) < len(self.source_temperatures):
            raise ValueError(f"source_temperatures have to differ by 0.01, got {self.source_temperatures}")
        return self
