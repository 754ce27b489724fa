"""The page about data sets: every name has an example, every example does what is written, its profile is valid."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config import load_profile, validated
from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.known import DATA_SETS
from pipeline.data_sets.recognise import GENERAL
from tests.pipeline.data_sets import hub
from tests.pipeline.data_sets.page import PAGE, Example, examples, rendered

EXAMPLES = [pytest.param(example, id=f"{number}-{example.name}") for number, example in enumerate(examples())]


def csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as CSV, lists and objects as JSON text."""
    names = dict.fromkeys(name for row in rows for name in row)

    def cell(value: object) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value)

    pl.DataFrame({name: [cell(row.get(name)) for row in rows] for name in names}).write_csv(path)
    return path


def test_every_data_set_has_an_example() -> None:
    assert {example.name for example in examples()} == {data_set.name for data_set in DATA_SETS} | set(GENERAL)
    assert all(data_set.hub.split(",")[0] in PAGE for data_set in DATA_SETS)


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_becomes_what_is_written_in_every_kind_of_file(example: Example, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"example.{form}"
    if form == "csv":
        csv(path, example.rows)
    elif form == "jsonl":
        hub.jsonl(path, example.rows)
    else:
        try:
            hub.parquet(path, example.rows)
        except (pl.exceptions.PolarsError, TypeError):
            pytest.skip("Parquet has no column of texts and lists")
    gathered = gather([str(path)], Rules(validation_share=0))
    assert rendered(gathered) == example.result
    assert f"read as {example.name}" in gathered.remarks[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_named_example_is_read_as_what_it_is(example: Example, tmp_path: Path) -> None:
    path = str(hub.jsonl(tmp_path / "example.jsonl", example.rows))
    assert rendered(gather([path], name=example.name)) == rendered(gather([path]))


def test_the_profile_on_the_page_is_valid() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown, settings = tomllib.loads(block), load_profile("smoke").model_dump()
    for section, values in shown.items():
        settings[section] |= values
    config = validated(settings, "the page's profile")
    assert config.prompts.files == tuple(shown["prompts"]["files"])
    assert config.preferences.files == tuple(shown["preferences"]["files"])
