"""The real embedded model, loaded once a session."""

from __future__ import annotations

import pytest

from pipeline.config import EMBEDDED_MODEL
from pipeline.models.language_model import LanguageModel, load


@pytest.fixture(scope="session")
def language_model() -> LanguageModel:
    return load(EMBEDDED_MODEL)
