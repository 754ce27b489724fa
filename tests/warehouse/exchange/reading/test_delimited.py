"""CSV files are read whole, several at the same time too, and without changing a setting of the process."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.errors import InvalidRows
from warehouse.exchange.reading.delimited import read_delimited

LIMIT = csv.field_size_limit()


def test_files_with_huge_fields_are_read_by_several_threads_at_the_same_time() -> None:
    texts = [str(number) * (LIMIT * (number + 2)) for number in range(4)]
    begin = Barrier(len(texts))

    def read(text: str) -> list[str]:
        content = f'id,text\n1,{text}\n2,"{text}"\n'.encode()
        begin.wait()
        return [cell for _ in range(5) for cell in read_delimited("a.csv", content).frame["text"]]

    with ThreadPoolExecutor(len(texts)) as threads:
        for text, cells in zip(texts, threads.map(read, texts), strict=True):
            assert cells == [text] * 10
    assert csv.field_size_limit() == LIMIT


def test_reading_leaves_the_limit_of_the_process_as_it_is() -> None:
    code = (
        "import csv; csv.field_size_limit = None\n"  # whoever calls it fails
        "from warehouse.exchange.reading.delimited import read_delimited\n"
        "read_delimited('a.csv', b'a,b\\n' + b'x' * 10**6 + b',y\\n')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a,b\n1,2\n"x"y,2\n', "a.csv, line 3: no CSV (a quote in the middle of a field)"),
        (b'a,b\n"1\n2",3\nx"y,2\n', "a.csv, line 4: no CSV (a quote in the middle of a field)"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "a.csv, line 3: no CSV (unexpected end of data)"),
        (b'a,b\n\n"1\n2",3\n4\n', "a.csv, row 2 (line 5), column b: got 1 fields, wanted 2"),
        (b'a,b\r\n"1\r\n2",3\r\n4,5,6\r\n', "a.csv, row 2 (line 4), column b: got 3 fields, wanted 2"),
        (b'a,b\n"1,\n2",3\n4,"\n\xe9"\n', "a.csv, row 2 (line 5), column b: byte 0xe9 is no UTF-8"),
        (b"a,b\n1,2\n3,4", "a.csv, row 2 (line 3), column b: the last line does not end"),
        (b"\n\r\n", "a.csv, line 1: got no columns"),
        (b"# scores\na,b\n", "a.csv, row 1 (line 2), column # scores: got 2 fields, wanted 1; the first line has to"),
    ],
)
def test_what_is_broken_is_named_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(InvalidRows) as raised:
        read_delimited("a.csv", content)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(("cell", "is_decimal"), [("0,5", True), ("1,2345", True), ("1,234", False)])
def test_decimal_commas_in_quotes_are_read_unless_they_may_be_thousands(cell: str, is_decimal: bool) -> None:
    sheet = read_delimited("a.csv", f'a,b\n"{cell}",x\n'.encode())
    assert sheet.decimal_comma == is_decimal
    assert bool(sheet.notes) == is_decimal


CELLS = st.text(st.sampled_from("ab,\"'\n\r\t #é🐿\x00") | st.characters(exclude_categories=["Cs"]), max_size=5)
TABLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1))


@settings(deadline=None, max_examples=300)
@given(TABLES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_any_table_is_read_as_python_reads_it(rows: list[list[str]], line_end: str, quoting: int) -> None:
    file = io.StringIO(newline="")
    if any(character in cell for row in rows for cell in row for character in "\r\n"):
        quoting = csv.QUOTE_ALL  # before Python 3.13 the minimum leaves out line breaks other than its own
    writer = csv.writer(file, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow([f"column {number}" for number in range(len(rows[0]))])
    writer.writerows(rows)
    sheet = read_delimited("a.csv", file.getvalue().encode())
    reader = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)
    expected = [(row, reader.line_num) for row in reader if row][1:]
    assert [list(row) for row in sheet.frame.iter_rows()] == [row for row, _ in expected]
    assert list(sheet.lines) == [line for _, line in expected]
