"""Files of every kind, from everywhere; and one clear line for those that are none."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.tables import tables
from pipeline.errors import InvalidDataSet
from tests.pipeline.data_sets import hub
from warehouse.exchange.reading.mapping import parsed


def same_rows(folder: Path) -> list[Path]:
    """RM-Bench's rows in every format, lists as text where the format has none."""
    rows = hub.RM_BENCH
    lists = [{key: json.dumps(v) if isinstance(v, list) else v for key, v in row.items()} for row in rows]
    names = list(rows[0])
    quoted = [",".join('"' + str(row[name]).replace('"', '""') + '"' for name in names) for row in lists]
    table = "\n".join([",".join(names), *quoted]) + "\n"
    (folder / "a.csv").write_text(table)
    (folder / "b.csv.gz").write_bytes(gzip.compress(table.encode()))
    (folder / "c.json").write_text(json.dumps(rows))
    (folder / "d.json").write_text(json.dumps({name: [row[name] for row in rows] for name in names}))
    hub.jsonl(folder / "e.jsonl", rows)
    (folder / "f.jsonl.gz").write_bytes(gzip.compress((folder / "e.jsonl").read_bytes()))
    hub.parquet(folder / "g[1].parquet", rows)
    (folder / "notes.txt").write_text("not data")
    return sorted(path for path in folder.iterdir() if path.suffix != ".txt")


def test_every_format_gives_the_same_pairs(tmp_path: Path) -> None:
    found = [gather([str(path)])[0] for path in same_rows(tmp_path)]
    assert found[0].height == 9
    assert len(found) == 7
    assert all(pairs.equals(found[0]) for pairs in found)


def test_a_large_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"n": n, "list": [n], "rare": {"x": n} if n == 70 else None} for n in range(100)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=10)
    hub.jsonl(tmp_path / "a.jsonl", [{key: cell for key, cell in row.items() if cell is not None} for row in rows])
    monkeypatch.setattr("warehouse.exchange.reading.json_rows._PART_BYTES", 100)
    for table in tables(str(tmp_path)):
        assert table.columns == ("n", "list", "rare")
        assert list(table.rows(table.columns)) == rows
        assert list(table.rows(("rare", "n"), 3)) == [{"rare": None, "n": n} for n in range(3)]
        heights = [frame.height for frame in islice(table.read(("n",), None), 2)]
        assert max(heights) < 100 or table.name == "a.parquet"


def test_columns_of_a_table_have_the_names_that_are_given(tmp_path: Path) -> None:
    rows = [{"id": n, "meta": {"ask": "q"}, "answers": [{"text": "a"}, {"text": "b"}]} for n in range(2)]
    hub.jsonl(tmp_path / "a.jsonl", rows)
    hub.parquet(tmp_path / "b.parquet", rows)
    (tmp_path / "c.json").write_text(json.dumps(rows))
    columns = parsed("prompt=meta.ask,chosen=answers.0.text,rejected=answers.1.text,source=id")
    for table in tables(str(tmp_path), columns):
        assert set(table.columns) == {"meta", "answers", "prompt", "chosen", "rejected", "source"}
        row = next(table.rows(("prompt", "chosen", "rejected", "source")))
        assert row == {"prompt": "q", "chosen": "a", "rejected": "b", "source": 0}
    with pytest.raises(InvalidDataSet, match=r"a.jsonl: --map prompt=ask: no column ask; the columns are id, meta"):
        list(tables(str(tmp_path / "a.jsonl"), parsed("prompt=ask")))


