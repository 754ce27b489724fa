"""Files with outcomes: what is read, oriented and left out, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.errors import InvalidChoice, InvalidRows
from warehouse.exchange import outcome_rows, outcomes_line, read_outcome_files, smaller_is_better

HEAD = "reward_model,outcome,value,standard_error\n"
MODELS = ("a", "b")


def written(folder: Path, rows: str, head: str = HEAD, name: str = "elo.csv") -> Path:
    path = folder / name
    path.write_text(head + rows)
    return path


def test_values_and_errors_are_read_and_an_empty_error_is_unknown(tmp_path: Path) -> None:
    sheets, given = read_outcome_files([written(tmp_path, "b,elo,1000,\na,elo,1010.5,12\n")])
    rows = outcome_rows(sheets, given, MODELS).rows
    assert rows.select("reward_model_id", "outcome", "value", "standard_error").rows() == [
        ("a", "elo", 1010.5, 12.0),
        ("b", "elo", 1000.0, None),
    ]


def test_errors_may_be_left_out_altogether(tmp_path: Path) -> None:
    path = written(tmp_path, "a,win rate,0.6\n", "reward_model,outcome,value\n")
    sheets, given = read_outcome_files([path])
    assert outcome_rows(sheets, given, MODELS).rows["standard_error"].to_list() == [None]


def test_where_smaller_is_better_the_values_are_stored_negated_under_a_name_that_says_so(tmp_path: Path) -> None:
    sheets, given = read_outcome_files([written(tmp_path, "a,loss,0.5,0.1\nb,-cost,3,\n")])
    rows = outcome_rows(sheets, smaller_is_better(given, ["loss"]), MODELS)
    assert rows.rows.select("outcome", "value", "standard_error").rows() == [
        ("-cost", -3.0, None),
        ("-loss", -0.5, 0.1),
    ]
    assert "-loss of 1 reward model, standard errors of 1 (smaller is better, so stored as minus loss)" in (
        outcomes_line(rows)
    )


def test_an_outcome_of_which_smaller_is_better_has_to_be_in_the_files(tmp_path: Path) -> None:
    _, given = read_outcome_files([written(tmp_path, "a,loss,0.5,\n")])
    with pytest.raises(InvalidChoice, match=r"--smaller-is-better los: the files have the outcomes \['loss'\]"):
        smaller_is_better(given, ["los"])


def test_reward_models_that_the_run_does_not_have_are_named(tmp_path: Path) -> None:
    sheets, given = read_outcome_files([written(tmp_path, "a,elo,1,\nother,elo,2,\nmore,elo,3,\n")])
    read = outcome_rows(sheets, given, MODELS)
    assert read.rows["reward_model_id"].to_list() == ["a"]
    assert read.left_out == ("more", "other")
    assert outcomes_line(read).endswith("left out, as the run does not have them: more, other")
    with pytest.raises(InvalidRows, match=r"none of its reward models is in the run: got a, more, other; .* has x, y"):
        outcome_rows(sheets, given, ("x", "y"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,elo,high,\n", r"elo.csv, row 1 \(line 2\), column value: got 'high'"),
        ("a,elo,1,-2\n", r"column standard_error: got -2.0; wanted 0 or more"),
        (",elo,1,\n", "column reward_model: got"),
        ("a,elo,1,\na,elo,2,\n", "row 2 .*reward model 'a' has a value of this outcome already"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_row(tmp_path: Path, rows: str, message: str) -> None:
    def read() -> None:
        sheets, given = read_outcome_files([written(tmp_path, rows)])
        outcome_rows(sheets, given, MODELS)

    with pytest.raises(InvalidRows, match=message) as caught:
        read()
    assert "\n" not in str(caught.value)


def test_a_second_value_in_another_file_is_seen_as_well(tmp_path: Path) -> None:
    first, second = written(tmp_path, "a,elo,1,\n"), written(tmp_path, "a,elo,2,\n", name="again.csv")
    sheets, given = read_outcome_files([first, second])
    with pytest.raises(InvalidRows, match=r"again\.csv, row 1"):
        outcome_rows(sheets, given, MODELS)
