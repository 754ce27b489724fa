"""Outcomes on a run: imported beside scores, added to a published run, exported and published again."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.conftest import SMOKE_RUN
from tests.helpers.publishing import copy_of
from tests.helpers.study import Study, publish
from tests.warehouse.exchange import files
from warehouse import ingest, reads, store

ELO = "reward_model,outcome,value,standard_error\nrm-00,elo,1100,10\nrm-01,elo,1050,\nunknown,elo,900,5\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def elo(tmp_path: Path) -> Path:
    path = tmp_path / "elo.csv"
    path.write_text(ELO)
    return path


def stored(home: Path, run_id: str) -> dict[tuple[str, str], tuple[float, float | None]]:
    with store.open_read_only(home) as connection:
        rows = reads.outcomes.outcomes(connection, run_id).rows(named=True)
    return {(row["outcome"], row["reward_model_id"]): (row["value"], row["standard_error"]) for row in rows}


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_columns_of_no_use_are_left_out_and_said(home: Path, elo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, Study())
    elo.write_text("reward_model,outcome,value,year,notes\nrm-00,elo,1100,2026,x\n")
    code, out, _ = run(capsys, "outcomes", elo, "--run", "simulated")
    assert code == 0
    assert "elo of 1 reward model, no standard errors; columns left out: year, notes;" in out


def test_outcomes_join_a_published_run_and_replace_what_it_had(
    home: Path, elo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, Study(ppo_steps=(5,)))
    before = store.build_id(home)
    code, out, _ = run(capsys, "outcomes", elo, "--run", "simulated")
    assert code == 0
    assert "elo of 2 reward models, standard errors of 1; left out, as the run does not have them: unknown" in out
    assert store.build_id(home) != before
    assert stored(home, "simulated") == {("elo", "rm-00"): (1100.0, 10.0), ("elo", "rm-01"): (1050.0, None)}
    elo.write_text("reward_model,outcome,value\nrm-01,elo,1060\nrm-02,loss,3\n")
    code, out, _ = run(capsys, "outcomes", elo, "--run", "simulated", "--smaller-is-better", "loss", "--json")
    assert json.loads(out) == {"run": "simulated", "outcomes": ["-loss", "elo"], "left_out": []}
    assert stored(home, "simulated") == {
        ("-loss", "rm-02"): (-3.0, None),
        ("elo", "rm-00"): (1100.0, 10.0),
        ("elo", "rm-01"): (1060.0, None),
    }


def test_what_is_wrong_leaves_the_published_run_as_it_is(
    home: Path, elo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, Study())
    before = store.build_id(home)
    for arguments, message in (
        ((elo, "--run", "other"), "run 'other' is not in the warehouse"),
        ((elo, "--run", "simulated", "--incomplete", "refuse"), "does not have the reward models unknown"),
        ((elo.with_name("none.csv"), "--run", "simulated"), "cannot be read"),
    ):
        code, _, err = run(capsys, "outcomes", *arguments)
        assert code == 2
        assert message in err
        assert err.count("\n") == 1
    assert store.build_id(home) == before


def test_outcomes_are_imported_beside_scores_and_survive_export_and_import(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = files.write(files.long_frame(prompts=6, responses=3), tmp_path / "scores.parquet")
    models = files.long_frame(prompts=6, responses=3)["reward_model"].unique().sort().to_list()
    outcomes = pl.DataFrame({"reward_model": models, "outcome": "win rate", "value": [0.5 + m / 10 for m in range(3)]})
    path = files.write(outcomes, tmp_path / "outcomes.csv")
    code, out, _ = run(capsys, "import", scores, path, "--run-id", "theirs")
    assert code == 0
    assert "outcomes: win rate of 3 reward models, no standard errors" in out
    expected = stored(home, "theirs")
    assert expected == {("win rate", name): (0.5 + m / 10, None) for m, name in enumerate(models)}
    assert run(capsys, "export", tmp_path / "exported", "--run", "theirs")[0] == 0
    assert run(capsys, "import", tmp_path / "exported", "--run-id", "again")[0] == 0
    assert stored(home, "again") == expected


def test_a_run_with_a_directory_keeps_its_outcomes_when_it_is_published_again(
    smoke_home: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_of(smoke_home, home)
    assert run(capsys, "publish", SMOKE_RUN)[0] == 0
    with store.open_read_only(home) as connection:
        first = reads.runs.reward_models(connection, SMOKE_RUN)["reward_model_id"][0]
    path = tmp_path / "elo.csv"
    path.write_text(f"reward_model,outcome,value\n{first},elo,1000\n")
    assert run(capsys, "outcomes", path, "--run", SMOKE_RUN)[0] == 0
    assert run(capsys, "publish", SMOKE_RUN)[0] == 0
    assert stored(home, SMOKE_RUN) == {("elo", first): (1000.0, None)}


def test_a_failed_publish_leaves_the_directory_without_the_outcomes(
    smoke_home: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_of(smoke_home, home)
    assert run(capsys, "publish", SMOKE_RUN)[0] == 0
    with store.open_read_only(home) as connection:
        first = reads.runs.reward_models(connection, SMOKE_RUN)["reward_model_id"][0]
    path = tmp_path / "elo.csv"
    path.write_text(f"reward_model,outcome,value\n{first},elo,1000\n")

    def fails(*_: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(ingest, "replace_table", fails)
    assert run(capsys, "outcomes", path, "--run", SMOKE_RUN)[0] == 1
    monkeypatch.undo()
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))
    assert run(capsys, "publish", SMOKE_RUN)[0] == 0
    assert stored(home, SMOKE_RUN) == {}