def test_a_folder_is_its_files_in_order_and_deep(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for path in same_rows(tmp_path / "deep"):
        assert path.exists()
    assert [table.name for table in tables(str(tmp_path))] == [
        path.name for path in sorted((tmp_path / "deep").iterdir()) if path.suffix != ".txt"
    ]
    counts = gather([str(tmp_path)]).counts
    assert counts.select("rows", "pairs", "kept", "duplicate").row(0) == (7, 63, 9, 54)


def refused(*places: Path | str, name: str | None = None) -> str:
    with pytest.raises(InvalidDataSet) as caught:
        gather([str(place) for place in places], name=name)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_fits_none_gets_a_line_with_its_columns(tmp_path: Path) -> None:
    path = hub.jsonl(tmp_path / "other.jsonl", [{"question": "q", "answer": "a"}])
    assert refused(path) == (
        "other.jsonl: columns ['question', 'answer'] match no known data set; give prompt, chosen and "
        "rejected as texts or messages, or say with --map prompt=…,chosen=… what they are"
    )


def test_a_wrong_name_gets_a_line(tmp_path: Path) -> None:
    path = hub.parquet(tmp_path / "nectar.parquet", hub.NECTAR)
    assert "unknown; use one of ['nectar', " in refused(path, name="nektar")
    assert "nectar.parquet is not hh-rlhf: it has no column chosen; leave the name out" in refused(path, name="hh-rlhf")
    hh = hub.jsonl(tmp_path / "own.jsonl", hub.OWN)
    assert "own.jsonl is not hh-rlhf: it has column prompt" in refused(hh, name="hh-rlhf")
    texts = hub.jsonl(tmp_path / "texts.jsonl", [{"chosen": "a", "rejected": "b"}])
    assert "texts.jsonl is not messages: column chosen holds 'a', expected messages" in refused(texts, name="messages")


@pytest.mark.parametrize(
    ("rows", "changed", "line"),
    [
        (hub.MT_BENCH, {"winner": "gpt-4"}, "unreadable, first in row 2, column winner: got 'gpt-4'; expected model_a"),
        (hub.MT_BENCH, {"turn": 0}, "unreadable, first in row 2, column turn: got 0; expected a number from 1"),
        (
            hub.SAFE_RLHF,
            {"better_response_id": 2},
            "unreadable, first in row 2, column better_response_id: got 2; expec",
        ),
        (
            hub.CAPYBARA,
            {"chosen": [{"role": "tool", "content": "x"}], "rating_chosen": 3},
            "unknown role, first in row 2, column chosen: got 'tool'; expected a role, one of user, assistant, system",
        ),
    ],
)
def test_a_wrong_cell_drops_its_row_only_and_is_said(
    rows: hub.Rows, changed: dict[str, object], line: str, tmp_path: Path
) -> None:
    path = hub.jsonl(tmp_path / "file.jsonl", [rows[0], rows[1] | changed])
    pairs, counts, remarks = gather([str(path)])
    assert pairs.height == counts["kept"].item() == 1
    assert counts[line.split(",")[0]].item() == 1
    assert remarks[-1].startswith(f"file.jsonl: {line}")


def test_categories_and_subsets_of_ones_own_are_kept(tmp_path: Path) -> None:
    poems = hub.jsonl(tmp_path / "own.jsonl", [hub.OWN[0] | {"category": "Poems"}])
    assert gather([str(poems)]).pairs["category"].to_list() == ["Poems"]
    unknown = hub.jsonl(tmp_path / "rb.jsonl", [hub.REWARDBENCH[0] | {"subset": "poems"}])
    assert gather([str(unknown)]).pairs.select("category", "subset").row(0) == (None, "poems")


def test_places_that_cannot_be_read_get_a_line(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "absent.parquet")
    assert "cannot be read" in refused(tmp_path / "absent.jsonl")
    assert "no file in this folder ends with one of" in refused(tmp_path)
    (tmp_path / "a.txt").write_text("not data")
    assert "a.txt: unknown extension '.txt'; give one of .parquet" in refused(tmp_path / "a.txt")
    (tmp_path / "cut.parquet").write_bytes(hub.parquet(tmp_path / "whole.parquet", hub.OWN).read_bytes()[:200])
    assert "cut.parquet: cannot be read" in refused(tmp_path / "cut.parquet")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "p"}\n')[:-9])
    assert "cut.jsonl.gz: cannot be read" in refused(tmp_path / "cut.jsonl.gz")
    (tmp_path / "cut.jsonl").write_text('{"prompt": "p"}\n{"prom')
    assert "cut.jsonl, row 2 (line 2): no whole JSON" in refused(tmp_path / "cut.jsonl")
    assert "files that end with '.json' cannot be read from the hub, only .parquet" in refused(
        "hf://datasets/THU-KEG/RM-Bench/total_dataset.json"
    )


@pytest.mark.parametrize(
    "wrong", [{"validation_share": 1.0}, {"ranked_pairs": 0}, {"pairs_per_source": 0}, {"seed": -1}]
)
def test_rules_that_make_no_sense_get_a_line(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidDataSet, match="give"):
        Rules(**wrong)  # type: ignore[arg-type]
