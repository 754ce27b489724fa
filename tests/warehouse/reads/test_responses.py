"""Reads of responses and of training on a small simulated run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.errors import UnknownName
from warehouse.schema import INITIAL

RUN = "simulated"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = publish(tmp_path_factory.mktemp("home"), Study(ppo_steps=(10, 40)))
    with store.open_read_only(home) as opened:
        yield opened


def test_lengths_stand_in_the_order_of_the_scores(connection: duckdb.DuckDBPyConnection) -> None:
    prompts = reads.scores.initial_scores(connection, RUN, "rm_test").prompts
    lengths = reads.responses.response_lengths(connection, RUN, "rm_test")
    assert lengths is not None
    assert lengths.unit == "tokens"
    tokens = lengths.values
    assert tokens.shape == (len(prompts), 5)
    for p, prompt in enumerate(prompts):
        expected = reads.responses.responses_to(connection, RUN, prompt, INITIAL)["tokens"]
        assert np.array_equal(tokens[p], expected.to_numpy())


def test_a_search_looks_into_prompts_and_responses_whatever_the_capitals(connection: duckdb.DuckDBPyConnection) -> None:
    everything = reads.responses.search_prompts(connection, RUN, "rl_test")
    assert everything.height == 16
    assert reads.responses.search_prompts(connection, RUN, "rl_test", text="question 3 OF chat-rl").height == 1
    (row,) = reads.responses.search_prompts(
        connection, RUN, "rl_test", categories=("Safety",), text="answer 1 of PPO-40/rm-02 to safety-rl/00"
    ).to_dicts()
    assert (row["prompt_id"], row["hits"]) == ("safety-rl/00", 1)
    assert reads.responses.search_prompts(connection, RUN, "rl_test", subsets=("chat-rl",)).height == 4


def test_a_search_takes_wildcards_and_quotes_letter_by_letter(connection: duckdb.DuckDBPyConnection) -> None:
    for text in ("%", "Question _", "'; DROP TABLE prompt; --"):
        assert reads.responses.search_prompts(connection, RUN, "rl_test", text=text).is_empty()
    assert reads.responses.search_prompts(connection, RUN, "rl_test", text="<SCRIPT>").height == 16


def test_policies_that_answered_come_with_the_initial_one_first_and_ppo_by_step(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = reads.responses.policies_answering(connection, RUN, "chat-rl/00")
    assert found["policy_id"].to_list()[:3] == ["initial", "ppo-10/rm-00", "ppo-40/rm-00"]
    assert found["responses"].to_list() == [8] + [2] * 8
    assert reads.responses.policies_answering(connection, RUN, "chat-rm/00")["policy_id"].to_list() == ["initial"]


def test_scores_of_a_policys_responses_are_those_of_all_reward_models(connection: duckdb.DuckDBPyConnection) -> None:
    found = reads.responses.scores_of(connection, RUN, "chat-rl/00", "ppo-40/rm-01")
    assert found.height == 4 * 2
    assert found["reward_model_id"].n_unique() == 4


def test_an_unknown_prompt_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    assert reads.responses.prompt(connection, RUN, "chat-rl/01")["text"] == "Question 1 of chat-rl?"
    with pytest.raises(UnknownName, match="nowhere/01"):
        reads.responses.prompt(connection, RUN, "nowhere/01")


def test_curves_of_training_are_the_reward_models_alone(connection: duckdb.DuckDBPyConnection) -> None:
    curves = reads.runs.training_curves(connection, RUN)
    assert set(curves["model_id"]) == {"rm-00", "rm-01", "rm-02", "rm-03"}
    assert curves.filter(model_id="rm-00", metric="train_loss")["step"].to_list() == [10, 20, 30, 40, 50]
    assert reads.runs.validation_pairs(connection, RUN) == 0
    assert reads.runs.flipped_pairs(connection, RUN).is_empty()


@pytest.mark.parametrize(("texts", "unit"), [(["a", "bbb", ""], "characters"), (["", "", ""], None)])
def test_lengths_of_an_import_are_in_characters_or_unknown(tmp_path: Path, texts: list[str], unit: str | None) -> None:
    frame = pl.DataFrame(
        [
            {"prompt_id": f"p{p}", "response_id": f"r{r}", "response": texts[r], "x": float(r), "y": float(r * p % 2)}
            for p, count in enumerate((2, 3, 3))
            for r in range(count)
        ]
    )
    path = tmp_path / "scores.csv"
    frame.write_csv(path)
    import_files(tmp_path / "home", [path], "theirs", "auto")
    with store.open_read_only(tmp_path / "home") as opened:
        lengths = reads.responses.response_lengths(opened, "theirs", "rl_test")
        curves = reads.values.value_curves(opened, "theirs", "bon")
        samples = reads.scores.initial_scores(opened, "theirs", "rl_test")
        means = reads.responses.lengths_of_curves(opened, "theirs", curves, samples)
    if unit is None:
        assert lengths is None
        assert means is None
        return
    assert lengths is not None
    assert means is not None
    assert lengths.unit == means.unit == unit
    assert lengths.values.tolist() == [[1, 3, 0], [1, 3, 0], [1, 3, 0]]
    best_of_two = means.values[curves.strengths.index(2.0), curves.reward_models.index("x")]
    ragged = {"p0#rl": 3.0, "p1#rl": (3 + 0 + 0) / 3, "p2#rl": (3 + 0 + 0) / 3}  # x prefers the later ones
    assert best_of_two.tolist() == pytest.approx([ragged[name] for name in curves.values[0].prompts])
