"""What several tests of the pipeline share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.config import EMBEDDED_MODEL
from tests.pipeline.backends.openrlhf.wheel import openrlhf_wheel

if TYPE_CHECKING:
    from pipeline.models.language_model import LanguageModel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenRLHF's wheel; what needs it is skipped where it is not to be had."""
    return openrlhf_wheel(tmp_path_factory.mktemp("openrlhf"))


@pytest.fixture(scope="session")
def language_model() -> LanguageModel:
    """The real embedded model, loaded once a session."""
    from pipeline.models.language_model import load

    return load(EMBEDDED_MODEL)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model of two layers with random weights, for what is so of any model."""
    from pipeline.models.language_model import load
    from tests.pipeline.reward_models_elsewhere import checkpoint

    return load(str(checkpoint(tmp_path_factory.mktemp("tiny-model"), causal=True, initializer_range=0.2)))
