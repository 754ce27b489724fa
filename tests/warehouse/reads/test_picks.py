"""Picks of best-of-n and the scores of a policy on a small simulated run, compared with the rows of each prompt."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl
import pytest

from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.schema import INITIAL

RUN, GOLDEN, PROXY, N = "simulated", "rm-00", "rm-03", 5


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = publish(tmp_path_factory.mktemp("home"), Study(ppo_steps=(10,), paraphrases=True))
    with store.open_read_only(home) as opened:
        yield opened


def test_picks_have_the_texts_and_scores_of_each_prompts_best_responses(connection: duckdb.DuckDBPyConnection) -> None:
    found = reads.responses.picks(connection, RUN, GOLDEN, PROXY, N)
    assert sorted(found["prompt_id"]) == reads.runs.prompts(connection, RUN, "rl_test")["prompt_id"].to_list()
    for row in found.to_dicts():
        texts = reads.responses.responses_to(connection, RUN, row["prompt_id"], INITIAL)["text"].to_list()
        scores = reads.responses.scores_of(connection, RUN, row["prompt_id"], INITIAL)
        golden, proxy = (scores.filter(pl.col("sample") < N, reward_model_id=name)["score"] for name in (GOLDEN, PROXY))
        best, chosen = golden.arg_max(), proxy.arg_max()
        assert best is not None
        assert chosen is not None
        assert (row["golden_pick"], row["proxy_pick"]) == (texts[best], texts[chosen])
        assert (row["golden_of_golden_pick"], row["golden_of_proxy_pick"]) == (golden[best], golden[chosen])
        assert (row["proxy_of_golden_pick"], row["proxy_of_proxy_pick"]) == (proxy[best], proxy[chosen])
        assert row["prompt"] == reads.responses.prompt(connection, RUN, row["prompt_id"])["text"]
    assert found["loss"].is_sorted(descending=True)
    assert found["loss"][0] > 0


def test_a_limit_gives_the_greatest_losses_and_scores_at_hand_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    found = reads.responses.picks(connection, RUN, GOLDEN, PROXY, N)
    assert reads.responses.picks(connection, RUN, GOLDEN, PROXY, N, limit=3).equals(found.head(3))
    samples = reads.scores.initial_scores(connection, RUN, "rl_test")
    assert reads.responses.picks(connection, RUN, GOLDEN, PROXY, N, samples=samples).equals(found)


@pytest.mark.parametrize("split", ["rm_test", "rl_test"])
def test_scores_stand_where_their_reward_model_prompt_and_sample_do(
    connection: duckdb.DuckDBPyConnection, split: str
) -> None:
    cube = reads.scores.initial_scores(connection, RUN, split)
    described = reads.runs.prompts(connection, RUN, split)
    assert (list(cube.prompts), list(cube.categories), list(cube.subsets)) == tuple(
        described[name].to_list() for name in ("prompt_id", "category", "subset")
    )
    for p, prompt_id in enumerate(cube.prompts):
        rows = reads.responses.scores_of(connection, RUN, prompt_id, INITIAL)
        assert np.array_equal(cube.scores_MPR[:, p], rows["score"].to_numpy().reshape(len(cube.reward_models), -1))
