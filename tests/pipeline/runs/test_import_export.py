"""`righttree import` and `righttree export`: other people's results in, whole runs out and back, in one line each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.runs import exchange as runs_exchange
from tests.conftest import SMOKE_RUN, righttree
from tests.warehouse.exchange import files
from warehouse import exchange, reads, store
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.study import evaluate


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that the command line works in."""
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    return files.write(files.long_frame(prompts=12, responses=4), tmp_path / "scores.parquet")


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The first line that the command prints; further ones say where labels come from and that prompts serve both."""
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    line, *more = printed.out.splitlines()
    assert len(more) <= 2
    assert all("both measure reward models and value policies" in each or each.startswith("labels") for each in more)
    return line


def test_an_imported_run_is_measured_like_plain_arrays(
    home: Path, scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = said(capsys, "import", scores, "--run-id", "theirs")
    assert line.startswith("theirs: 3 reward models, 12 prompts, 48 responses, 144 scores, 7 policies imported")
    found = json.loads(said(capsys, "measure", "--run", "theirs", "--measure", "kendall", "--n", "2", "--json"))
    scores_MPR = np.array([[[files.score(p, r, m) for r in range(4)] for p in range(12)] for m in range(3)])
    names = [f"p{p}" for p in range(12)]  # axes are sorted by name
    order = sorted(range(12), key=lambda p: names[p])
    cube, values = score_cube(scores_MPR[:, order]), best_of_n_policies(scores_MPR[:, order], n=2)
    ids = tuple(names[p] for p in order)  # the same prompts measure reward models and value policies
    cube, values = replace(cube, prompts=ids), replace(values, prompts=ids)
    expected = evaluate(cube, values, measure="kendall")
    pairs = [(g, m) for g in range(3) for m in range(3) if g != m]
    assert [pair["value"] for pair in found["pairs"]] == pytest.approx([expected.value_MM[pair] for pair in pairs])
    ndr = [expected.ndr_MM[pair] if expected.ndr_defined_MM[pair] else None for pair in pairs]
    assert [pair["ndr"] for pair in found["pairs"]] == pytest.approx(ndr)
    kendall = expected.correlations["kendall"]
    plain = {name: found["kendall"][name] for name in ("value", "low", "high")}
    assert plain == pytest.approx({"value": kendall.value, "low": kendall.low, "high": kendall.high})
    assert found["kendall"]["sample"]["value"] == pytest.approx(kendall.sample.value)
    assert found["shared_prompts"] == 12


def test_a_name_is_made_where_none_is_given(home: Path, scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {said(capsys, "import", scores).split(":")[0] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("import-") for name in names)
    with store.open_read_only(home) as connection:
        assert set(reads.runs.all_runs(connection)["run_id"]) == names


def test_an_imported_run_is_listed_without_a_hint_to_start_one(
    home: Path, scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "import", scores, "--run-id", "theirs")
    main(["runs"])
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == "theirs  published    results only"
    assert "no runs" not in listed[0]


def test_every_layout_can_be_named_and_help_names_them(
    home: Path, scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(layout in text for layout in exchange.LAYOUTS)
    wide = files.write(files.wide_frame(files.long_frame()), tmp_path / "wide.csv")
    rewardbench = [files.write_items(files.rewardbench_items(m), tmp_path / f"{m}.jsonl") for m in range(2)]
    for layout, given in (("long", [scores]), ("wide", [wide]), ("rewardbench", rewardbench)):
        assert said(capsys, "import", *given, "--layout", layout, "--run-id", layout).startswith(f"{layout}: ")


def test_out_and_in_and_out_again_is_the_same_to_the_byte(smoke_home: Path, tmp_path: Path) -> None:
    first, second, home = tmp_path / "first", tmp_path / "second", tmp_path / "home"
    done = righttree("export", str(first), home=smoke_home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SMOKE_RUN}: ")
    for arguments in (["import", str(first)], ["export", "--run", SMOKE_RUN, str(second)]):
        done = righttree(*arguments, home=home)
        assert (done.returncode, done.stderr) == (0, "")
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (first, second)]
    assert contents[0] == contents[1]
    figures = [
        json.loads(righttree("measure", "--n", "4", "--replicates", "50", "--json", home=folder).stdout)
        for folder in (smoke_home, home)
    ]
    assert figures[0] == figures[1]


REFUSED = [
    ("import gone.csv", r"gone.csv: cannot be read"),
    ("import bad.csv", "bad.csv, row 2 (line 3), column score: got 'good'"),
    ("import scores.csv bad.csv", "bad.csv, row 2 (line 3), column score: got 'good'"),
    ("import scores.csv --run-id theirs", "run 'theirs' exists already; name another with --run-id"),
    ("import scores.csv --run-id ../x", "run id '../x': use at most 100 letters"),
    ("import scores.csv --layout tall", "layout is 'tall'; choose one of"),
    ("import .", "manifest.json: no manifest of an exported run"),
    ("export --run nothing new", "run 'nothing' is not in the warehouse; it has ['theirs']"),
    ("export scores.csv", "scores.csv exists already; name a folder that does not"),
    ("export scores.csv/new", "cannot be written"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input_gets_one_line_and_exit_code_2_and_changes_nothing(
    home: Path,
    scores: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    said(capsys, "import", scores, "--run-id", "theirs")
    monkeypatch.chdir(tmp_path)
    files.write(files.long_frame(), tmp_path / "scores.csv")
    text = pl.col("score").cast(pl.String())
    rows = files.long_frame().with_columns(
        score=pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("good")).otherwise(text)
    )
    rows.write_csv(tmp_path / "bad.csv")
    build, before = store.build_id(home), sorted(tmp_path.rglob("*"))
    assert main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert message in line
    assert store.build_id(home) == build
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_warehouse_without_the_recorded_run_has_nothing_to_export(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_exchange, "RECORDED", tmp_path / "none")
    assert main(["export", str(tmp_path / "new")]) == 2
    assert "righttree run --profile quick" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, scores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "file" / "home"))
    assert main(["import", str(scores)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_recorded_run_is_published_where_nothing_is_and_nowhere_else(
    smoke_home: Path, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "recorded"
    assert runs_exchange.publish_recorded(home, folder) is None
    assert not home.exists()
    exchange.export_run(smoke_home, SMOKE_RUN, folder)
    published = runs_exchange.publish_recorded(home, folder)
    assert published is not None
    assert published.run_id == SMOKE_RUN
    for name in ("score", "run"):
        with store.open_read_only(home) as here, store.open_read_only(smoke_home) as there:
            ours, theirs = (one.execute(f"SELECT * FROM {name} ORDER BY ALL").pl() for one in (here, there))
        assert ours.equals(theirs)
    build = store.build_id(home)
    assert runs_exchange.publish_recorded(home, folder) is None
    assert store.build_id(home) == build
