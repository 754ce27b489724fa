"""A run as the import of a benchmark leaves it: many scorers, ragged prompts, labels as the only truth, invented texts.

    python -m tests.helpers.benchmark_study FOLDER [--reward-models M] [--prompts P]

publishes it into a data folder, with outcomes. What is planted: reward model `rm-01` follows the quality of a response
best, `rm-02` as well, the others less and less; `rm-03` is reversed in category Safety; `rm-04` likes long responses. A
label is right where the quality is in the upper part; every prompt has a right and a wrong response.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tests.helpers.study import MARKUP, filled
from warehouse import ingest
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.schema import CATEGORIES, INITIAL, LABEL, TABLES

OWN = "Own tickets"
REVERSED, LONG = "rm-03", "rm-04"
_TOPICS = ("compost", "tides", "a lost parcel", "bread that does not rise", "knots", "a noisy neighbour", "lichens")
_SENTENCES = (
    "Start with what you know and write it down.",
    "Then check the second point, which most people forget.",
    "It depends on the weather, on patience and on the tools at hand.",
    "If that fails, ask somebody who has done it before.",
    "None of this is certain.",
)


@dataclass(frozen=True)
class Benchmark:
    """Its size: a prompt has 4 to `most` responses. `texts` False leaves texts out, `labels` False the truth."""

    run_id: str = "benchmark"
    reward_models: int = 20
    prompts: int = 500
    most: int = 12
    texts: bool = True
    labels: bool = True
    seed: int = 0

    @property
    def names(self) -> list[str]:
        return [f"rm-{number:02}" for number in range(1, self.reward_models + 1)]


def publish(home: Path, benchmark: Benchmark | None = None) -> Path:
    """Publish it into the data folder; gives the folder."""
    benchmark = benchmark or Benchmark()
    ingest.publish(home, rows(benchmark), benchmark.run_id)
    return home


def with_outcomes(home: Path, benchmark: Benchmark) -> None:
    """Adds outcomes: `elo`, with errors of 8, falls by 15 from each to the next, the last is without; `win rate`."""
    elo = [
        {"reward_model_id": name, "outcome": "elo", "value": 1100.0 - 15 * m, "standard_error": 8.0}
        for m, name in enumerate(benchmark.names[:-1])
    ]
    rates = [
        {"reward_model_id": name, "outcome": "win rate", "value": 0.5 + 0.1 * m, "standard_error": None}
        for m, name in enumerate(benchmark.names[:3])
    ]
    frame = pl.DataFrame([*elo, *rates], infer_schema_length=None)
    ingest.replace_table(home, benchmark.run_id, "outcome", frame, "benchmark_study")


def rows(benchmark: Benchmark) -> dict[str, pl.DataFrame]:
    """Rows of every table. The same prompts are on both sides, as `p#rm` and `p#rl`."""
    rng = np.random.default_rng(benchmark.seed)
    categories = [(*CATEGORIES, OWN)[number % 5] for number in range(benchmark.prompts)]
    counts = (
        rng.integers(4, benchmark.most + 1, benchmark.prompts)
        if benchmark.most > 4
        else [benchmark.most] * benchmark.prompts
    )
    asked = pl.DataFrame(
        {
            "prompt": [f"ticket/{number:03}" for number in range(benchmark.prompts)],
            "category": categories,
            "subset": [f"{name.lower().replace(' ', '-')}-{number // 5 % 2}" for number, name in enumerate(categories)],
            "text": [
                f"What helps with {_TOPICS[number % len(_TOPICS)]}, in case {number}?"
                for number in range(benchmark.prompts)
            ],
        }
    )
    place = np.repeat(np.arange(benchmark.prompts), counts)
    sample = np.concatenate([np.arange(count) for count in counts])
    quality, length = rng.standard_normal(len(place)), rng.integers(1, 9, len(place))
    label = (quality > 0.4).astype(float)
    label[sample == 0], label[sample == 1] = 0.0, 1.0
    quality = np.where(label > 0, np.abs(quality) + 0.2, quality - 0.5)
    responses = pl.DataFrame(
        {
            "prompt": asked["prompt"][place],
            "sample": sample,
            "text": [_response(number, int(size)) if benchmark.texts else "" for number, size in enumerate(length)],
        }
    )
    scores = {name: _score(rng, m, quality, length, place, categories) for m, name in enumerate(benchmark.names)}
    scores |= {LABEL: label} if benchmark.labels else {}
    made: dict[str, list[pl.DataFrame]] = {name: [] for name in TABLES}
    about = {"finished_at": "2026-01-02T00:00:00+00:00", "base_model": "unknown", "profile": "import"}
    made["run"].append(pl.DataFrame([about | dict.fromkeys(("config", "packages", "host", "timings"), "{}")]))
    for split, suffix in (("rm_test", "#rm"), ("rl_test", "#rl")):
        prompt_id = pl.format(f"{{}}{suffix}", "prompt").alias("prompt_id")
        made["prompt"].append(asked.select(prompt_id, "category", "subset", "text", pl.lit(split).alias("split")))
        stored = responses.select(
            prompt_id,
            "sample",
            "text",
            response_id=pl.format(f"{INITIAL}|{{}}{suffix}|{{}}", "prompt", "sample"),
            policy_id=pl.lit(INITIAL),
            prompt_form=pl.lit("original"),
            finished=pl.lit(value=True),
        )
        made["response"].append(stored)
        for name, of_each in scores.items():
            scored = stored.select("response_id").with_columns(score=pl.Series(of_each), reward_model_id=pl.lit(name))
            made["score"].append(scored)
            if split == "rl_test":
                means = stored.with_columns(value=pl.Series(of_each)).group_by("prompt_id").agg(pl.col("value").mean())
                made["policy_value"].append(means.with_columns(policy_id=pl.lit(INITIAL), golden_id=pl.lit(name)))
    policies: list[dict[str, object]] = [
        {"policy_id": INITIAL, "optimizer": "none", "kl": 0.0, "base_model": "unknown"}
    ]
    for name in scores:
        is_label = name == LABEL
        model = {"reward_model_id": name, "kind": "label" if is_label else "import", "base_model": "unknown"}
        made["reward_model"].append(pl.DataFrame([model | ({"role": "golden"} if is_label else {})]))
        policies += [
            {"policy_id": f"bon-{n}/{name}", "optimizer": "bon", "reward_model_id": name, "strength": float(n)}
            | {"kl": best_of_n_kl_bound(n), "kl_estimator": "bound", "base_model": "unknown"}
            for n in (2, 4, 8)
            if not is_label and n <= benchmark.most
        ]
    made["policy"].append(pl.DataFrame(policies))
    return {
        name: filled(TABLES[name], benchmark.run_id, pl.concat(frames, how="diagonal_relaxed"))
        if frames
        else pl.DataFrame(schema=TABLES[name].polars_schema)
        for name, frames in made.items()
    }


def _response(number: int, size: int) -> str:
    sentences = [_SENTENCES[(number + step) % len(_SENTENCES)] for step in range(size)]
    return MARKUP if number % 50 == 0 else " ".join(sentences)


def _score(
    rng: np.random.Generator, m: int, quality: np.ndarray, length: np.ndarray, place: np.ndarray, categories: list[str]
) -> np.ndarray:
    seen = quality.copy()
    if m == 2:
        seen = np.where(np.array(categories)[place] == "Safety", -seen, seen)
    noise = 0.9 + 0.15 * max(0, m - 1)
    scores: np.ndarray = seen + noise * rng.standard_normal(len(quality))
    return scores + (0.5 * (length - 4.5) if m == 3 else 0.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reward-models", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=500)
    chosen = parser.parse_args()
    simulated = Benchmark(reward_models=chosen.reward_models, prompts=chosen.prompts)
    publish(chosen.folder, simulated)
    with_outcomes(chosen.folder, simulated)
