"""Out of the warehouse and back in: not a bit is lost, and what was changed on the way is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InvalidConfig
from pipeline.runs.exchange import export_run, import_files
from tests.conftest import SMOKE_RUN
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import tables
from warehouse import reads, store
from warehouse.errors import InvalidChoice, InvalidRows, NoWarehouse, UnknownName
from warehouse.schema import TABLES


@pytest.fixture
def exported(tmp_path: Path, data: Path) -> Path:
    """An exported run of every kind of row that can be imported."""
    given = [
        files.write(files.described(files.long_frame()), tmp_path / "scores.parquet"),
        files.write(files.preferences_frame(), tmp_path / "pairs.csv"),
        files.write(files.values_frame(), tmp_path / "ppo.csv"),
    ]
    import_files(data, given, "theirs", "auto")
    export_run(data, "theirs", tmp_path / "out")
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_roundtrip(data: Path, run_id: str, tmp_path: Path) -> None:
    first, second, home = tmp_path / "first", tmp_path / "second", tmp_path / "home"
    export_run(data, run_id, first)
    assert {path.name for path in first.iterdir()} == {f"{name}.parquet" for name in TABLES} | {"manifest.json"}
    import_files(home, [first], None, "auto")
    export_run(home, None, second)
    for name, table in TABLES.items():
        out, back = (pl.read_parquet(folder / f"{name}.parquet") for folder in (first, second))
        assert out.schema == table.polars_schema
        assert out.equals(back), name
    assert contents(first) == contents(second)
    assert all(frame.equals(tables(data)[name].filter(run_id=run_id)) for name, frame in tables(home).items())


def test_a_real_run_comes_back_as_it_was(smoke_home: Path, tmp_path: Path) -> None:
    check_roundtrip(smoke_home, SMOKE_RUN, tmp_path)


def test_a_rounded_run_is_smaller_and_off_by_a_thousandth_of_a_deviation(smoke_home: Path, tmp_path: Path) -> None:
    export_run(smoke_home, SMOKE_RUN, tmp_path / "whole")
    export_run(smoke_home, SMOKE_RUN, tmp_path / "rounded", in_fewer_digits=True)
    import_files(tmp_path / "home", [tmp_path / "rounded"], None, "auto")
    bytes_of = {name: (tmp_path / name / "score.parquet").stat().st_size for name in ("whole", "rounded")}
    assert bytes_of["rounded"] < 0.95 * bytes_of["whole"]  # of few rows; of millions the half
    before, after = tables(smoke_home), tables(tmp_path / "home")
    deviations = before["score"].group_by("reward_model_id").agg(sd=pl.col("score").std())
    for table, scorer, column in (("score", "reward_model_id", "score"), ("policy_value", "golden_id", "value")):
        keys = list(TABLES[table].keys)
        both = before[table].filter(run_id=SMOKE_RUN).join(after[table], on=keys, validate="1:1")
        both = both.join(deviations, left_on=scorer, right_on="reward_model_id")
        off = (pl.col(column) - pl.col(f"{column}_right")).abs() / pl.col("sd")
        assert both.height == after[table].height > 0
        assert 0.0 < both.select(off.max()).item() <= 1 / 1000
    with store.open_read_only(smoke_home) as whole, store.open_read_only(tmp_path / "home") as rounded:
        stored, computed = (reads.values.policy_values(home, SMOKE_RUN, "bon", 4.0) for home in (whole, rounded))
    np.testing.assert_allclose(computed.optimised_MMQ, stored.optimised_MMQ, atol=0.001 * deviations["sd"].max())
    rest = [name for name in TABLES if name not in ("score", "policy_value")]
    assert all(after[name].equals(before[name].filter(run_id=SMOKE_RUN)) for name in rest)


def test_scores_that_do_not_vary_are_not_rounded(data: Path, tmp_path: Path) -> None:
    constant = files.long_frame().with_columns(score=pl.lit(0.123456789))
    import_files(data, [files.write(files.described(constant), tmp_path / "scores.parquet")], "constant", "auto")
    export_run(data, "constant", tmp_path / "rounded", in_fewer_digits=True)
    assert pl.read_parquet(tmp_path / "rounded" / "score.parquet")["score"].unique().to_list() == [
        np.float32(0.123456789)
    ]


def test_an_imported_run_comes_back_as_it_was(data: Path, exported: Path, tmp_path: Path) -> None:
    assert exported.is_dir()
    check_roundtrip(data, "theirs", tmp_path)


def test_a_run_may_come_back_under_another_id(data: Path, exported: Path) -> None:
    with pytest.raises(InvalidConfig, match="run 'theirs' exists already"):
        import_files(data, [exported], None, "auto")
    line = import_files(data, [exported], "again", "auto").line
    assert line.startswith("again: 3 reward models")
    found = tables(data)
    for name, frame in found.items():
        again, first = (frame.filter(run_id=run_id).drop("run_id") for run_id in ("again", "theirs"))
        assert again.equals(first), name


def test_an_existing_target_is_refused(data: Path, exported: Path) -> None:
    before = contents(exported)
    with pytest.raises(InvalidChoice, match="exists already; name a folder that does not"):
        export_run(data, "theirs", exported)
    assert contents(exported) == before


def test_an_unknown_run_leaves_nothing_behind(data: Path, exported: Path, tmp_path: Path) -> None:
    assert exported.is_dir()
    with pytest.raises(UnknownName, match=r"run 'gone' is not in the warehouse; it has \['theirs'\]"):
        export_run(data, "gone", tmp_path / "new")
    with pytest.raises(NoWarehouse):
        export_run(tmp_path / "nowhere", None, tmp_path / "new")
    assert not list(tmp_path.glob("new*"))
    assert not list(tmp_path.glob(".partial-*"))


def test_a_changed_cut_or_missing_file_is_refused(data: Path, exported: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = exported / "score.parquet"
    whole = path.read_bytes()
    for content in (whole[:-9], whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], b""):
        path.write_bytes(content)
        with pytest.raises(InvalidRows, match=r"score\.parquet: not the file that was exported"):
            import_files(home, [exported], None, "auto")
    path.unlink()
    with pytest.raises(InvalidRows, match=r"score\.parquet: cannot be read"):
        import_files(home, [exported], None, "auto")
    assert not home.exists()


@pytest.mark.parametrize(
    "change",
    [{"format": "other"}, {"tables": {}}, {"tables": {"score": 1}}, {"run_id": 7}, {"run_id": "../x"}],
    ids=str,
)
def test_a_manifest_that_is_none_is_refused(exported: Path, tmp_path: Path, change: dict[str, object]) -> None:
    path = exported / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((InvalidRows, InvalidConfig)):
        import_files(tmp_path / "home", [exported], None, "auto")
    assert not (tmp_path / "home").exists()


def test_a_folder_without_manifest_or_beside_files_is_refused(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InvalidRows, match=r"manifest\.json: no manifest of an exported run"):
        import_files(tmp_path / "home", [tmp_path / "other"], None, "auto")
    with pytest.raises(InvalidRows, match="an exported run is imported alone"):
        import_files(tmp_path / "home", [exported, tmp_path / "scores.parquet"], None, "auto")
