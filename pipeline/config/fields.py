"""What the sections of a run's settings share: their base class and the types of their numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

ALL_LAYERS = -1
"""The value of `trainable_layers` that means all layers of a model."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(gt=0, le=5)]
Share = Annotated[float, Field(ge=0, lt=1)]
Layers = Annotated[int, Field(ge=-1, le=10_000)]
LearningRate = Annotated[float, Field(gt=0, le=1)]


class SettingsModel(BaseModel):
    """A section of the settings: frozen; unknown names, NaN and infinity are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
