"""Choosing a reward model keeps its promises in many simulated studies, more than the daily tests have time for."""

from __future__ import annotations

import pytest

from tests.benchmarks.choice.figures import CHOICES, PAGE, written
from tests.helpers.planted_choice import Choice, calibrated

_STUDIES = 300
_LEAST = 0.95 - 3 * (0.95 * 0.05 / _STUDIES) ** 0.5


@pytest.mark.deep
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.kind}-{choice.M}-{choice.Q}")
def test_each_promise_is_kept_in_95_percent_of_studies(choice: Choice) -> None:
    kept = calibrated(choice, _STUDIES)
    assert kept.together >= _LEAST
    assert kept.best_in_first >= _LEAST
    assert kept.no_false_pair >= _LEAST
    assert 0.93 <= kept.alone <= 0.97
    if choice.kind == "drawn":
        assert abs(kept.sure - kept.right) < 0.05


def test_the_page_has_a_place_for_the_figures() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "NEW" in written(page, "NEW")
    assert "Of 400 studies a row" in page
