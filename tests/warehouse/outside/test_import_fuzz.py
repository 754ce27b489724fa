"""Whatever the bytes are, an import says what is wrong or succeeds, and writes nothing when it does not."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.outside import import_files
from tests.warehouse.outside import files
from warehouse import outside
from warehouse.errors import WarehouseError

SUFFIXES = (".parquet", ".csv", ".jsonl", ".json")
FACTS = outside.Facts("theirs", "auto", "", "", 0.0, "", {}, {})
KINDS = ("long", "wide", "rewardbench", "rm-bench", "preferences", "values")
WORDS = [
    b"",
    b",",
    b'"',
    b"\n",
    b"nan",
    b"1e999",
    b"null",
    b"NaN",
    b"[",
    b"]",
    b"{}",
    b"\xff",
    b"\x00",
    b"\xed\xa0\x80",
]
WORDS += [
    b"\\ud800",
    b"-",
    b"p0",
    b"r1",
    b"9" * 400,
    b"9" * 5000,
    b"[1]",
    b"#rm",
    b"|",
    b"true",
    b"\r",
    b"\xef\xbb\xbf",
]


def valid(kind: str, suffix: str) -> bytes:
    frame = files.described(files.long_frame(prompts=2, responses=2, models=("big", "mid")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        if kind in ("rewardbench", "rm-bench"):
            items = [item | {"model": model} for m, model in enumerate("ab") for item in files.rewardbench_items(m, 2)]
            if kind == "rm-bench":
                items = [
                    {"id": number % 2, "prompt": "q", "chosen": '["a", "b"]', "rejected": "['c', 'd']"}
                    | {"subset": "math", "model": item["model"], "score_chosen": "[1, 2]", "score_rejected": "[3, 4]"}
                    for number, item in enumerate(items)
                ]
            frame = pl.DataFrame(items)
        elif kind == "wide":
            frame = files.wide_frame(frame)
        elif kind == "preferences":
            frame = files.preferences_frame()
        elif kind == "values":
            frame = files.values_frame(("p0", "p1"), ("big", "mid"))
        return files.write(frame, path).read_bytes()


SAMPLES = {(kind, suffix): valid(kind, suffix) for kind in KINDS for suffix in SUFFIXES}
SCORES = SAMPLES["long", ".parquet"]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A valid file with some places cut out, doubled or overwritten."""
    kind, suffix = draw(st.sampled_from(sorted(SAMPLES)))
    content = SAMPLES[kind, suffix]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 8, 40])))
        middle = draw(st.sampled_from([*WORDS, content[start:end] * 2]) | st.binary(max_size=4))
        content = content[:start] + middle + content[end:]
    return kind, suffix, content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 7)) == 0 else content


def attempt(folder: Path, contents: dict[str, bytes]) -> bool:
    """Whether the files make rows; raises for anything but a WarehouseError, and for one of several lines."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    try:
        outside.build(*outside.read_files([folder / name for name in contents]), FACTS)
    except WarehouseError as error:
        message = str(error)
    else:
        return True
    assert "\n" not in message
    return False


def test_the_samples_themselves_are_valid(tmp_path: Path) -> None:
    for (kind, suffix), content in SAMPLES.items():
        beside = {"scores.parquet": SCORES} if kind in ("preferences", "values") else {}
        assert attempt(tmp_path, beside | {f"a{suffix}": content}), (kind, suffix)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=300), with_magic=st.booleans())
def test_random_bytes_are_refused(suffix: str, content: bytes, with_magic: bool) -> None:
    content = b"PAR1" + content + b"PAR1" if with_magic and suffix == ".parquet" else content
    with tempfile.TemporaryDirectory() as folder:
        assert not attempt(Path(folder), {f"a{suffix}": content})


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_mutations_of_valid_files_are_refused_or_taken(sample: tuple[str, str, bytes]) -> None:
    kind, suffix, content = sample
    with tempfile.TemporaryDirectory() as folder:
        beside = {"scores.parquet": SCORES} if kind in ("preferences", "values") else {}
        attempt(Path(folder), beside | {f"a{suffix}": content})


CELL = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.dictionaries(st.sampled_from(["prompt_id", "response_id", "score", "chosen", "id"]), CELL), max_size=4)
)
def test_any_json_is_refused_or_taken(items: list[dict[str, object]]) -> None:
    content = "\n".join(json.dumps(item) for item in items).encode()
    with tempfile.TemporaryDirectory() as folder:
        attempt(Path(folder), {"a.jsonl": content})


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_nothing_is_written_on_error(sample: tuple[str, str, bytes]) -> None:
    kind, suffix, content = sample
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        paths = [Path(folder) / f"a{suffix}"]
        paths[0].write_bytes(content)
        if kind in ("preferences", "values"):
            paths.append(Path(folder) / "scores.parquet")
            paths[1].write_bytes(SCORES)
        try:
            import_files(data, paths, "theirs", "auto")
        except WarehouseError:
            assert not data.exists()
        else:
            assert (data / "warehouse.duckdb").exists()


def test_a_file_of_another_kind_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    for (kind, suffix), content in SAMPLES.items():
        for other in set(SUFFIXES) - {suffix}:
            if (suffix, other) != (".json", ".jsonl") and kind == "long":
                assert not attempt(tmp_path, {f"a{other}": content}), (suffix, other)
