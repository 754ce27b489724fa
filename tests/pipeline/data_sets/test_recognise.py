"""What a file is recognised as, and what is said of one that could mean several things."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.data_sets.gather import gather
from pipeline.data_sets.pairs import Reason
from pipeline.errors import InvalidDataSet
from tests.pipeline.data_sets import hub
from warehouse.exchange.reading.mapping import parsed


def refused(path: Path, name: str | None = None) -> str:
    with pytest.raises(InvalidDataSet) as caught:
        gather([str(path)], name=name)
    return str(caught.value)


def votes(column: str, *cells: object) -> hub.Rows:
    return [{"prompt": f"p{n}", "response_a": "a", "response_b": "b", column: cell} for n, cell in enumerate(cells)]


def test_two_responses_without_a_verdict_say_what_is_missing(tmp_path: Path) -> None:
    path = hub.jsonl(tmp_path / "file.jsonl", votes("language", "English"))
    assert refused(path).endswith(
        "it has two responses, response_a and response_b, but no column that says which is better: add winner with "
        "model_a, model_b or tie"
    )


@pytest.mark.parametrize("cells", [(1, 0), (1, -1)])
def test_a_number_that_may_mean_either_response_is_no_guess(cells: tuple[int, int], tmp_path: Path) -> None:
    path = hub.jsonl(tmp_path / "file.jsonl", votes("label", *cells))
    assert refused(path).endswith("1 in label may mean either response: write model_a, model_b or tie in it")


def test_messages_as_text_are_messages_in_any_column_and_kind_of_file(tmp_path: Path) -> None:
    row = {
        name: json.dumps(cell)
        for name, cell in {"chosen": hub.messages("p", "a"), "rejected": hub.messages("p", "b")}.items()
    }
    for path in (hub.jsonl(tmp_path / "a.jsonl", [row]), hub.parquet(tmp_path / "a.parquet", [row])):
        assert gather([str(path)]).pairs.select("prompt", "chosen", "rejected").rows() == [("p", "a", "b")]


def test_messages_as_numpy_prints_them_are_messages(tmp_path: Path) -> None:
    cells = [f"[{{'content': 'p', 'role': 'user'}}\n {{'content': '{text}', 'role': 'assistant'}}]" for text in "ab"]
    path = tmp_path / "pandas.csv"
    path.write_text('chosen,rejected\n"{}","{}"\n'.format(*cells))
    assert gather([str(path)]).pairs.select("prompt", "chosen", "rejected").rows() == [("p", "a", "b")]


def test_own_reads_what_a_known_data_set_would_read_otherwise(tmp_path: Path) -> None:
    path = str(hub.jsonl(tmp_path / "file.jsonl", [row | {"source": "mine"} for row in hub.REWARDBENCH]))
    assert set(gather([path], name="own").pairs["source"]) == {"mine"}
    assert set(gather([path]).pairs["source"]) == {"rewardbench"}


def test_an_odd_first_row_does_not_change_what_the_others_are(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": None, "rejected": None}, *hub.OWN[:2]]
    counts = gather([str(hub.jsonl(tmp_path / "file.jsonl", rows))]).counts
    assert counts["kept"].sum() == 2
    assert counts[str(Reason.EMPTY)].sum() == 1


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    path = hub.jsonl(tmp_path / "file.jsonl", [{"frage": "p", "antworten": {"gut": "a"}, "schlecht": "b", "nr": 3}])
    assert refused(path).endswith("or say with --map prompt=…,chosen=… what they are")
    gathered = gather([str(path)], columns=parsed("prompt=frage,chosen=antworten.gut,rejected=schlecht"))
    assert gathered.pairs.select("prompt", "chosen", "rejected").rows() == [("p", "a", "b")]
    assert gathered.remarks == ("file.jsonl read as own; columns left out: nr",)


def test_a_known_name_says_what_the_file_lacks(tmp_path: Path) -> None:
    lists = hub.jsonl(tmp_path / "file.jsonl", [{"prompt": "p", "chosen": ["a"], "rejected": ["b"]}])
    assert "is not rm-bench: it has none of the columns domain, subset;" in refused(lists, "rm-bench")
    assert "is not votes: it has the columns of own;" in refused(lists, "votes")
