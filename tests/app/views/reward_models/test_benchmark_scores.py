"""The Reward models page shows a benchmark's own scores for a run of its prompts, and no table for any other run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs.exchange import import_files
from tests.app.conftest import OpenPage
from tests.warehouse.exchange import files


@pytest.fixture(scope="module")
def benchmark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run of RewardBench's items. Tests must not write into it."""
    folder = tmp_path_factory.mktemp("benchmarks")
    paths = [
        files.write_items(files.rewardbench_items(m, prompts=8), folder / f"{model}.jsonl")
        for m, model in enumerate(files.MODELS)
    ]
    import_files(folder / "home", paths, "theirs", "auto")
    return folder / "home"


def test_a_run_of_a_benchmark_has_its_table(benchmark_home: Path, open_view: OpenPage) -> None:
    page = open_view("reward_models", benchmark_home)
    assert not page.exception
    assert "RewardBench: its own scores" in [header.value for header in page.header]
    (table,) = [given.value for given in page.dataframe if "Average" in given.value.columns]
    assert set(table["reward_model"]) == set(files.MODELS)
    assert table["Average"].is_monotonic_decreasing
    right = [item["results"] for item in files.rewardbench_items(0, prompts=8)]
    (big,) = table[table["reward_model"] == "big"].to_dict("records")
    assert big["Chat"] == pytest.approx(sum(right[::2]) / 4)
    assert big["Reasoning"] == pytest.approx(sum(right[1::2]) / 4)
    assert any("it lacks: Chat: no prompts of" in caption.value.replace("\\", "") for caption in page.caption)


def test_another_run_has_none(tmp_path: Path, open_view: OpenPage) -> None:
    scores = files.write(files.described(files.long_frame(prompts=6)), tmp_path / "scores.parquet")
    import_files(tmp_path / "home", [scores], "theirs", "auto")
    page = open_view("reward_models", tmp_path / "home")
    assert not page.exception
    assert not any("its own scores" in header.value for header in page.header)
