"""The benchmarks' own scores, where the run's prompts are a benchmark's; nothing where they are not."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components.formats import UNDEFINED, escape
from warehouse.metrics.benchmarks.of_run import benchmark_scores
from warehouse.metrics.benchmarks.scores import BenchmarkScores


def show(snapshot: Snapshot, run_id: str) -> None:
    """A table for each benchmark of which the run has prompts, the best reward model first."""
    for scores in benchmark_scores(warehouse.score_cube(snapshot, run_id)):
        st.header(f"{scores.benchmark}: its own scores", anchor=False)
        st.caption(caption(scores))
        st.dataframe(
            table(scores),
            hide_index=True,
            column_config={
                "reward_model": "Reward model",
                **{part: st.column_config.NumberColumn(part, format="percent") for part in scores.parts},
            },
            placeholder=UNDEFINED,
            key=f"benchmark-{scores.benchmark}",
            alt=f"Scores that {scores.benchmark} gives each reward model, by part and on average",
        )


def table(scores: BenchmarkScores) -> pl.DataFrame:
    """A row a reward model, its average best first: `reward_model` and a column for each part, from 0 to 1."""
    columns = {part: scores.scores_MS[:, place] for place, part in enumerate(scores.parts)}
    rows = pl.DataFrame({"reward_model": list(scores.reward_models), **columns})
    return rows.sort(scores.parts[-1], descending=True, maintain_order=True)


def caption(scores: BenchmarkScores) -> str:
    """What the scores are of, and what the run lacks of the benchmark."""
    sizes = [f"{part} {size:,}" for part, size in zip(scores.parts[:-1], scores.prompts_S[:-1], strict=True)]
    text = f"As the benchmark computes them. Prompts: {', '.join(sizes)}."
    if scores.lacks:
        text += f" Averages are of what the run has; it lacks: {'; '.join(scores.lacks)}."
    return escape(text)
