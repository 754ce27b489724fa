"""Whatever comes in is accepted whole or refused in one line, and what is refused writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.hostile import kinds

pytestmark = pytest.mark.reliability

CASES = 2_000
"""Of all kinds together; `python -m tests.reliability.report` tries many more."""


@pytest.mark.parametrize("name", kinds.KINDS)
def test_hostile_input_is_accepted_whole_or_refused_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    cases = round(CASES * kinds.KINDS[name].share)
    tried = kinds.fuzz(name, tmp_path, cases)
    assert tried.cases == cases
    assert tried.accepted < cases  # the input is hostile
