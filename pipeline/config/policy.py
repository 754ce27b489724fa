"""Settings of the initial policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.fields import SettingsModel, Temperature

EMBEDDED_MODEL = "smollm2-135m-instruct"
"""Name of the embedded model; any other name is a local folder or a hub id."""


class PolicySettings(SettingsModel):
    """The initial policy and how it is sampled for the tests."""

    model: str = EMBEDDED_MODEL
    sampler: Literal["transformers", "vllm"] = "transformers"
    temperature: Temperature = 1.0
    max_new_tokens: Annotated[int, Field(ge=4, le=4096)] = 48
    batch_responses: Annotated[int, Field(ge=1, le=4096)] = 192
