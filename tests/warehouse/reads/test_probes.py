"""Edited responses are in the warehouse, but nothing takes them for the answers of a policy."""

from __future__ import annotations

import polars as pl
import pytest

from tests.warehouse.rows import inserted, tiny_run
from warehouse import reads
from warehouse.errors import UnknownName
from warehouse.schema import PROBES

RUN = "tiny"


def with_probes() -> dict[str, pl.DataFrame]:
    """A run of two RM-test prompts whose first response has been edited and scored."""
    rows = tiny_run(RUN)
    rows["prompt"] = rows["prompt"].with_columns(split=pl.lit("rm_test"))
    policies, responses, scores = [rows["policy"]], [rows["response"]], [rows["score"]]
    for policy_id in PROBES.values():
        named = pl.col("response_id").str.replace("initial", policy_id, literal=True)
        first = rows["response"].filter(sample=0)
        responses.append(
            first.with_columns(response_id=named, policy_id=pl.lit(policy_id), text=pl.lit(f"answer, {policy_id}"))
        )
        scores.append(rows["score"].join(first.select("response_id"), on="response_id").with_columns(response_id=named))
        policies.append(rows["policy"].with_columns(policy_id=pl.lit(policy_id), kl=None))
    return rows | {
        "policy": pl.concat(policies, how="vertical_relaxed"),
        "response": pl.concat(responses),
        "score": pl.concat(scores),
    }


def test_edited_responses_are_no_source_no_policy_s_answers_and_in_no_search() -> None:
    with inserted(with_probes()) as connection:
        assert reads.scores.sources(connection, RUN)["source"].to_list() == ["initial"]
        with pytest.raises(UnknownName, match="no source 'probe-list'"):
            reads.scores.score_cube(connection, RUN, "probe-list")
        assert reads.responses.policies_answering(connection, RUN, "chat/1")["policy_id"].to_list() == ["initial"]
        found = reads.responses.search_prompts(connection, RUN, "rm_test", text="answer")
        assert found.select("prompt_id", "hits").rows() == [("chat/1", 3), ("chat/2", 3)]
        assert reads.responses.search_prompts(connection, RUN, "rm_test", text="probe-").is_empty()
        assert reads.scores.score_cube(connection, RUN).scores_MPR.shape == (2, 2, 3)
