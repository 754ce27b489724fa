"""A tiny valid run, written by hand: two reward models, two prompts. And a database in memory for rows."""

from __future__ import annotations

import duckdb
import polars as pl

from warehouse import ingest
from warehouse.schema import TABLES


def tiny_run(run_id: str = "tiny", score: float = 1.0, samples: int = 3) -> dict[str, pl.DataFrame]:
    """Rows of one run in every table that a run needs, with so many responses to each prompt."""
    prompts = [
        {"prompt_id": f"chat/{number}", "category": "Chat", "subset": "chat", "split": split, "source": "test"}
        | {"text": f"question {number}", "paraphrase": None, "answer": None, "check": None, "refuse": None}
        for number, split in ((1, "rm_test"), (2, "rl_test"))
    ]
    models = ["flip-0.00", "flip-0.20"]
    reward_models = [
        {"reward_model_id": name, "kind": "flip", "flip_rate": 0.0, "length_bias": 0.0, "base_model": "m"}
        | {"trainable_layers": 0, "seed": 1, "train_pairs": 8, "validation_accuracy": 0.5, "weights": "w"}
        for name in models
    ]
    policy = {"policy_id": "initial", "optimizer": "none", "reward_model_id": None, "strength": None, "kl": 0.0}
    policy |= {
        "kl_estimator": None,
        "kl_coefficient": None,
        "temperature": 1.0,
        "system_prompt": None,
        "base_model": "m",
    }
    responses = [
        {"response_id": f"initial|chat/{number}|{sample}", "prompt_id": f"chat/{number}", "policy_id": "initial"}
        | {"prompt_form": "original", "sample": sample, "text": f"answer {sample}", "tokens": 3, "finished": True}
        for number in (1, 2)
        for sample in range(samples)
    ]
    scores = [
        {"reward_model_id": name, "response_id": response["response_id"], "score": score * index + place}
        for place, name in enumerate(models)
        for index, response in enumerate(responses)
    ]
    run = {"profile": "test", "seed": 0, "started_at": "2026-01-01T00:00:00+00:00", "wall_s": 1.0, "base_model": "m"}
    run |= {"finished_at": "2026-01-01T00:01:00+00:00", "code_version": "0", "config": "{}", "packages": "{}"}
    run |= {"host": "{}", "timings": "{}"}
    rows = {
        "run": [run],
        "prompt": prompts,
        "reward_model": reward_models,
        "policy": [policy],
        "response": responses,
        "score": scores,
    }
    return {
        name: pl.DataFrame(content, infer_schema_length=None).with_columns(run_id=pl.lit(run_id))
        for name, content in rows.items()
    }


def inserted(rows: ingest.Rows) -> duckdb.DuckDBPyConnection:
    """A database in memory with these rows of a run, or runs. Raises InvalidRows."""
    connection = duckdb.connect()
    for table in TABLES.values():
        connection.execute(table.ddl)
    ingest.insert(connection, rows, rows["run"]["run_id"].to_list(), "rows")  # type: ignore[index]
    return connection
