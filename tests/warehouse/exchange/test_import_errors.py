"""What is wrong is said in one line with file, row and column, and nothing is imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import InvalidConfig
from pipeline.runs.exchange import import_files
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, rows_of, tables
from warehouse.errors import InvalidChoice, InvalidRows

LONG = "prompt_id,response_id,reward_model,score\n"
WHOLE = LONG + "".join(
    f"{row['prompt_id']},{row['response_id']},{row['reward_model']},{row['score']}\n"
    for row in files.long_frame().to_dicts()
)
LINES = WHOLE.splitlines(keepends=True)


def changed(line: int, text: str) -> str:
    """The whole file with one line (1-based) in another's place."""
    return "".join([*LINES[: line - 1], text, *LINES[line:]])


CASES: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("a.csv", "", r"a\.csv: the file is empty"),
    "header only": ("a.csv", LONG, r"a\.csv: the file has no rows"),
    "unknown extension": ("a.xlsx", WHOLE, r"a\.xlsx: unknown extension '\.xlsx'; give one of \.parquet, \.arrow"),
    "missing column": (
        "a.csv",
        WHOLE.replace("score", "skore", 1),
        r"a\.csv, row 1: wrong columns.*missing \['score'\]",
    ),
    "column twice": (
        "a.csv",
        WHOLE.replace("\n", ",1\n").replace("score,1", "score,score"),
        r"column score: it is there",
    ),
    "column without name": ("a.csv", WHOLE.replace("\n", ",1\n").replace("score,1", "score,"), r"has to have a name"),
    "no number": ("a.csv", changed(3, "p0,r0,mid,good\n"), r"a\.csv, row 2 \(line 3\), column score: got 'good'"),
    "no id": ("a.csv", changed(3, "p0,,mid,1\n"), r"row 2 \(line 3\), column response_id: got ''; every row needs one"),
    "few fields": (
        "a.csv",
        WHOLE + "p9,r0\n",
        r"row 37 \(line 38\), column reward_model: got 2 fields, wanted 4; .*cut",
    ),
    "many fields": ("a.csv", changed(3, "p0,r0,mid,1,2\n"), r"row 2 \(line 3\), column score: got 5 fields"),
    "open quotes": ("a.csv", changed(3, 'p0,"r0,mid,1\n'), r"a\.csv, line \d+: no CSV \(unexpected end of data\)"),
    "one reward model": ("a.csv", LONG + "".join(LINES[1::3]), r"column reward_model: got only \['big'\]"),
    "one prompt": ("a.csv", "".join(LINES[:10]), r"a\.csv, column prompt_id: got 1 prompt with two responses"),
    "one response": (
        "a.csv",
        LONG + "".join(line for line in LINES if ",r0," in line),
        r"got 0 prompts with two responses or more",
    ),
    "last line open": (
        "a.csv",
        WHOLE[:-1],
        r"a\.csv, row 36 \(line 37\), column score: the last line does not end; the file may be cut off.*add a line",
    ),
    "latin-1": (
        "a.csv",
        changed(3, "p0,r\u00e9,mid,1\n").encode("latin-1"),
        r"a\.csv, row 2 \(line 3\), column response_id: byte 0xe9 is no UTF-8; save the whole file as UTF-8",
    ),
    "latin-1 in a field of several lines": (
        "a.csv",
        (LONG.replace("\n", ",prompt\n") + 'p0,r0,big,1,"a\nb"\np0,r1,big,1,"a\n\u00e9"\n').encode("latin-1"),
        r"a\.csv, row 2 \(line 5\), column prompt: byte 0xe9 is no UTF-8",
    ),
    "latin-1 header": (
        "a.csv",
        WHOLE.replace("score", "sc\u00f6re", 1).encode("latin-1"),
        r"a\.csv, line 1: byte 0xf6 is no UTF-8",
    ),
    "latin-1 json": (
        "a.jsonl",
        b'{"prompt_id": "p", "score": 1}\n\n{"prompt_id": "\xe9"}\n',
        r"a\.jsonl, row 2 \(line 3\), column prompt_id: byte 0xe9 is no UTF-8",
    ),
    "half of utf-16": (
        "a.csv",
        WHOLE.encode("utf-16")[:-1],
        r"a\.csv: no whole UTF-16 text .*cut off",
    ),
    "cut json line": (
        "a.jsonl",
        '{"prompt_id": "p", "score": 1}\n{"prompt',
        r"a\.jsonl, row 2 \(line 2\): no whole JSON",
    ),
    "json number": ("a.jsonl", "1\n", r"a\.jsonl, row 1 \(line 1\): got 1; every line is one object"),
    "json half a character": (
        "a.jsonl",
        '{"prompt_id": "\\ud800"}\n',
        r"row 1 \(line 1\), column prompt_id: half a character \(U\+D800\)",
    ),
    "json deep": ("a.jsonl", "[" * 100_000, r"a\.jsonl: no whole JSON"),
    "no json": ("a.json", WHOLE, r"a\.json: no whole JSON .*begins with 'prompt_id.*if it is CSV, name it \.csv"),
    "json cut": ("a.json", '[{"prompt_id": 1', r"a\.json: no whole JSON"),
    "json text": ("a.json", '"x"', r"a\.json: got 'x'; wanted a list of objects"),
    "json list": ("a.json", "[1]", r"a\.json, row 1: got 1; wanted an object"),
    "json columns": ("a.json", '{"a": [1], "b": []}', r"lists of lengths \[0, 1\]"),
    "no parquet": ("a.parquet", "PAR1", r"a\.parquet: no whole Parquet file .*cut off"),
    "unknown split": (
        "a.csv",
        WHOLE.replace("\n", ",test\n").replace("test", "split", 1),
        r"row 1 \(line 2\), column split: got 'test'; wanted one of \['rm_test', 'rl_test'\]",
    ),
    "one split": (
        "a.csv",
        WHOLE.replace("\n", ",rm_test\n").replace("rm_test", "split", 1),
        r"column split: got 0 prompts with two .* of split rl_test; give two or more .*leave the column",
    ),
    "two prompts of one id": (
        "a.csv",
        WHOLE.replace("\n", ",what\n").replace("what", "prompt", 1).replace(",what\n", ",why\n", 2),
        r"row 3 \(line 4\), column prompt: got 'what' for prompt_id 'p0', which had 'why' before",
    ),
    "ids that make one": (
        "a.csv",
        "prompt_id,response_id,split,x,y\n"
        "a|b,c,rm_test,1,2\na|b,d,rm_test,1,2\na,b|c,rm_test,1,2\na,e,rm_test,1,2\n"
        "p,c,rl_test,1,2\np,d,rl_test,1,2\nq,c,rl_test,1,2\nq,d,rl_test,1,2\n",
        r"a\.csv, column response_id: responses 'b\|c' of prompt 'a' and 'c' of prompt 'a\|b' make the same id",
    ),
    "rewardbench without scores": (
        "a.jsonl",
        '{"id": 1, "chosen": ["a", "b"], "rejected": ["c"]}',
        r"a\.jsonl, column score: got prompts and responses without scores, nothing to measure yet; score them",
    ),
    "rewardbench without numbers": (
        "a.jsonl",
        '{"id": 1, "text_chosen": "a", "text_rejected": "b", "scores_chosen": "good", "scores_rejected": 1.5}',
        r"a\.jsonl, row 1 \(line 1\), column scores_chosen: got 'good'; wanted a number, or null for a missing score",
    ),
    "rewardbench counts": (
        "a.jsonl",
        '{"id": 1, "chosen": ["a", "b"], "rejected": ["c"], "score_chosen": [1, 2, 3], "score_rejected": [1]}',
        r"row 1 \(line 1\), column score_chosen: got \[1\.0, 2\.0, 3\.0\]; wanted 2 scores, one for each of chosen",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_file_is_named_and_not_imported(tmp_path: Path, data: Path, imported: Import, case: str) -> None:
    name, content, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidRows, match=message) as raised:
        imported(path)
    assert "\n" not in str(raised.value)
    assert not data.exists()


