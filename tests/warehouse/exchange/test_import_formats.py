"""Every format and layout gives the same run, which the reads and the measures take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, tables
from warehouse import reads, store
from warehouse.metrics.policies.best_of_n import best_of_n_values

FORMATS = ("parquet", "csv", "jsonl", "json")


def expected_cube(prompts: int = 4, responses: int = 3) -> np.ndarray:
    return np.array(
        [[[files.score(p, r, m) for r in range(responses)] for p in range(prompts)] for m in range(len(files.MODELS))],
        dtype=np.float32,
    )


@pytest.mark.parametrize("form", ["long", "wide"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_scores_in_every_format(tmp_path: Path, data: Path, imported: Import, suffix: str, form: str) -> None:
    frame = files.described(files.long_frame())
    frame = files.wide_frame(frame) if form == "wide" else frame
    line = imported(files.write(frame, tmp_path / f"scores.{suffix}"), layout="auto" if suffix == "csv" else form)
    assert line.startswith("theirs: 3 reward models, 4 prompts, 12 responses, 36 scores, 7 policies imported;")
    with store.open_read_only(data) as connection:
        cube = reads.scores.score_cube(connection, "theirs")
        values = reads.values.policy_values(connection, "theirs", "bon", 2)
        assert reads.policies.strengths(connection, "theirs")["strength"].to_list() == [2.0, 3.0]
    assert cube.reward_models == files.MODELS
    assert cube.prompts == ("p0#rm", "p1#rm", "p2#rm", "p3#rm")
    assert cube.categories == ("Safety", "Chat Hard") * 2
    assert cube.subsets == ("mine", "llmbar-natural") * 2
    assert np.array_equal(cube.scores_MPR, expected_cube())
    assert values.prompts == ("p0#rl", "p1#rl", "p2#rl", "p3#rl")
    assert np.array_equal(values.optimised_MMQ, best_of_n_values(expected_cube(), [2])[0])
    assert np.allclose(values.initial_MQ, expected_cube().mean(axis=2))
    found = tables(data)
    assert found["prompt"]["text"][0] == 'say "p0",\nplease'
    assert found["response"]["text"][0] == "said p0: r0"


def test_four_columns_are_enough(tmp_path: Path, data: Path, imported: Import) -> None:
    line = imported(files.write(files.long_frame(), tmp_path / "scores.csv"))
    assert "no categories given: all are under Chat" in line
    assert tables(data)["prompt"]["subset"].unique().to_list() == ["unsorted"]


def test_with_splits_each_prompt_is_there_once(tmp_path: Path, data: Path, imported: Import) -> None:
    imported(files.write(files.described(files.long_frame(), split=True), tmp_path / "scores.parquet"))
    prompts = tables(data)["prompt"]
    assert prompts["prompt_id"].to_list() == ["p0", "p1", "p2", "p3"]
    assert prompts["split"].to_list() == ["rm_test", "rm_test", "rl_test", "rl_test"]
    with store.open_read_only(data) as connection:
        assert np.array_equal(reads.scores.score_cube(connection, "theirs").scores_MPR, expected_cube()[:, :2])
        assert reads.values.policy_values(connection, "theirs", "bon", 3).prompts == ("p2", "p3")


def test_the_run_row_says_where_it_comes_from(tmp_path: Path, data: Path, imported: Import) -> None:
    imported(files.write(files.long_frame(), tmp_path / "scores.csv"))
    run = tables(data)["run"].row(0, named=True)
    config = json.loads(run["config"])
    assert run["profile"] == config["profile"] == "import"
    assert config["files"] == [{"name": "scores.csv", "rows": 36}]
    assert config["counts"]["responses_per_prompt"] == [3]
    assert json.loads(run["packages"])["polars"]
    assert run["code_version"]


def test_several_files_make_one_run(tmp_path: Path, data: Path, imported: Import) -> None:
    frame = files.long_frame().with_columns(pl.col("prompt_id").str.slice(1).cast(pl.Int64()))
    parts = [
        files.write(frame.filter(reward_model=model), tmp_path / f"{model}.{suffix}")
        for model, suffix in zip(files.MODELS, FORMATS, strict=False)
    ]
    imported(*parts)
    with store.open_read_only(data) as connection:
        assert np.array_equal(reads.scores.score_cube(connection, "theirs").scores_MPR, expected_cube())


def test_preferences_and_policy_values_come_beside_scores(tmp_path: Path, data: Path, imported: Import) -> None:
    imported(
        files.write(files.described(files.long_frame()), tmp_path / "scores.parquet"),
        files.write(files.preferences_frame(), tmp_path / "pairs.csv"),
        files.write(files.values_frame(), tmp_path / "ppo.csv"),
    )
    found = tables(data)
    preferences = found["preference"]
    assert preferences["preference_id"].to_list() == ["pairs.csv|1", "pairs.csv|2", "pairs.csv|3"]
    assert preferences["prompt_id"].to_list() == ["p0#rm", "p1#rm", None]
    assert preferences["prompt"].to_list() == ['say "p0",\nplease', 'say "p1",\nplease', "elsewhere"]
    right = [files.score(0, 0, 0) > files.score(0, 1, 0), files.score(1, 2, 0) > files.score(1, 0, 0)]
    assert found["reward_model"]["validation_accuracy"][0] == np.mean(right)
    with store.open_read_only(data) as connection:
        values = reads.values.policy_values(connection, "theirs", "ppo", 100)
    assert values.optimised_MMQ[0, 1].tolist() == [6.0, 7.0, 8.0, 9.0]
    ppo = found["policy"].filter(optimizer="ppo")
    assert ppo["policy_id"].to_list() == ["ppo-100/big", "ppo-100/mid", "ppo-100/small"]
    assert ppo["kl"].to_list() == [2.5] * 3


@pytest.mark.parametrize("shape", ["jsonl", "listed", "columns"])
def test_rewardbench_scores_one_file_per_model(tmp_path: Path, data: Path, imported: Import, shape: str) -> None:
    paths = []
    for m, model in enumerate(files.MODELS):
        items = files.rewardbench_items(m, listed=shape == "listed")
        if shape == "columns":
            columns = {name: [item[name] for item in items] for name in items[0]} | {"model": f"lab/{model}"}
            paths.append(tmp_path / f"{model}.json")
            paths[-1].write_text(json.dumps(columns))
        else:
            paths.append(files.write_items(items, tmp_path / f"{model}.jsonl"))
    imported(*paths, layout="rewardbench")
    prefix = "lab/" if shape == "columns" else ""
    with store.open_read_only(data) as connection:
        cube = reads.scores.score_cube(connection, "theirs")
    models = [prefix + model for model in files.MODELS]
    assert cube.reward_models == tuple(sorted([*models, "label"]))
    cube = cube.of_reward_models(models)
    assert cube.prompts[0] == "alpacaeval-easy/0#rm"
    assert cube.categories == ("Chat", "Chat", "Reasoning", "Reasoning")
    order = [0, 2, 1, 3]
    assert np.array_equal(cube.scores_MPR, expected_cube(responses=2)[:, order])
    found = tables(data)
    assert found["preference"].height == 4
    assert found["response"]["text"].unique().sort().to_list() == ["[1, 2]", "[INST] q [/INST] good"]
    right = np.mean([item["results"] for item in files.rewardbench_items(1)])
    scorers = found["reward_model"].select("reward_model_id", "kind", "role", "validation_accuracy")
    assert scorers.filter(reward_model_id=models[1]).row(0) == (models[1], "import", None, right)
    assert scorers.filter(reward_model_id="label").row(0) == ("label", "label", "golden", 1.0)


def test_rewardbench_save_all_lines_count_as_items(tmp_path: Path, data: Path, imported: Import) -> None:
    for m, model in enumerate(files.MODELS):
        lines = [{"chosen": files.score(p, 0, m), "rejected": files.score(p, 1, m)} for p in range(4)]
        files.write_items(lines, tmp_path / f"{model}_all.jsonl")
    imported(*sorted(tmp_path.glob("*.jsonl")))
    with store.open_read_only(data) as connection:
        cube = reads.scores.score_cube(connection, "theirs")
    assert set(cube.reward_models) == {*files.MODELS, "label"}
    assert cube.prompts[0] == "item-000001#rm"


def test_rewardbench_conversations_end_in_the_response(tmp_path: Path, data: Path, imported: Import) -> None:
    for m, model in enumerate(files.MODELS):
        items = files.rewardbench_items(m)
        for item in items:
            del item["prompt"]
            for side in ("chosen", "rejected"):
                turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": side}]
                item[f"text_{side}"] = turns
        files.write_items(items, tmp_path / f"{model}.jsonl")
    imported(*sorted(tmp_path.glob("*.jsonl")))
    found = tables(data)
    assert found["prompt"]["text"].unique().to_list() == ["question"]
    assert found["response"]["text"].unique().sort().to_list() == ["chosen", "rejected"]
