"""Answers of trained policies to a pair's prompts, compared with the rows of each prompt."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.reads.trained_picks import first_policies, trained_picks
from warehouse.schema import INITIAL

RUN, GOLDEN, PROXY = "simulated", "rm-00", "rm-03"


def test_each_side_is_the_first_answer_of_its_own_policy_and_the_loss_that_of_the_means(tmp_path: Path) -> None:
    home = publish(tmp_path, Study(ppo_steps=(10, 20), repeats=2, penalties=(0.1,)))
    with store.open_read_only(home) as connection:
        picked = trained_picks(connection, RUN, GOLDEN, PROXY, optimizer="ppo", strength=20.0)
        assert picked is not None
        assert picked.golden_has_policy
        assert sorted(picked.rows["prompt_id"]) == reads.runs.prompts(connection, RUN, "rl_test")["prompt_id"].to_list()
        assert picked.rows["loss"].is_sorted(descending=True)
        samples = reads.scores.initial_scores(connection, RUN, "rl_test")
        spread = float(samples.scores_MPR[samples.reward_models.index(GOLDEN)].std())
        for row in picked.rows.head(4).to_dicts():
            means = {}
            for side, policy in (("golden", f"ppo-20/{GOLDEN}"), ("proxy", f"ppo-20/{PROXY}")):
                texts = reads.responses.responses_to(connection, RUN, row["prompt_id"], policy)["text"]
                scores = reads.responses.scores_of(connection, RUN, row["prompt_id"], policy)
                by_golden, by_proxy = (scores.filter(reward_model_id=name)["score"] for name in (GOLDEN, PROXY))
                assert row[f"{side}_pick"] == texts[0]
                assert (row[f"golden_of_{side}_pick"], row[f"proxy_of_{side}_pick"]) == (by_golden[0], by_proxy[0])
                means[side] = float(by_golden.cast(pl.Float64).mean())  # type: ignore[arg-type]
            assert row["loss"] == pytest.approx((means["golden"] - means["proxy"]) / spread, rel=1e-5)


def test_a_golden_without_a_policy_has_the_initial_one_and_a_proxy_without_one_has_none(tmp_path: Path) -> None:
    home = publish(tmp_path, Study(ppo_steps=(5, 10), stops=((GOLDEN, 5),)))
    with store.open_read_only(home) as connection:
        assert sorted(first_policies(connection, RUN, "ppo", 10.0)) == ["rm-01", "rm-02", "rm-03"]
        picked = trained_picks(connection, RUN, GOLDEN, PROXY, optimizer="ppo", strength=10.0)
        assert picked is not None
        assert not picked.golden_has_policy
        row = picked.rows.row(0, named=True)
        texts = reads.responses.responses_to(connection, RUN, row["prompt_id"], INITIAL)["text"]
        assert row["golden_pick"] == texts[0]
        assert trained_picks(connection, RUN, PROXY, GOLDEN, optimizer="ppo", strength=10.0) is None
