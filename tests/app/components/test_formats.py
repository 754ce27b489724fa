"""`app/components/formats.py`: numbers, times and foreign text."""

from __future__ import annotations

import pytest

from app.components import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7149, "0.71"), (-0.034, "−0.03"), (-0.001, "0.00"), (1234.5, "1,234.50"), (None, "undefined")],
)
def test_a_number_has_fixed_decimals_and_a_real_minus(value: float | None, text: str) -> None:
    assert formats.number(value) == text


def test_an_interval_names_both_ends_or_says_that_there_is_none() -> None:
    assert formats.interval(-0.5, 0.25) == "−0.50 to 0.25"
    assert formats.interval(None, None) == "no interval"


@pytest.mark.parametrize(
    ("amount", "noun", "text"),
    [(1, "pair", "1 pair"), (0, "pair", "0 pairs"), (1536, "response", "1,536 responses"), (2, "reply", "2 replies")],
)
def test_a_count_agrees_with_its_noun(amount: int, noun: str, text: str) -> None:
    assert formats.count(amount, noun) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.84, "0.8 s"), (9.97, "10 s"), (59.6, "1 min 00 s"), (312, "5 min 12 s"), (3840, "1 h 04 min")],
)
def test_a_duration_uses_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


def test_a_time_is_written_in_utc_and_nonsense_is_left_as_it_is() -> None:
    assert formats.when("2026-11-03T18:07:09+01:00") == "3 Nov 2026, 17:07 UTC"
    assert formats.when("2026-11-23T17:07:09") == "23 Nov 2026, 17:07 UTC"
    assert formats.when("yesterday") == "yesterday"


def test_memory_is_written_in_binary_units() -> None:
    assert formats.size(512 * 2**20) == "512 MiB"
    assert formats.size(1.75 * 2**30) == "1.8 GiB"


def test_foreign_text_loses_its_markdown_meaning_and_its_line_breaks() -> None:
    assert formats.escape("**a** <b>[x](y)</b>\n# :red[z] $x$") == (
        r"\*\*a\*\* \<b\>\[x\]\(y\)\</b\> \# \:red\[z\] \$x\$"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "10 s"), (43, "40 s"), (119, "120 s"), (130, "2 min"), (1022, "17 min"), (9000, "2.5 h")],
)
def test_time_that_is_not_known_well_is_rounded(seconds: float, text: str) -> None:
    assert formats.roughly(seconds) == text
