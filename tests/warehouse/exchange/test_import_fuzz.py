"""Whatever the bytes are: an import says in which file what is wrong, or makes rows that the warehouse takes.

And whatever a whole study looks like, in every format and form, the scores that come out are those that went in.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.runs.exchange import import_files
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import rows_of
from tests.warehouse.rows import inserted
from warehouse.errors import WarehouseError
from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import source

SUFFIXES = (".parquet", ".csv", ".jsonl", ".json")
KINDS = ("long", "wide", "rewardbench", "rm-bench", "preferences", "values")
WORDS = [
    b"",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"nan",
    b"1e999",
    b"null",
    b"NaN",
    b"[",
    b"]",
    b"[1]",
    b"{}",
    b"-",
    b"|",
    b"#rm",
]
WORDS += [b"p0", b"r1", b"true", b"\\ud800", b"9" * 400, b"9" * 5000]
WORDS += [b"\xff", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf"]
FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck))


def valid(kind: str, suffix: str) -> bytes:
    frame = files.described(files.long_frame(prompts=2, responses=2, models=("big", "mid")))
    if kind == "wide":
        frame = files.wide_frame(frame)
    elif kind == "rewardbench":
        frame = pl.DataFrame(
            [item | {"model": model} for m, model in enumerate("ab") for item in files.rewardbench_items(m, 2)]
        )
    elif kind == "rm-bench":
        texts = {"prompt": "q", "chosen": '["a", "b"]', "rejected": "['c', 'd']", "subset": "math"}
        scores = {"score_chosen": "[1, 2]", "score_rejected": "[3, 4]"}
        frame = pl.DataFrame([{"id": item, **texts, "model": model, **scores} for model in "ab" for item in (1, 2)])
    elif kind == "preferences":
        frame = files.preferences_frame()
    elif kind == "values":
        frame = files.values_frame(("p0", "p1"), ("big", "mid"))
    with tempfile.TemporaryDirectory() as folder:
        return files.write(frame, Path(folder) / f"a{suffix}").read_bytes()


SAMPLES = {(kind, suffix): valid(kind, suffix) for kind in KINDS for suffix in SUFFIXES}
SCORES = SAMPLES["long", ".parquet"]


def beside(kind: str) -> dict[str, bytes]:
    """What the kind needs beside it."""
    return {"scores.parquet": SCORES} if kind in ("preferences", "values") else {}


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A valid file with some places cut out, doubled or overwritten, one in eight of them cut off."""
    kind, suffix = draw(st.sampled_from(sorted(SAMPLES)))
    content = SAMPLES[kind, suffix]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 8, 40])))
        middle = draw(st.sampled_from([*WORDS, content[start:end] * 2]) | st.binary(max_size=4))
        content = content[:start] + middle + content[end:]
    return kind, suffix, content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 7)) == 0 else content


