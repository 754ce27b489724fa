"""The sentences of the Reward models page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from app.components.formats import count, counts, escape, interval, listed, number, percent
from warehouse.metrics.calibration import Reliability
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import ModelEstimates
from warehouse.schema import INITIAL
from warehouse.stats.bootstrap import Estimate
from warehouse.study.power import FEWEST_PROMPTS, Resolution

NOT_TRAINED_HERE = {
    "import": "Its scores were computed elsewhere and imported; how it was trained is not recorded.",
    "label": "No reward model: the labels that came with the responses, 1 for a chosen one and 0 for a rejected one.",
    "grade": "No reward model: grades that people gave the responses.",
    "verifier": "No reward model: what a verifier says about the responses.",
    "ensemble": "An ensemble: the mean, or another summary, of the scores of other reward models.",
}
"""What to say about scorers that were not trained here, by kind."""

NO_ORDER = "there is no order to be right about"


def what_is_shown(run_id: str, cube: ScoreCube, categories: Sequence[str]) -> str:
    """One line: run, reward models, prompts, responses, and what the intervals resample."""
    M, P, R = cube.scores_MPR.shape
    each = counts(int(cube.counts_P.min()), R, "response")
    where = f" ({', '.join(escape(name) for name in categories)})" if categories else ""
    return " · ".join(
        [
            f"Run **{escape(run_id)}**",
            count(M, "scorer" if cube.only else "reward model"),
            f"scores of {each} of the initial policy to each of {count(P, 'RM-test prompt')}{where}",
            "95% bootstrap intervals, B = 1,000, resampling prompts",
        ]
    )


def training_facts(row: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """How a reward model was trained: label, value and help of each fact."""
    layers = row["trainable_layers"]
    flipped = "" if row["flipped_pairs"] is None else f" ({row['flipped_pairs']:,})"
    facts = [
        ("Kind", row["kind"], "How it differs from the other reward models."),
        ("Labels flipped", percent(row["flip_rate"]) + flipped, None),
        ("Training pairs", f"{row['train_pairs']:,}", None),
        ("Trained", {0: "head only", -1: "all layers"}.get(layers, f"top {count(layers, 'layer')}"), None),
        ("Seed", str(row["seed"]), "Decides which labels are flipped and the order of batches."),
    ]
    if row.get("length_bias"):
        about = "Share of its training labels that prefer the longer response, whatever was preferred."
        facts.append(("Length bias", number(row["length_bias"]), about))
    return [*facts, ("Validation accuracy", number(row["validation_accuracy"]), None)]


def score_figures(variance: Estimate, length: Estimate | None, cube: ScoreCube) -> str:
    """What the scores of one reward model say, in a sentence; `length` is None where lengths are unknown."""
    correlation = "unknown" if length is None else estimate(length)
    return (
        f"Reward variance {estimate(variance)}; length correlation {correlation}, both with 95% intervals over "
        f"{count(cube.scores_MPR.shape[1], 'prompt')}."
    )


def undefined(result: ModelEstimates, names: Sequence[str], what: str) -> str:
    """What is missing from a figure of each reward model; empty if nothing is."""
    nothing = [name for name, estimate in zip(names, result.estimates, strict=True) if estimate.value is None]
    some = sum(result.undefined) - result.prompts * len(nothing)
    parts = []
    if nothing:
        parts.append(f"{what} is undefined for {listed(nothing)}")
    if some:
        parts.append(f"{count(some, '(reward model, prompt) value')} undefined and ignored")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def added(row: Mapping[str, Any], origin: str, pairs: int) -> str:
    """Where a reward model that was trained elsewhere comes from, and its validation accuracy."""
    what = "The Hugging Face model" if row["kind"] == "model" else "The reward server at"
    return (
        f"{what} {escape(origin)}, added to the run, which did not train it; PPO against it is not run. "
        f"Validation accuracy {number(row['validation_accuracy'])}: {validation(row, pairs)}."
    )


def validation(row: Mapping[str, Any], pairs: int) -> str:
    """Where the interval of the validation accuracy comes from."""
    if not pairs:
        return "no interval, as the validation pairs were not stored"
    return (
        f"95% interval {interval(row['validation_low'], row['validation_high'])} (Wilson, "
        f"{count(pairs, 'validation pair')} taken as independent)"
    )


def endings(of_policies: pl.DataFrame) -> str:
    """What the table of finished shares shows, and the initial policy's own share, if that is known."""
    initial = of_policies.filter(policy_id=INITIAL).drop_nulls("finished_share")["finished_share"].to_list()
    beside = f" Of the initial policy's own it is {percent(initial[0])}." if initial else ""
    return (
        "Share of the responses to the RL-test prompts that end by themselves instead of being cut off at the length "
        f"limit, of each policy at its usual strength.{beside}"
    )


def estimate(result: Estimate) -> str:
    """`0.42 (0.31 to 0.52)`, or `undefined`."""
    return number(result.value) + ("" if result.value is None else f" ({interval(result.low, result.high)})")


def reliability_note(result: Reliability, golden: str, proxy: str) -> str:
    """What a reliability diagram shows, and its summary."""
    ties = f"; {count(result.golden_ties, 'pair')} tied by the golden left out" if result.golden_ties else ""
    return (
        f"Pairs of responses as **{escape(golden)}** orders them, and how sure **{escape(proxy)}** is of its order. "
        f"Over {count(result.pairs, 'golden-ordered pair')} of RM-test responses{ties}. "
        f"Expected calibration error {estimate(result.error)}, resampling prompts."
    )


def compared(title: str, result: Resolution, prompts: str, repeated: str) -> str:
    """What the run says of two reward models in one figure, and what it could say."""
    difference, least = result.difference, result.detectable()
    now = f"{count(result.prompts, f'{prompts} prompt')} × {count(result.responses, repeated)}"
    if least is None:
        return f"**{title}**: equal on every one of {now}."
    left_out = len(result.undefined_goldens)
    clear = f"; {count(left_out, 'golden')} left out for not clearly gaining" if left_out else ""
    figures = f"{number(difference.value, 3)} ({number(difference.low, 3)} to {number(difference.high, 3)})"
    return f"**{title}**: {figures} on {now}{clear}. The smallest difference that shows now is {number(least, 3)}."


def how_to_read(first: str, second: str, goldens: int) -> str:
    """What the comparison of two reward models is of, and what a number of prompts promises."""
    return (
        f"**{escape(first)}** minus **{escape(second)}**, averaged over {count(goldens, 'other')} as golden, with 95% "
        "t intervals over prompts. A line says how many prompts show a difference (its interval excludes 0) with 80% "
        f"power, never fewer than {FEWEST_PROMPTS}; the diamond is this run. Choose the difference that matters to "
        "you: the prompts for the observed one are as uncertain as it is. Another training seed is not part of this."
    )
