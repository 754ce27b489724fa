"""Small files of any form, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.exchange.layouts import read_files
from warehouse.exchange.scored_rows import Pieces

Reader = Callable[..., Pieces]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Write rows (or a frame, or text) under each name and read all files; `layout` may force a form."""

    def do(files: dict[str, Any], layout: str = "auto") -> Pieces:
        paths = []
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pl.DataFrame):
                content.write_parquet(path) if path.suffix == ".parquet" else content.write_csv(path)
            elif isinstance(content, str):
                path.write_text(content)
            elif path.suffix == ".json":
                path.write_text(json.dumps(content))
            else:
                path.write_text("".join(json.dumps(row) + "\n" for row in content))
            paths.append(path)
        return read_files(paths, layout).pieces

    return do


def by_response(pieces: Pieces, value: str = "score") -> dict[tuple[str, str, str], float]:
    """A value of each row of `long` by reward model, prompt and response."""
    rows = pieces.long.select("reward_model", "prompt_id", "response_id", value).iter_rows()
    return {(model, prompt, response): number for model, prompt, response, number in rows}


def models(pieces: Pieces) -> list[str]:
    return sorted(pieces.long["reward_model"].unique())