def attempt(folder: Path, contents: dict[str, bytes]) -> bool:
    """Whether the files make rows. Fails unless an error is one line that begins with a file, or the rows are valid."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    try:
        rows = rows_of([folder / name for name in contents])
    except WarehouseError as error:
        message = str(error)
    else:
        inserted(rows).close()
        return True
    assert "\n" not in message
    assert message.startswith(tuple(contents)), message
    return False


def test_the_samples_themselves_are_valid(tmp_path: Path) -> None:
    for (kind, suffix), content in SAMPLES.items():
        assert attempt(tmp_path, beside(kind) | {f"a{suffix}": content}), (kind, suffix)


def test_a_file_under_a_wrong_name_is_read_by_its_content_and_csv_refused_by_its_name(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        for other in set(SUFFIXES) - {suffix}:
            assert attempt(tmp_path, {f"a{other}": SAMPLES["long", suffix]}) == (suffix != ".csv"), (suffix, other)


@settings(FUZZ, max_examples=100)
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=300), with_magic=st.booleans())
def test_random_bytes_are_refused(suffix: str, content: bytes, with_magic: bool) -> None:
    content = b"PAR1" + content + b"PAR1" if with_magic and suffix == ".parquet" else content
    with tempfile.TemporaryDirectory() as folder:
        assert not attempt(Path(folder), {f"a{suffix}": content})


@settings(FUZZ, max_examples=400)
@given(mutated())
def test_mutations_of_valid_files_are_refused_or_taken_whole(sample: tuple[str, str, bytes]) -> None:
    kind, suffix, content = sample
    with tempfile.TemporaryDirectory() as folder:
        attempt(Path(folder), beside(kind) | {f"a{suffix}": content})


CELL = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())
IDS = st.sampled_from(["a", "b", 1, 1.0]) | CELL
LONG = st.fixed_dictionaries(
    {"prompt_id": IDS, "response_id": IDS, "reward_model": IDS, "score": st.floats(-9, 9) | CELL},
    optional={"split": st.sampled_from(["rm_test", "rl_test"]), "category": st.just("Chat"), "subset": CELL},
)
PAIR = st.fixed_dictionaries(
    {"chosen": CELL, "rejected": CELL}, optional={"id": IDS, "score_chosen": CELL, "score_rejected": CELL}
)


@settings(FUZZ, max_examples=150)
@given(st.lists(LONG, min_size=1, max_size=9) | st.lists(PAIR, min_size=1, max_size=4))
def test_any_json_is_refused_or_taken_whole(items: list[dict[str, Any]]) -> None:
    content = "\n".join(json.dumps(item) for item in items).encode()
    with tempfile.TemporaryDirectory() as folder:
        attempt(Path(folder), {"a.jsonl": content})


@settings(FUZZ, max_examples=25)
@given(mutated())
def test_nothing_is_written_on_error(sample: tuple[str, str, bytes]) -> None:
    kind, suffix, content = sample
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        contents = beside(kind) | {f"a{suffix}": content}
        for name, given_content in contents.items():
            (Path(folder) / name).write_bytes(given_content)
        try:
            import_files(data, [Path(folder) / name for name in contents], "theirs", "auto")
        except WarehouseError:
            assert not data.exists()
        else:
            assert (data / "warehouse.duckdb").exists()


NAMES = st.text(
    st.sampled_from("ab|#,'\"\n\r\t [0.é🐿") | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5
)

MEANT = {*source.KNOWN, *source.LABELS, *source.MODELS, *source.SCORES}
"""Names of columns that no reward model has in wide form, as those of `is_metadata`, such as `id`."""


@st.composite
def studies(draw: st.DrawFn) -> tuple[list[str], list[str], list[str], np.ndarray]:
    """Names of prompts, responses and reward models, and their scores `[M, P, R]`."""
    prompts, responses, models = (
        draw(st.lists(NAMES.filter(lambda name: name == name.strip()), min_size=2, max_size=3, unique=True))
        for _ in range(3)
    )
    assume(not any(is_metadata(model) or model in MEANT for model in models))
    shape = (len(models), len(prompts), len(responses))
    scores = draw(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=27, max_size=27))
    return prompts, responses, models, np.array(scores[: np.prod(shape)], dtype=np.float32).reshape(shape)


@settings(FUZZ, max_examples=60)
@given(
    study=studies(), suffix=st.sampled_from(SUFFIXES), form=st.sampled_from(["long", "wide"]), seed=st.integers(0, 99)
)
def test_any_study_is_taken_as_it_is(
    study: tuple[list[str], list[str], list[str], np.ndarray], suffix: str, form: str, seed: int
) -> None:
    prompts, responses, models, scores_MPR = study
    rows = [
        {"prompt_id": prompt, "response_id": response, "reward_model": model, "score": float(scores_MPR[m, p, r])}
        for m, model in enumerate(models)
        for p, prompt in enumerate(prompts)
        for r, response in enumerate(responses)
    ]
    frame = pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=seed)
    frame = files.wide_frame(frame) if form == "wide" else frame
    with tempfile.TemporaryDirectory() as folder:
        path = files.write(frame, Path(folder) / f"a{suffix}")
        rows_of_tables = rows_of([path], form)
    with inserted(rows_of_tables) as connection:
        stored = connection.execute("SELECT reward_model_id, response_id, score FROM score").fetchall()
        prompt_rows = connection.execute("SELECT prompt_id, split FROM prompt").fetchall()
    expected = {
        (row["reward_model"], f"initial|{row['prompt_id']}{mark}|{row['response_id']}", row["score"])
        for row in rows
        for mark in ("#rm", "#rl")
    }
    assert len(stored) == len(expected)
    assert set(stored) == expected
    assert all(prompt_id.endswith("#rm") == (split == "rm_test") for prompt_id, split in prompt_rows)