def test_a_cut_parquet_file_is_named_wherever_it_is_cut(tmp_path: Path, data: Path, imported: Import) -> None:
    path = files.write(files.long_frame(), tmp_path / "a.parquet")
    content = path.read_bytes()
    for size in range(1, len(content), 37):
        path.write_bytes(content[:size])
        with pytest.raises(InvalidRows, match=r"a\.parquet: no whole Parquet file"):
            imported(path)
    assert not data.exists()


@pytest.mark.parametrize("form", ["long", "wide"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_text_file_cut_anywhere_is_refused_unless_whole_responses_are_left(
    tmp_path: Path, suffix: str, form: str
) -> None:
    frame = files.long_frame(prompts=3, responses=2, models=("big", "mid"))
    path = files.write(files.wide_frame(frame) if form == "wide" else frame, tmp_path / f"a.{suffix}")
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    rows, head = (1 if form == "wide" else 2), int(suffix == "csv")
    whole = {len(b"".join(lines[: head + rows * responses])) for responses in (4, 5, 6)}
    whole |= {size - 1 for size in whole if suffix == "jsonl"}  # a closed brace says that the line is whole
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert makes_rows(path) == (size in whole), content[:size]


def makes_rows(path: Path) -> bool:
    try:
        rows_of([path], incomplete="refuse")
    except InvalidRows:
        return False
    return True


BESIDE: dict[str, tuple[Callable[[], pl.DataFrame], str]] = {
    "unknown golden": (
        lambda: files.values_frame().with_columns(golden=pl.lit("huge")),
        r"x\.csv, row 1 \(line 2\), column golden: got 'huge'; reward models are \['big', 'mid', 'small'\]",
    ),
    "unknown reward model": (
        lambda: files.values_frame().with_columns(reward_model=pl.lit("huge")),
        r"row 1 \(line 2\), column reward_model: got 'huge'",
    ),
    "unknown prompt": (
        lambda: files.values_frame(("p0", "p9")),
        r"row 2 \(line 3\), column prompt_id: got 'p9'; RL-test prompts are \['p0', 'p1', 'p2', 'p3'\]",
    ),
    "values twice": (
        lambda: pl.concat([files.values_frame(), files.values_frame().tail(1)]),
        r"row 37 \(line 38\), column prompt_id: got 'p3'; this policy has a value for this golden and prompt already",
    ),
    "values not for all": (
        lambda: files.values_frame().head(-1),
        r"row 1 \(line 2\), column value: got 6\.0; ppo at 100 has 35 values, wanted 36, for all 3 reward models",
    ),
    "infinite value": (
        lambda: files.values_frame().with_columns(value=pl.lit(float("inf"))),
        r"row 1 \(line 2\), column value: got 'inf'",
    ),
    "bad strength": (
        lambda: files.values_frame().with_columns(strength=pl.lit("far")),
        r"row 1 \(line 2\), column strength: got 'far'; wanted a finite number",
    ),
    "no strength": (
        lambda: files.values_frame().with_columns(strength=pl.lit(None)),
        r"row 1 \(line 2\), column strength: got None; every policy but the initial one",
    ),
    "unknown optimizer": (
        lambda: files.values_frame().with_columns(optimizer=pl.lit("sgd")),
        r"row 1 \(line 2\), column optimizer: got 'sgd'; wanted one of "
        r"\['bon', 'tilted', 'ppo', 'reinforce\+\+', 'rloo', 'grpo', 'sft', 'none'\]",
    ),
    "one policy of two": (
        lambda: files.values_frame().with_columns(policy_id=pl.lit("mine")),
        r"column policy_id: got 'mine'; the policy has several values of reward_model",
    ),
    "preference of an unknown prompt": (
        lambda: files.preferences_frame().with_columns(prompt_id=pl.lit("p7")),
        r"x\.csv, row 1 \(line 2\), column prompt_id: got 'p7'; wanted one of \['p0', 'p1', 'p2', 'p3'\]",
    ),
    "preference twice": (
        lambda: files.preferences_frame().with_columns(preference_id=pl.lit("one")),
        r"x\.csv, row 3 \(line 4\), column preference_id: got 'one' twice",
    ),
    "preference without prompt": (
        lambda: files.preferences_frame().select("chosen", "rejected"),
        r"x\.csv, row 1: preferences without prompts",
    ),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_comes_beside_the_scores_is_checked_too(tmp_path: Path, data: Path, imported: Import, case: str) -> None:
    make, message = BESIDE[case]
    scores = files.write(files.described(files.long_frame()), tmp_path / "scores.parquet")
    with pytest.raises(InvalidRows, match=message):
        imported(scores, files.write(make(), tmp_path / "x.csv"))
    assert not data.exists()


def test_a_run_id_that_is_taken_or_no_name_is_refused(tmp_path: Path, data: Path, imported: Import) -> None:
    path = files.write(files.long_frame(), tmp_path / "scores.csv")
    imported(path)
    before = tables(data)
    with pytest.raises(InvalidConfig, match="run 'theirs' exists already; name another with --run-id"):
        imported(path)
    with pytest.raises(InvalidConfig, match="use at most 100 letters"):
        import_files(data, [path], "../x", "auto")
    assert all(frame.equals(before[name]) for name, frame in tables(data).items())


def test_what_is_given_to_the_command_is_checked(tmp_path: Path, data: Path) -> None:
    path = files.write(files.long_frame(), tmp_path / "scores.csv")
    with pytest.raises(InvalidChoice, match="layout is 'tall'"):
        import_files(data, [path], None, "tall")
    with pytest.raises(InvalidRows, match="given twice"):
        import_files(data, [path, path], None, "auto")
    with pytest.raises(InvalidRows, match="no files"):
        import_files(data, [], None, "auto")
    with pytest.raises(InvalidRows, match=r"gone\.csv: cannot be read"):
        import_files(data, [tmp_path / "gone.csv"], None, "auto")
    assert not data.exists()
