"""Which columns of numbers are scorers: what another name explains is none, unless the user says so."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.runs.exchange import import_files
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import tables
from warehouse.errors import InvalidRows, UnknownName
from warehouse.exchange import Choices
from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.reading.mapping import parsed
from warehouse.formats import listed, names_in

METADATA = [
    *("length", "tokens", "num_tokens", "n_words", "index", "rank", "turn", "row", "seed", "id", "question_id", "year"),
    *("prompt length", "response-len", "Unnamed: 0", "Timestamp", "max_tokens", "char_count", "temperature"),
    *("elapsed", "frequency_penalty", "tokens_per_second", "trial", "k", "gpu", "loss", "learning_rate", "bytes"),
]
SCORERS = [
    "tiny",
    "rm-8b",
    "skywork-v2",
    "grade",
    "helpfulness",
    "reward",
    "quality",
    "model_a",
    "org/rm",
    "validity",
    "rm-2k",
]


@pytest.mark.parametrize("name", METADATA)
def test_names_that_describe_a_response_are_known(name: str) -> None:
    assert is_metadata(name)


@pytest.mark.parametrize("name", SCORERS)
def test_other_names_may_be_scorers(name: str) -> None:
    assert not is_metadata(name)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Three scorers, and columns of numbers and texts that are none."""
    frame = files.wide_frame(files.long_frame())
    count = pl.int_range(pl.len())
    frame = frame.with_columns(length=count % 5, year=2020 + count % 3, generator=pl.format("gen-{}", count % 2))
    return files.write(frame, tmp_path / "scores.csv")


def scorers(data: Path) -> list[str]:
    return tables(data)["reward_model"]["reward_model_id"].to_list()


def test_what_is_no_scorer_is_left_out_and_said(wide: Path, data: Path) -> None:
    imported = import_files(data, [wide], "theirs", "auto")
    assert scorers(data) == list(files.MODELS)
    assert any("length, year, generator" in note for note in imported.notes)


def test_a_column_that_is_true_or_false_or_empty_is_a_scorer_only_if_the_user_says_so(
    tmp_path: Path, data: Path
) -> None:
    frame = files.wide_frame(files.long_frame()).with_columns(
        passes=pl.int_range(pl.len()) % 2 == 0, gap=pl.lit(None, dtype=pl.Float64())
    )
    path = files.write(frame, tmp_path / "scores.parquet")
    imported = import_files(data, [path], "theirs", "auto")
    assert scorers(data) == list(files.MODELS)
    assert any("left out columns passes, gap" in note for note in imported.notes)
    import_files(data, [path], "verified", "auto", columns=parsed("passes=passes"))
    passed = tables(data)["score"].filter(run_id="verified", reward_model_id="passes")["score"]
    assert sorted(passed.unique()) == [0.0, 1.0]


def test_the_user_can_take_it_after_all_or_name_the_scorers(wide: Path, data: Path) -> None:
    import_files(data, [wide], "theirs", "auto", columns=parsed("length=length"))
    assert scorers(data) == sorted([*files.MODELS, "length"])
    import_files(data, [wide], "some", "auto", columns=parsed(None, "big,length"))
    runs = tables(data)["reward_model"]
    assert runs.filter(run_id="some")["reward_model_id"].to_list() == ["big", "length"]
    with pytest.raises(InvalidRows, match=r"scores.csv, row 1 \(line 2\), column generator: got 'gen-0'; wanted a num"):
        import_files(data, [wide], "none", "auto", columns=parsed("generator=generator"))


@pytest.mark.parametrize("name", ["rm", "judge", "label"])
def test_so_is_a_column_whose_name_would_mean_something_else(tmp_path: Path, data: Path, name: str) -> None:
    frame = files.wide_frame(files.long_frame()).rename({files.MODELS[0]: name})
    path = files.write(frame, tmp_path / "scores.csv")
    import_files(data, [path], "theirs", "auto", columns=parsed(f"{name}={name}"))
    assert scorers(data) == sorted([*files.MODELS[1:], name])


def test_one_wrong_cell_of_a_scorer_is_a_mistake_and_not_a_text(wide: Path, data: Path) -> None:
    lines = wide.read_text().splitlines(keepends=True)
    cells = lines[3].split(",")
    wide.write_text("".join([*lines[:3], ",".join([*cells[:2], "good", *cells[3:]]), *lines[4:]]))
    with pytest.raises(InvalidRows, match=r"scores.csv, row 3 \(line 4\), column big: got 'good'"):
        import_files(data, [wide], "theirs", "auto")


def test_columns_are_named_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    frame = files.long_frame().select(
        meta=pl.struct(item="prompt_id", by="reward_model"), who="response_id", is_="score"
    )
    path = files.write(frame, tmp_path / "scores.jsonl")
    columns = "prompt_id=meta.item,reward_model=meta.by,response_id=who,score=is_"
    assert main(["import", str(path), "--run-id", "theirs", "--map", columns]) == 0
    expected = files.long_frame()["score"].sort().to_list()
    assert (
        tables(tmp_path / "home")["score"].filter(pl.col("response_id").str.contains("#rm"))["score"].sort().to_list()
        == expected
    )
    capsys.readouterr()
    assert main(["import", str(path), "--map", "prompt_id=item"]) == 2
    assert capsys.readouterr().err == (
        "righttree: --map prompt_id=item: no file has column 'item'; the columns are meta, who, is_\n"
    )


def test_columns_of_preferences_are_named_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    rows = [{"ask": f"Question {n}?", "best": {"text": "yes"}, "worst": {"text": "no"}} for n in range(5)]
    path = files.write_items(rows, tmp_path / "pairs.jsonl")
    columns = "prompt=ask,chosen=best.text,rejected=worst.text"
    assert main(["data", str(path), "--map", columns, "--to", str(tmp_path / "pairs.parquet")]) == 0
    pairs = pl.read_parquet(tmp_path / "pairs.parquet")
    assert pairs.select("prompt", "chosen", "rejected").row(0) == ("Question 0?", "yes", "no")
    assert main(["data", str(path), "--map", "prompt=question"]) == 2
    error = capsys.readouterr().err
    assert "pairs.jsonl: --map prompt=question: no column question; the columns are ask, best, worst" in error


def test_names_with_commas_stand_in_quotes(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame().with_columns(pl.col("reward_model").replace("big", "big, v2"))
    path = files.write(files.wide_frame(frame), tmp_path / "scores.csv")
    with pytest.raises(UnknownName, match=r"no scorer 'big'.*there are \"big, v2\", "):
        import_files(data, [path], "theirs", "auto", Choices(golden=names_in("big, v2")))
    import_files(data, [path], "theirs", "auto", Choices(golden=names_in('"big, v2"')))
    roles = dict(tables(data)["reward_model"].select("reward_model_id", "role").rows())
    assert roles["big, v2"] == "golden"
    assert names_in('a, "b, c",a') == ("a", "b, c")
    assert listed(["a", "b, c"]) == 'a, "b, c"'
    assert parsed(None, '"big, v2"').scorers == ("big, v2",)
