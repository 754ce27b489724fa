"""The table of docs/audit.md is what its command computes."""

from __future__ import annotations

from tests.warehouse.study.audit import power


def test_the_table_has_every_row_and_that_of_ten_reward_models_is_computed_again() -> None:
    page = power.PAGE.read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    numbers = [int(line.split("|")[1]) for line in lines if line.split("|")[1].strip().isdigit()]
    assert tuple(numbers) == power.MODELS
    assert power.row(10) in lines
