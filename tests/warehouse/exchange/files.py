"""Small files as other people have them: the same scores in every format and layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

MODELS = ("big", "mid", "small")
SUBSETS = ("alpacaeval-easy", "hep-python")


def long_frame(prompts: int = 4, responses: int = 3, models: tuple[str, ...] = MODELS) -> pl.DataFrame:
    """Scores in long form with nothing but the needed columns."""
    rows = [
        {"prompt_id": f"p{p}", "response_id": f"r{r}", "reward_model": model, "score": score(p, r, m)}
        for p in range(prompts)
        for r in range(responses)
        for m, model in enumerate(models)
    ]
    return pl.DataFrame(rows)


def score(p: int, r: int, m: int) -> float:
    """A made-up score that 32 bits hold exactly."""
    return ((7 * p + 3 * r + 5 * m * r) % 11) / 4 - m


def described(frame: pl.DataFrame, split: bool = False) -> pl.DataFrame:
    """With all optional columns."""
    number = pl.col("prompt_id").str.slice(1).cast(pl.Int64())
    safe = number % 2 == 0
    added = frame.with_columns(
        category=pl.when(safe).then(pl.lit("Safety")).otherwise(pl.lit("Chat Hard")),
        subset=pl.when(safe).then(pl.lit("mine")).otherwise(pl.lit("llmbar-natural")),
        prompt=pl.format('say "{}",\nplease', "prompt_id"),
        response=pl.format("said {}: {}", "prompt_id", "response_id"),
    )
    if not split:
        return added
    return added.with_columns(split=pl.when(number < 2).then(pl.lit("rm_test")).otherwise(pl.lit("rl_test")))


def wide_frame(frame: pl.DataFrame) -> pl.DataFrame:
    index = [name for name in frame.columns if name not in ("reward_model", "score")]
    return frame.pivot(on="reward_model", index=index, values="score")


def rewardbench_items(model: int, prompts: int = 4, listed: bool = False) -> list[dict[str, Any]]:
    """What RewardBench's scorer keeps of each item."""
    items = []
    for p in range(prompts):
        chosen, rejected = score(p, 0, model), score(p, 1, model)
        item = {"id": p // 2, "subset": SUBSETS[p % 2], "prompt": f"question {p}", "results": int(chosen > rejected)}
        item |= {"text_chosen": "[INST] q [/INST] good", "text_rejected": "[1, 2]"}
        scores = {"scores_chosen": chosen, "scores_rejected": rejected}
        items.append(item | ({name: [[value]] for name, value in scores.items()} if listed else scores))
    return items


def preferences_frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "prompt_id": ["p0", "p1", None],
            "prompt": [None, None, "elsewhere"],
            "chosen": ["said p0: r0", "said p1: r2", "yes"],
            "rejected": ["said p0: r1", "said p1: r0", "no"],
        }
    )


def values_frame(prompts: tuple[str, ...] = ("p0", "p1", "p2", "p3"), models: tuple[str, ...] = MODELS) -> pl.DataFrame:
    """PPO at step 100 against each reward model."""
    return pl.DataFrame(
        [
            {"optimizer": "ppo", "strength": 100, "reward_model": model, "golden": golden}
            | {"prompt_id": prompt, "value": float(place + len(model) + len(golden)), "kl": 2.5}
            for model in models
            for golden in models
            for place, prompt in enumerate(prompts)
        ]
    )


def write(frame: pl.DataFrame, path: Path) -> Path:
    """In the format of the extension."""
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(frame.to_dicts()))
    else:
        frame.write_ndjson(path)
    return path


def write_items(items: list[dict[str, Any]], path: Path) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path
