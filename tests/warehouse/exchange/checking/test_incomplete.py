"""Scores that not every scorer has: left out as chosen, counted by reason, listed in a file that goes with the run."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.runs import jobs
from pipeline.runs.exchange import Imported, import_files, left_out_file
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import tables
from warehouse.errors import InvalidChoice, InvalidRows
from warehouse.exchange import Choices


def with_scores(**cells: str) -> pl.DataFrame:
    """Scores in long form, as text, with some of them replaced: `p0_r1_mid="nan"`."""
    key = pl.concat_str("prompt_id", "response_id", "reward_model", separator="_")
    text = pl.col("score").cast(pl.String())
    return files.long_frame().with_columns(score=key.replace_strict(cells, default=text))


def without(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    key = pl.concat_str("prompt_id", "response_id", "reward_model", separator="_")
    return frame.filter(~key.is_in(keys))


def taken(data: Path, frame: pl.DataFrame, tmp_path: Path, how: str = "drop-response") -> Imported:
    path = files.write(frame, tmp_path / "scores.csv")
    return import_files(data, [path], "theirs", "auto", Choices(how))


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "null", "N/A", "None", " <NA> "])
def test_a_missing_score_leaves_out_its_response_and_is_said(tmp_path: Path, data: Path, cell: str) -> None:
    imported = taken(data, with_scores(p0_r1_mid=cell), tmp_path)
    (line,) = imported.notes
    assert line.startswith("left out: 1 response without all scores (1 empty or not a number; all of mid); listed in ")
    stored = tables(data)
    assert stored["response"].filter(prompt_id="p0#rm")["sample"].to_list() == [0, 1]
    assert stored["score"].height == 2 * 11 * 3
    assert not stored["response"]["response_id"].str.ends_with("p0#rm|r1").any()


def test_reasons_are_counted_apart_and_listed_in_a_file_that_goes_with_the_run(tmp_path: Path, data: Path) -> None:
    frame = without(with_scores(p0_r0_mid="inf", p1_r1_mid="1e39", p2_r0_big="-Infinity", p2_r1_mid=""), "p3_r2_small")
    (line,) = taken(data, frame, tmp_path).notes
    assert "5 responses without all scores (3 infinite or beyond 32 bits, 1 empty or not a number, 1 no score" in line
    assert "; most of mid: 3)" in line
    path = left_out_file(data, "theirs")
    assert line.endswith(str(path))
    listed = pl.read_csv(path)
    assert listed.columns == ["prompt_id", "response_id", "reward_model", "reason"]
    assert set(listed.rows()) == {
        ("p0", "r0", "mid", "infinite or beyond 32 bits"),
        ("p1", "r1", "mid", "infinite or beyond 32 bits"),
        ("p2", "r0", "big", "infinite or beyond 32 bits"),
        ("p2", "r1", "mid", "empty or not a number"),
        ("p3", "r2", "small", "no score in the files"),
        ("p2", "r2", None, "the only response to its prompt"),
    }
    assert set(tables(data)["prompt"]["prompt_id"].str.slice(0, 2)) == {"p0", "p1", "p3"}
    jobs.delete(data, "theirs")
    assert not path.exists()


def test_the_prompt_or_the_scorer_can_be_left_out_instead(tmp_path: Path, data: Path) -> None:
    (line,) = taken(data, with_scores(p0_r1_mid=""), tmp_path, "drop-prompt").notes
    assert line.startswith("left out: 1 prompt without all scores (")
    assert set(tables(data)["prompt"]["prompt_id"].str.slice(0, 2)) == {"p1", "p2", "p3"}
    jobs.delete(data, "theirs")
    (line,) = taken(data, with_scores(p0_r1_mid=""), tmp_path, "drop-model").notes
    assert line.startswith("left out: reward models mid, which lack scores (")
    stored = tables(data)
    assert stored["reward_model"]["reward_model_id"].to_list() == ["big", "small"]
    assert stored["response"].height == 2 * 12


def test_a_scorer_of_further_responses_is_not_to_blame_for_those_that_others_lack(tmp_path: Path, data: Path) -> None:
    more = pl.DataFrame({"prompt_id": ["p9", "p9"], "response_id": ["r0", "r1"], "reward_model": "big", "score": "1"})
    frame = pl.concat([with_scores(p0_r1_mid=""), more])
    (line,) = taken(data, frame, tmp_path, "drop-model").notes
    assert "reward models mid, which lack scores" in line
    assert set(tables(data)["prompt"]["prompt_id"].str.slice(0, 2)) == {"p0", "p1", "p2", "p3"}


def test_refusing_names_the_place_and_every_advice_works(tmp_path: Path, data: Path) -> None:
    frame = without(files.long_frame(), "p3_r2_small", "p0_r1_small")
    with pytest.raises(InvalidRows) as raised:
        taken(data, frame, tmp_path, "refuse")
    message = str(raised.value)
    assert message.startswith(
        "scores.csv, row 4 (line 5), column score: response 'r1' of prompt 'p0' has no score of reward model 'small' "
    )
    assert (
        "2 scores missing in all; score them all, or import with --incomplete drop-response (leaves out 2 resp"
        in message
    )
    assert not data.exists()
    for number, how in enumerate(("drop-response", "drop-prompt", "drop-model")):
        assert f"--incomplete {how} (leaves out " in message
        path = files.write(frame, tmp_path / "again.csv")
        assert import_files(data, [path], f"run-{number}", "auto", Choices(how)).notes


def test_advice_that_would_leave_nothing_is_not_given(tmp_path: Path, data: Path) -> None:
    frame = files.long_frame().filter((pl.col("reward_model") != "mid") | (pl.col("prompt_id") == "p0"))
    for how in ("drop-response", "drop-prompt"):
        with pytest.raises(InvalidRows, match=f"{how} would leave fewer than two prompts.*drop-model") as raised:
            taken(data, frame, tmp_path, how)
        assert "--incomplete drop-response" not in str(raised.value)
    assert "reward models mid" in taken(data, frame, tmp_path, "drop-model").notes[0]


def test_an_unknown_way_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(InvalidChoice, match=r"incomplete is 'ignore'; choose one of \['drop-response'"):
        taken(data, with_scores(p0_r1_mid=""), tmp_path, "ignore")


def test_prompts_have_their_own_numbers_of_responses(tmp_path: Path, data: Path) -> None:
    counts = {"p0": 2, "p1": 5, "p2": 3, "p3": 1, "p4": 4}
    rows = files.long_frame(prompts=5, responses=5)
    number = pl.col("response_id").str.slice(1).cast(pl.Int64())
    imported = taken(data, rows.filter(number < pl.col("prompt_id").replace_strict(counts)), tmp_path)
    assert imported.notes[0].startswith("left out: 1 prompt with only one response; listed in ")
    stored = tables(data)
    for side in ("#rm", "#rl"):
        samples = {name: list(range(count)) for name, count in counts.items() if count > 1}
        of_side = stored["response"].filter(pl.col("prompt_id").str.ends_with(side)).sort("prompt_id", "sample")
        assert {
            str(name).removesuffix(side): group["sample"].to_list()
            for (name,), group in of_side.group_by("prompt_id", maintain_order=True)
        } == samples
    bon = stored["policy"].filter(optimizer="bon", reward_model_id="mid")
    assert sorted(bon["strength"]) == [2.0, 4.0]  # one prompt alone reaches 5
    assert stored["policy_value"].filter(golden_id="big", prompt_id="p0#rl")["value"].to_list() == [
        (files.score(0, 0, 0) + files.score(0, 1, 0)) / 2
    ]


def test_policy_values_and_preferences_of_prompts_that_are_left_out_do_not_refuse_the_rest(
    tmp_path: Path, data: Path
) -> None:
    scores = files.described(with_scores(p1_r1_mid="", p1_r2_big=""))
    paths = [
        files.write(scores, tmp_path / "scores.csv"),
        files.write(files.preferences_frame(), tmp_path / "pairs.csv"),
        files.write(files.values_frame(), tmp_path / "ppo.csv"),
    ]
    imported = import_files(data, paths, "theirs", "auto")
    assert any("1 prompt with only one response" in note for note in imported.notes)
    stored = tables(data)
    assert stored["preference"]["prompt_id"].to_list() == ["p0#rm", None, None]
    assert stored["policy_value"].filter(pl.col("policy_id").str.starts_with("ppo"))["prompt_id"].n_unique() == 3
