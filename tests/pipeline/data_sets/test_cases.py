"""The small cases of what people bring, in ../shared/cases: each does what its README says is right.

In a clone without them every test is skipped; `test_forms.py` and the page's examples hold the same kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.pairs import Reason

CASES = Path(__file__).parents[3].parent / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the cases are not in ../shared/cases")


class Right(NamedTuple):
    """What is right: pairs kept, pairs dropped by reason, and the first pair's prompt and texts."""

    kept: int = 8
    dropped: Mapping[Reason, int] = MappingProxyType({})
    first: tuple[str, str, str] = (
        "Name item 1 of the made-up list.",
        "Made-up answer 0 to item 1.",
        "Made-up answer 1 to item 1.",
    )


ITEM, FIRST, SECOND = Right().first
SWAPPED = (ITEM, SECOND, FIRST)
POST = "SUBREDDIT: r/invented\nTITLE: Invented\nPOST: Name item 1 of the made-up list.\nTL;DR:"
EVERYTHING = Right()
RIGHT = {
    "d01-trl-explicit-prompt": EVERYTHING,
    "d02-trl-text-prompt-messages-only-answer": EVERYTHING,
    "d03-trl-implicit": EVERYTHING,
    "d04-prompt-messages-text-sides": EVERYTHING,
    "d05-sharegpt-llamafactory": EVERYTHING,
    "d06-alpaca-ranking": EVERYTHING,
    "d06b-alpaca-ranking-with-input": Right(
        first=("Translate the made-up sentence into French.\nThe cat number 1 sleeps.", "Le chat 1 dort.", "Chat 1.")
    ),
    "d08-helpsteer2": Right(first=SWAPPED),
    "d09-helpsteer2-preference": Right(6, {Reason.TIE: 2}, SWAPPED),
    "d11-shp": EVERYTHING,
    "d12-webgpt": EVERYTHING,
    "d13-summarize-from-feedback": Right(first=(POST, SECOND, FIRST)),
    "d14-arena-100k": EVERYTHING,
    "d16-rlhflow-standard": Right(7, {Reason.TIE: 1}),
    "d17-roles-human-assistant": EVERYTHING,
    "d18-tool-role-in-one-row": Right(7, {Reason.UNKNOWN_ROLE: 1}),
    "d20-rmb-pairwise": EVERYTHING,
    "d21-judgebench": EVERYTHING,
    "d22-rewardbench2": Right(24),
    "d23-argilla-dash-rating": Right(7, {Reason.TIE: 1}),
    "d24-distilabel-chosen-response": EVERYTHING,
    "d26-extra-turn-in-arena-55k": EVERYTHING,
    "d27-containers": EVERYTHING,
    "d28-own-category": EVERYTHING,
    "d29-line-separators": Right(first=(ITEM, f"{FIRST}\u2028next\u0085more", SECOND)),
    "d30-null-and-empty": Right(6, {Reason.EMPTY: 2}),
    "d31-mixed-types": EVERYTHING,
    "d33-json-lines-named-json": EVERYTHING,
    "d34-multi-reference": Right(16),
    "d36-orpo-hh-trl-style": Right(
        first=(
            "System: Be brief.\n\nHuman: Made-up question 0\n\nAssistant: One.\n\nHuman: Go on.",
            "Two 0.",
            "Three 0.",
        )
    ),
    "d37-prompt-and-input": Right(first=("Made-up question 0\ncontext", "yes 0", "no 0")),
}
FILES = [
    pytest.param(path, id=f"{path.parent.name}/{path.name}")
    for path in sorted(CASES.glob("d*/*"))
    if path.name != "README.txt"
]


def test_every_case_has_its_right_numbers() -> None:
    assert {path.name for path in CASES.glob("d*")} == set(RIGHT)


@pytest.mark.parametrize("path", FILES)
def test_a_case_does_what_is_right(path: Path) -> None:
    right = RIGHT[path.parent.name]
    pairs, counts, _ = gather([str(path)], Rules(validation_share=0))
    assert pairs.height == counts["kept"].sum() == right.kept
    assert {reason: counts[reason].sum() for reason in Reason if counts[reason].sum()} == right.dropped
    assert pairs.select("prompt", "chosen", "rejected").row(0) == right.first


def test_own_categories_are_kept() -> None:
    assert set(gather([str(CASES / "d28-own-category" / "data.jsonl")]).pairs["category"]) == {"coding"}


def test_a_number_in_a_column_of_texts_is_its_text() -> None:
    assert gather([str(CASES / "d31-mixed-types" / "data.jsonl")]).pairs["chosen"][2] == "42"


@pytest.mark.parametrize("name", ["d04-prompt-messages-text-sides", "d34-multi-reference"])
def test_no_list_is_written_as_text(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "pairs.parquet"
    assert main(["data", str(CASES / name / "data.jsonl"), "--to", str(to)]) == 0
    assert f"wrote {RIGHT[name].kept} pairs" in capsys.readouterr().out
    texts = pl.read_parquet(to).select("prompt", "chosen", "rejected")
    assert not any(text.startswith(("[", "{")) for column in texts for text in column)
