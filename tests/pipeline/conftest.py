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
