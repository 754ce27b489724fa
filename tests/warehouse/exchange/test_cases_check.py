"""Cases of `../shared/cases`, if present: scores that are ragged, incomplete, repeated or of own categories."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.runs.exchange import Imported, import_files, left_out_file
from tests.warehouse.exchange.conftest import tables
from warehouse.errors import InvalidRows
from warehouse.exchange import Choices

CASES = Path(__file__).parents[3].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not in {CASES}")


def taken(data: Path, pattern: str, how: str = "drop-response") -> Imported:
    paths = sorted(CASES.glob(pattern))
    assert paths
    return import_files(data, paths, "theirs", "auto", Choices(how))


def said(imported: Imported, start: str) -> str:
    """The line that begins so."""
    (line,) = (line for line in imported.notes if line.startswith(start))
    return line


def per_prompt(data: Path) -> dict[str, int]:
    counts = tables(data)["response"].filter(pl.col("prompt_id").str.ends_with("#rm")).group_by("prompt_id").len()
    return {prompt.removesuffix("#rm"): count for prompt, count in counts.iter_rows()}


def test_ties_have_other_numbers_of_responses(data: Path) -> None:
    taken(data, "02-*/*.json")
    assert set(per_prompt(data).values()) == {4, 5, 7, 9}


@pytest.mark.parametrize("pattern", ["03-*/*.json", "03b-*/*.jsonl"])
def test_repeated_ids_are_told_apart_by_place(data: Path, pattern: str) -> None:
    assert "told apart by their order" in said(taken(data, pattern), "repeated ids: 2 prompt ids")
    assert len(per_prompt(data)) == (5 if pattern.startswith("03-") else 4)


def test_the_response_without_a_score_is_left_out_and_so_works_the_file_without_it(data: Path, tmp_path: Path) -> None:
    line = said(taken(data, "21-*/long.jsonl"), "left out: 1 response without all scores")
    assert str(left_out_file(data, "theirs")) in line
    taken(tmp_path / "other", "21-*/left-out.jsonl")
    assert per_prompt(tmp_path / "other") == per_prompt(data)
    assert tables(tmp_path / "other")["score"].equals(tables(data)["score"])


def test_ragged_prompts_are_read_whole(data: Path) -> None:
    assert taken(data, "22-*/long.jsonl").notes == ()
    assert sorted(per_prompt(data).values()) == [2, 2, 3, 3, 4, 4, 5, 5]


def test_own_categories_and_subsets_are_kept(data: Path, tmp_path: Path) -> None:
    taken(data, "23-*/long.jsonl")
    assert {"STEM", "Coding"} <= set(tables(data)["prompt"]["category"])
    taken(tmp_path / "other", "23-*/subset.jsonl")
    assert {"livecodebench", "mmlu-pro-law"} <= set(tables(tmp_path / "other")["prompt"]["subset"])


def test_scores_that_32_bits_make_equal_are_refused_with_what_to_subtract(data: Path) -> None:
    with pytest.raises(InvalidRows, match=r"offset\.jsonl, .*reward model 'big' .*; subtract 1000000 from all"):
        taken(data, "25-*/offset.jsonl")
    assert not data.exists()


@pytest.mark.parametrize("name", ["28-*/long.jsonl", "28-*/integer-judge.jsonl", "25-*/huge.jsonl"])
def test_constant_large_and_whole_scores_work_as_before(data: Path, name: str) -> None:
    assert taken(data, name).notes == ()
    assert set(per_prompt(data).values()) == {4}


def test_noise_on_the_same_responses_is_said_to_serve_both_sides(data: Path) -> None:
    assert "200 prompts both measure reward models and value policies" in taken(data, "38-*/noise-*.jsonl").warning


def test_prompts_without_a_category_are_under_other(data: Path) -> None:
    taken(data, "39-*/long.jsonl")
    assert {"Other", "Chat"} <= set(tables(data)["prompt"]["category"])


def test_exact_duplicates_count_once(data: Path) -> None:
    said(taken(data, "41-*/long.jsonl"), "repeated ids: 3 rows that repeat others count once")
    assert set(per_prompt(data).values()) == {4}


@pytest.mark.parametrize(("how", "models"), [("drop-response", 3), ("drop-prompt", 3), ("drop-model", 2)])
def test_prompts_that_a_model_missed_are_left_out_as_chosen(data: Path, how: str, models: int) -> None:
    said(taken(data, "42-*/long.jsonl", how), "left out: ")
    assert tables(data)["reward_model"].height == models
    assert len(per_prompt(data)) == (8 if how == "drop-model" else 7)


def test_an_item_without_a_score_is_left_out_everywhere(data: Path) -> None:
    assert "2 responses without all scores (2 empty or not a number; all of mid)" in said(
        taken(data, "51-*/*.jsonl"), "left out: "
    )
    assert len(per_prompt(data)) == 7
    assert "hep-go/3" not in per_prompt(data)
