"""`righttree data`: the table it prints, the file it writes, and that `import` reads it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.data_sets.gather import PAIRS
from pipeline.data_sets.known import REWARDBENCH_PROMPTS, REWARDBENCH_ROWS
from pipeline.data_sets.report import COUNTS, notes
from tests.pipeline.data_sets import hub
from warehouse.exchange.layouts import read_files


def test_it_prints_a_line_a_source_and_one_for_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = hub.parquet(tmp_path / "mt.parquet", hub.MT_BENCH)
    second = hub.jsonl(tmp_path / "hh.jsonl", hub.HH_RLHF)
    assert main(["data", str(first), str(second), "--validation-share", "0"]) == 0
    output = capsys.readouterr().out.splitlines()
    assert [line.split(" read as ")[0] for line in output[4:]] == ["mt.parquet", "hh.jsonl"]
    lines = [line.split("  ") for line in output[:4]]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    wanted = {
        "source": ["hh-rlhf", "mt-bench-human", "all"],
        "rows": ["4", "5", "9"],
        "pairs": ["4", "5", "9"],
        "kept": ["1", "1", "2"],
        "train": ["1", "1", "2"],
        "validation": ["0", "0", "0"],
        "prompts": ["1", "1", "2"],
        "tie": ["0", "1", "1"],
        "prompts differ": ["1", "1", "2"],
        "unfinished": ["1", "0", "1"],
        "empty": ["1", "0", "1"],
        "duplicate": ["0", "1", "1"],
        "contradiction": ["0", "1", "1"],
    }
    assert {name: list(column) for name, *column in zip(*cells, strict=True)} == wanted


def test_what_it_writes_is_read_as_preferences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, to = hub.jsonl(tmp_path / "own.jsonl", hub.OWN), tmp_path / "pairs.parquet"
    assert main(["data", str(file), "--to", str(to)]) == 0
    assert f"wrote 2 pairs to {to}" in capsys.readouterr().out
    _, pieces = read_files([to])
    assert pieces.preferences.select("source", "prompt", "chosen", "rejected", "category").rows() == [
        ("mine", "Hi", "Hello", "No", "Chat"),
        ("own", "f()", "1", "2", "Reasoning"),
    ]
    assert main(["data", str(file), "--to", str(to)]) == 2
    assert capsys.readouterr().err == f"righttree: {to} exists already; give another name or remove it\n"


def test_bad_input_is_one_line_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("rows", "prompts", "lines"), [(0, 0, 0), (0, -1, 1), (-1, -1, 0)])
def test_whole_rewardbench_is_held_against_the_papers_count(rows: int, prompts: int, lines: int) -> None:
    counted = {"source": "rewardbench", "rows": REWARDBENCH_ROWS + rows, "prompts": REWARDBENCH_PROMPTS + prompts}
    counts = pl.DataFrame({name: [counted.get(name, 0)] for name in COUNTS}, schema=COUNTS)
    assert len(notes(counts)) == lines


def test_every_rule_can_be_given(tmp_path: Path) -> None:
    rows = [{"prompt": "p" * n, "chosen": "x", "rejected": "y"} for n in range(1, 41)]
    file, to = hub.jsonl(tmp_path / "own.jsonl", rows), tmp_path / "pairs.parquet"
    rules = ["--validation-share", "0.5", "--max-characters", "31", "--pairs-per-source", "20", "--seed", "3"]
    assert main(["data", str(file), "--as", "own", *rules, "--ranked-pairs", "1", "--to", str(to)]) == 0
    pairs = pl.read_parquet(to)
    assert pairs.height == 20
    assert set(pairs.columns) == {name for name in PAIRS if name not in ("subset", "prompt_id")}
    assert pairs["prompt"].str.len_chars().max() <= 30
    assert 2 <= pairs.filter(split="validation").height <= 18


def test_a_file_of_which_nothing_is_kept_is_an_error_with_the_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = hub.jsonl(tmp_path / "good.jsonl", hub.OWN), hub.jsonl(tmp_path / "bad.jsonl", hub.OWN[2:])
    assert main(["data", str(good), str(bad), "--to", str(tmp_path / "none.parquet")]) == 2
    assert capsys.readouterr().err == (
        "righttree: bad.jsonl, read as own: none of its 1 pairs is kept: 1 empty; fill in prompt, chosen and rejected, "
        "or say with --as what the file is\n"
    )
    assert not (tmp_path / "none.parquet").exists()


def test_a_file_that_only_repeats_another_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(hub.jsonl(tmp_path / name, hub.OWN)) for name in ("a.jsonl", "b.jsonl")]
    assert main(["data", *files]) == 0
    assert "2 files, a.jsonl to b.jsonl, read as own" in capsys.readouterr().out


def test_it_says_how_files_were_read_and_which_columns_were_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(hub.jsonl(tmp_path / "rb.jsonl", hub.REWARDBENCH))]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "rb.jsonl read as rewardbench; columns left out: chosen_model, rejected_model, id"
