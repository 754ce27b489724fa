"""Whatever a file holds: it becomes a sheet, or one line says what is wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet

NAMES = ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.txt", "a.arrow", "a.parquet", "a"]
KEYS = ["data", "columns", "index", "schema", "rows", "row", "row_idx", "results", "a", "0", "1"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("\ud800")
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(st.sampled_from(",;\t\"\n\r'ab1.{}[]:é\x00"), max_size=40).map(str.encode)
FUZZ = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


def attempt(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        message = ""
        try:
            sheet = read_sheet(path)
        except InvalidRows as error:
            message = str(error)
        else:
            assert all(len(sheet.values(column)) == sheet.frame.height > 0 for column in sheet.frame.columns)
        assert "\n" not in message


@FUZZ
@given(VALUES, st.sampled_from(NAMES))
def test_any_json_is_a_sheet_or_one_line(value: object, name: str) -> None:
    attempt(name, json.dumps(value).encode())


@FUZZ
@given(st.binary(max_size=60) | TEXTS, st.sampled_from(NAMES))
def test_any_bytes_are_a_sheet_or_one_line(content: bytes, name: str) -> None:
    attempt(name, content)
