"""The edited responses: which are chosen, and their rows and scores in a run of the tiny model."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline import runs
from pipeline.context import Context
from pipeline.runs import RunDirectory
from pipeline.scoring.edits import edited
from pipeline.stages import probes, scores
from tests.conftest import TINY_RUN
from tests.pipeline.stages.test_best_of_n import Quiet
from warehouse.schema import EDITS, PROBES

TEXT = "It rains a lot. Take a coat."


class Silent(Quiet):
    """Progress that nobody reads, nor what it says."""

    def say(self, message: str) -> None:
        pass


def chosen(prompts: dict[str, int], responses: list[tuple[str, int, str, bool]]) -> pl.DataFrame:
    """What is chosen of responses (prompt, sample, text, finished) to so many prompts of each `category/subset`."""
    asked = [
        {"prompt_id": f"{place.split('/')[1]}/{number:02d}", "category": place.split("/")[0], "split": "rm_test"}
        | {"subset": place.split("/")[1]}
        for place, count in prompts.items()
        for number in range(count)
    ]
    names = ["prompt_id", "sample", "text", "finished"]
    rows = pl.DataFrame(responses, names, orient="row").with_columns(
        policy_id=pl.lit("initial"), prompt_form=pl.lit("original")
    )
    return probes.chosen(pl.DataFrame(asked), rows)


def test_the_first_response_that_ended_and_can_be_edited_is_chosen() -> None:
    of_prompt = {
        "a/00": [("Yes.", True), (TEXT, False), (TEXT, True), (f"{TEXT} Now.", True)],
        "a/01": [(TEXT, True)],
        "a/02": [(TEXT, False), ("No.", True)],
    }
    responses = [(name, r, *one) for name, given in of_prompt.items() for r, one in enumerate(given)]
    found = chosen({"Chat/a": 3}, responses)
    assert found.select("number", "prompt_id", "sample").rows() == [(0, "a/00", 2), (1, "a/01", 0)]


def test_categories_share_the_most_prompts_evenly_and_so_do_their_subsets() -> None:
    sizes = {"Chat/a": 60, "Chat/b": 60, "Safety/c": 60, "Safety/d": 5, "Reasoning/e": 10}
    ids = [f"{place.split('/')[1]}/{number:02d}" for place, count in sizes.items() for number in range(count)]
    found = chosen(sizes, [(name, 0, TEXT, True) for name in ids])
    counts = found.group_by(pl.col("prompt_id").str.head(1)).len().sort("prompt_id")
    assert found.height == probes.MOST_PROMPTS
    assert dict(counts.iter_rows()) == {"a": 22, "b": 21, "c": 38, "d": 5, "e": 10}
    assert found["prompt_id"].is_sorted()
    assert found["number"].to_list() == list(range(found.height))


@pytest.fixture(scope="module")
def scored(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The tiny run, as if π_0 had ended its responses, edited and scored; its random model ends none."""
    path = tmp_path_factory.mktemp("probes") / TINY_RUN
    shutil.copytree(tiny_home / "runs" / TINY_RUN, path)
    run = RunDirectory(path, runs.open_run(tiny_home, TINY_RUN).config)
    frame = run.read("response", "test_responses")
    for part in path.glob("response/test_responses-*.parquet"):
        part.unlink()
    ended = frame.with_columns(finished=True, text=pl.format("It is dry on day {}. Take no coat.", "sample"))
    run.write_part("response", "test_responses", 0, ended)
    scores.run(Context(run, Silent()))
    return run


def test_edited_responses_are_rows_of_their_originals_and_scored_by_all(scored: RunDirectory) -> None:
    responses = scored.read("response", "scores")
    P = min(probes.MOST_PROMPTS, 4 * scored.config.prompts.rm_test_per_category)
    assert dict(responses.group_by("policy_id").len().iter_rows()) == dict.fromkeys(PROBES.values(), P)
    of_edit = {policy_id: edit for edit, policy_id in PROBES.items()}
    numbers = {name: number for number, name in enumerate(responses["prompt_id"].unique().sort())}
    for row in responses.to_dicts():
        edit = of_edit[row["policy_id"]]
        assert row["text"] == edited("It is dry on day 0. Take no coat.", numbers[row["prompt_id"]])[edit]
        assert row["response_id"] == f"{row['policy_id']}|{row['prompt_id']}|0"
        assert row["finished"] == (edit != "unfinished")
        assert row["tokens"] > 0
    of_probes = scored.read("score", "scores").join(responses.select("response_id"), on="response_id")
    assert of_probes.height == len(PROBES) * P * len(scored.config.reward_models.ids)
    assert of_probes.group_by("reward_model_id").agg(pl.col("score").n_unique())["score"].min() > 1
    assert scored.read("policy", "scores").select("policy_id", "optimizer").rows() == [
        (name, "none") for name in PROBES.values()
    ]


def test_a_stage_stopped_among_them_ends_with_the_same_rows(scored: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(scored.path, tmp_path / TINY_RUN)
    run = RunDirectory(tmp_path / TINY_RUN, scored.config)
    lost = [*run.path.glob("score/scores-probes-*.parquet"), *run.path.glob("response/scores-*.parquet")]
    assert len(lost) > 1
    for path in lost:
        path.unlink()
    scores.run(Context(run, Silent()))
    for table in ("response", "score", "policy"):
        assert run.read(table, "scores").equals(scored.read(table, "scores"))


def test_without_the_setting_nothing_is_edited(scored: RunDirectory) -> None:
    without = scored.config.model_copy(update={"test": scored.config.test.model_copy(update={"probes": False})})
    planned = probes.parts(Context(RunDirectory(scored.path, without), Silent()))
    assert (planned.total, planned.missing) == (0, {})
    assert probes.parts(Context(scored, Silent())).total == len(EDITS) * 12
