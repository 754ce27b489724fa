"""What several tests of the pipeline share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.backends.openrlhf.wheel import openrlhf_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenRLHF's wheel; what needs it is skipped where it is not to be had."""
    return openrlhf_wheel(tmp_path_factory.mktemp("openrlhf"))
