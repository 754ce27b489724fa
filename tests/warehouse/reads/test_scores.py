"""Whose responses a score cube holds, and whose words the prompts are in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice, UnknownName

PROMPTS = [f"chat/{number}" for number in range(4)]
SOURCES = {
    ("initial", "original"): 3,
    ("initial", "paraphrase"): 3,
    ("initial-t1.50", "original"): 2,
    ("ppo-4/flip-0.00", "original"): 1,
    ("ppo-8/flip-0.00", "original"): 1,
    ("ppo-8/flip-0.20", "original"): 1,
    ("probe-list", "original"): 1,
}
"""Responses to each prompt."""


def score_of(model: int, source: int, prompt: int, sample: int) -> float:
    """A score that says where it belongs; exact in float32."""
    return 1000.0 * model + 100.0 * source + 10.0 * prompt + sample


def rows_with_sources() -> dict[str, pl.DataFrame]:
    rows = tiny_run("many")
    prompt = rows["prompt"].row(0, named=True) | {"split": "rm_test"}
    prompts = [prompt | {"prompt_id": name, "paraphrase": f"{name} in other words"} for name in PROMPTS]
    prompts.append(rows["prompt"].row(1, named=True) | {"prompt_id": "chat/rl"})
    policy = rows["policy"].row(0, named=True)
    policies = []
    for name in dict.fromkeys(name for name, _ in SOURCES):
        made = policy | {"policy_id": name}
        if name.startswith("ppo"):
            strength, model = name.removeprefix("ppo-").split("/")
            made |= {"optimizer": "ppo", "strength": float(strength), "reward_model_id": model}
        policies.append(made)
    response = rows["response"].row(0, named=True)
    responses, scores = [], []
    for number, ((name, form), count) in enumerate(SOURCES.items()):
        for p, prompt_id in enumerate(PROMPTS):
            for sample in range(count):
                named = {"response_id": f"{name}|{prompt_id}|{form}|{sample}", "prompt_id": prompt_id}
                responses.append(response | named | {"policy_id": name, "prompt_form": form, "sample": sample})
                for model, model_id in enumerate(rows["reward_model"]["reward_model_id"]):
                    score = score_of(model, number, p, sample)
                    scores.append({"run_id": "many", "reward_model_id": model_id, "score": score} | named)
    everything = {"prompt": prompts, "policy": policies, "response": responses, "score": scores}
    frames = {name: pl.DataFrame(content, infer_schema_length=None) for name, content in everything.items()}
    return rows | frames | {"score": frames["score"].drop("prompt_id")}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    data = tmp_path_factory.mktemp("sources")
    ingest.publish(data, rows_with_sources(), "test")
    return store.open_read_only(data)


def scores(sources: list[tuple[int, int]]) -> np.ndarray:
    """Scores `[M, P, R]` of these (source, sample)s in this order."""
    return np.array(
        [[[score_of(m, source, p, sample) for source, sample in sources] for p in range(4)] for m in range(2)],
        dtype=np.float32,
    )


def test_sources_are_listed_with_their_responses_and_the_last_ppo_policies_together(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = reads.scores.sources(warehouse, "many")
    assert found.columns == ["source", "prompts", "responses", "paraphrase_responses"]
    assert found.rows() == [
        ("initial", 4, 3, 3),
        ("initial-t1.50", 4, 2, 0),
        ("ppo-4/flip-0.00", 4, 1, 0),
        ("ppo-8/flip-0.00", 4, 1, 0),
        ("ppo-8/flip-0.20", 4, 1, 0),
        ("ppo", 4, 2, 0),
    ]


def test_policies_trained_with_another_kl_coefficient_are_not_among_those_of_the_last_ppo_step(tmp_path: Path) -> None:
    """Of the two policies of step 8, the one of the sweep is a source of its own only."""
    rows = rows_with_sources()
    swept = pl.col("policy_id") == "ppo-8/flip-0.20"
    coefficient = pl.when(swept).then(0.2).when(optimizer="ppo").then(0.0).cast(pl.Float64)
    rows["policy"] = rows["policy"].with_columns(kl_coefficient=coefficient)
    ingest.publish(tmp_path, rows, "test")
    with store.open_read_only(tmp_path) as connection:
        sources = reads.scores.sources(connection, "many")
        assert sources.row(-1) == ("ppo", 4, 1, 0)
        assert "ppo-8/flip-0.20" in sources["source"]
        scores_MPR = reads.scores.score_cube(connection, "many", ["ppo", "initial-t1.50"]).scores_MPR
    np.testing.assert_array_equal(scores_MPR, scores([(4, 0), (2, 0), (2, 1)]))


def test_a_run_of_the_initial_policy_alone_has_one_source(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run(), "test")
    with store.open_read_only(tmp_path) as connection:
        assert reads.scores.sources(connection, "tiny").rows() == [("initial", 1, 3, 0)]


def test_a_run_that_is_not_there_is_named(warehouse: duckdb.DuckDBPyConnection) -> None:
    for read in (reads.scores.sources, reads.scores.score_cube):
        with pytest.raises(UnknownName, match="run 'nothing' is not in the warehouse; it has"):
            read(warehouse, "nothing")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("initial", [(0, 0), (0, 1), (0, 2)]),
        ("initial-t1.50", [(2, 0), (2, 1)]),
        ("ppo", [(4, 0), (5, 0)]),
        (["ppo-4/flip-0.00", "initial"], [(3, 0), (0, 0), (0, 1), (0, 2)]),
        (["initial-t1.50", "ppo"], [(2, 0), (4, 0), (5, 0), (2, 1)]),
        (["ppo", "ppo-8/flip-0.00"], [(4, 0), (5, 0)]),
    ],
)
def test_a_cube_holds_the_responses_of_its_sources_in_turn(
    warehouse: duckdb.DuckDBPyConnection, source: str | list[str], wanted: list[tuple[int, int]]
) -> None:
    cube = reads.scores.score_cube(warehouse, "many", source)
    assert cube.prompts == tuple(PROMPTS)
    np.testing.assert_array_equal(cube.scores_MPR, scores(wanted))


def test_without_a_choice_the_cube_is_the_initial_policy_s_on_the_prompts_own_words(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    np.testing.assert_array_equal(
        reads.scores.score_cube(warehouse, "many").scores_MPR, scores([(0, 0), (0, 1), (0, 2)])
    )
    np.testing.assert_array_equal(
        reads.scores.initial_scores(warehouse, "many", "rm_test").scores_MPR, scores([(0, 0), (0, 1), (0, 2)])
    )


def test_a_share_of_the_prompts_is_paraphrased_by_the_seed(warehouse: duckdb.DuckDBPyConnection) -> None:
    original, paraphrased = scores([(0, 0), (0, 1), (0, 2)]), scores([(1, 0), (1, 1), (1, 2)])
    everything = reads.scores.score_cube(warehouse, "many", paraphrase=1.0).scores_MPR
    np.testing.assert_array_equal(everything, paraphrased)
    drawn = set()
    for seed in range(20):
        half = reads.scores.score_cube(warehouse, "many", paraphrase=0.5, seed=seed).scores_MPR
        changed = (half != original).all(axis=(0, 2))
        assert changed.sum() == 2
        np.testing.assert_array_equal(half, np.where(changed[None, :, None], paraphrased, original))
        drawn.add(tuple(changed))
    assert len(drawn) > 1


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"source": "nobody"}, UnknownName, r"no source 'nobody'; run 'many' has.*: initial \(3\), .* ppo \(2\)"),
        ({"source": ["initial", "bon-4/flip-0.00"]}, UnknownName, "no source 'bon-4/flip-0.00'"),
        ({"source": []}, UnknownName, "no source is named"),
        ({"paraphrase": 1.5}, InvalidChoice, "paraphrase is 1.5"),
        ({"paraphrase": -0.5}, InvalidChoice, "paraphrase is -0.5"),
        ({"source": "ppo", "paraphrase": 0.5}, InvalidChoice, r"'ppo-8/flip-0.00' has no .*that have: \['initial'\]"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(
    warehouse: duckdb.DuckDBPyConnection, choice: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        reads.scores.score_cube(warehouse, "many", **choice)
    assert "\n" not in str(caught.value)
