"""Labels as a scorer, goldens that are no reward models, and what is proxy only."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.runs.exchange import Imported, import_files
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import tables
from warehouse import exchange
from warehouse.errors import InvalidRows, UnknownName
from warehouse.exchange import Choices
from warehouse.exchange.scored_rows import PAIRS, Pieces, of_rows


def labelled(tmp_path: Path, *labels: tuple[str, float | None]) -> exchange.Study:
    """The study of scores whose label is 1 for response r0 and 0 for others, but for these (`p0/r1`)."""
    path = files.write(files.long_frame(), tmp_path / "scores.csv")
    sheets, pieces = exchange.read_files([path])
    key = pl.format("{}/{}", "prompt_id", "response_id")
    usual = (pl.col("response_id") == "r0").cast(pl.Float32())
    label = key.replace_strict(dict(labels), default=usual, return_dtype=pl.Float32()) if labels else usual
    return exchange.study_of(sheets, Pieces(pieces.long.with_columns(label=label)))


def test_labels_of_a_file_become_a_scorer_that_is_golden_only(tmp_path: Path) -> None:
    study = labelled(tmp_path)
    assert study.scorers.filter(reward_model_id="label").row(0) == ("label", "label", "golden")
    assert study.scorers["role"].to_list() == [None, "golden", None, None]
    marks = study.scores.filter(reward_model="label")
    assert marks.filter(pl.col("score") == 1)["response_id"].unique().to_list() == ["r0"]
    assert marks.height == 12
    assert study.notes == (
        "labels of 12 responses, 4 of them above 0: scorer 'label', golden only; measure against it with `righttree "
        "measure --golden label`",
    )


def test_responses_without_a_label_are_incomplete_like_others(tmp_path: Path) -> None:
    study = labelled(tmp_path, ("p1/r2", None))
    assert study.left_out_line == "1 response without all scores (1 no score in the files; all of label)"
    assert study.responses.height == 11


def test_files_that_contradict_one_another_are_both_named(tmp_path: Path) -> None:
    path = files.write(files.long_frame(), tmp_path / "scores.csv")
    sheets, pieces = exchange.read_files([path])
    label = pl.when(pl.int_range(pl.len()) == 7).then(1.0).otherwise(0.0)
    with pytest.raises(
        InvalidRows,
        match=r"scores\.csv, row 8 \(line 9\), column label: got 1 for response 'r2' of prompt 'p0', and 0 in "
        r"scores\.csv, row 7 \(line 8\); give it the same label everywhere",
    ):
        exchange.study_of(sheets, Pieces(pieces.long.with_columns(label=label.cast(pl.Float32()))))


def with_pairs(tmp_path: Path, *pairs: tuple[str, str, str]) -> exchange.Study:
    path = files.write(files.long_frame(), tmp_path / "scores.csv")
    sheets, pieces = exchange.read_files([path])
    rows = [
        {"row": row, "prompt_id": prompt, "chosen_id": chosen, "rejected_id": rejected}
        for row, (prompt, chosen, rejected) in enumerate(pairs)
    ]
    return exchange.study_of(sheets, Pieces(pieces.long, pairs=of_rows(rows, 0, PAIRS)))


def test_preferences_that_order_all_responses_in_two_groups_are_labels(tmp_path: Path) -> None:
    better = [(f"p{p}", "r1", other) for p in range(4) for other in ("r0", "r2")]
    study = with_pairs(tmp_path, *better)
    marks = study.scores.filter(reward_model="label", score=1)
    assert marks.select("prompt_id", "response_id").rows() == [(f"p{p}", "r1") for p in range(4)]
    assert "from the preferences" in study.notes[0]


def test_preferences_that_contradict_one_another_give_no_labels(tmp_path: Path) -> None:
    better = [(f"p{p}", "r1", other) for p in range(4) for other in ("r0", "r2")]
    study = with_pairs(tmp_path, *better, ("p2", "r0", "r1"))
    assert "; none for 1 prompt whose preferences contradict one another" in study.notes[0]
    assert "p2" not in study.prompts["prompt_id"]
    chain = [(f"p{p}", better, worse) for p in range(4) for better, worse in (("r0", "r1"), ("r1", "r2"))]
    study = with_pairs(tmp_path, *chain)
    assert study.notes[0].startswith("no labels: preferences order 0 of 12 responses; none for 4 prompts")
    assert "label" not in study.scorers["reward_model_id"]


def test_a_few_preferences_do_not_take_the_other_prompts_away(tmp_path: Path) -> None:
    study = with_pairs(tmp_path, ("p0", "r0", "r1"), ("p0", "r0", "r2"))
    assert study.notes == ("no labels: preferences order 3 of 12 responses",)
    assert study.prompts.height == 4


def taken(tmp_path: Path, data: Path, names: dict[str, str], *golden: str) -> Imported:
    """Scores of these reward models, a file for each, with the given goldens."""
    frame = files.long_frame()
    paths = [
        files.write(frame.filter(reward_model=old).with_columns(reward_model=pl.lit(new)), tmp_path / f"{file}.csv")
        for old, (new, file) in zip(files.MODELS, names.items(), strict=True)
    ]
    return import_files(data, paths, "theirs", "auto", Choices(golden=golden))


def test_named_goldens_are_the_truth_and_all_others_proxies(tmp_path: Path, data: Path) -> None:
    imported = taken(tmp_path, data, {"Human": "a", "strict-verifier": "b", "rm": "c"}, "Human", "strict-verifier")
    assert imported.notes == ("golden: Human (grade), strict-verifier (verifier); all others are proxies only",)
    scorers = tables(data)["reward_model"].select("reward_model_id", "kind", "role").rows()
    assert scorers == [
        ("Human", "grade", "golden"),
        ("rm", "import", "proxy"),
        ("strict-verifier", "verifier", "golden"),
    ]


def test_the_name_of_a_file_says_that_people_graded(tmp_path: Path, data: Path) -> None:
    taken(tmp_path, data, {"team-3": "annotators", "x": "b", "y": "c"}, "team-3")
    assert tables(data)["reward_model"].filter(reward_model_id="team-3")["kind"].to_list() == ["grade"]


def test_a_golden_that_is_no_scorer_is_named_with_those_there_are(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UnknownName, match=r"no scorer 'people' to be golden; there are x, y, z"):
        taken(tmp_path, data, {"x": "a", "y": "b", "z": "c"}, "people")
    with pytest.raises(InvalidRows, match=r"got only \['x', 'y', 'z'\] and no proxy; change --golden x,y,z"):
        taken(tmp_path, data, {"x": "a", "y": "b", "z": "c"}, "x", "y", "z")
    assert not data.exists()
