"""The sentences of the Reward models page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.formats import count, escape, interval, number, percent
from warehouse.metrics.calibration import Reliability
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import ModelEstimates
from warehouse.stats.bootstrap import Estimate

IMPORTED = "Its scores were made elsewhere and imported; how it was trained is not recorded."
LENGTH_BIAS = "Share of its training labels replaced by: the longer response is chosen."

_LAYERS = {0: "head only", -1: "all layers"}


def what_is_shown(run_id: str, cube: ScoreCube, categories: Sequence[str]) -> str:
    """One line: run, reward models, prompts, responses, and what the intervals resample."""
    M, P, R = cube.scores_MPR.shape
    where = f" ({', '.join(escape(name) for name in categories)})" if categories else ""
    return " · ".join(
        [
            f"Run **{escape(run_id)}**",
            count(M, "reward model"),
            f"scores of {count(R, 'response')} of the initial policy to each of {count(P, 'RM-test prompt')}{where}",
            "95% bootstrap intervals, B = 1,000, resampling prompts",
        ]
    )


def undefined(found: ModelEstimates, names: Sequence[str], what: str) -> str:
    """What was left out of a figure of each reward model; empty if nothing was."""
    nothing = [name for name, estimate in zip(names, found.estimates, strict=True) if estimate.value is None]
    some = sum(found.undefined) - found.prompts * len(nothing)
    parts = []
    if nothing:
        shown = ", ".join(escape(name) for name in nothing[:3]) + (" and others" if len(nothing) > 3 else "")
        parts.append(f"{what} is undefined for {shown}")
    if some:
        parts.append(f"{count(some, 'value')} of a reward model on a prompt undefined, of weight 0")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def added(row: Mapping[str, Any], origin: str, pairs: int) -> str:
    """How a reward model that was made elsewhere came into the run, and its validation accuracy."""
    what = "The Hugging Face model" if row["kind"] == "model" else "The reward server at"
    return (
        f"{what} {escape(origin)}, added to the run, which did not train it; PPO against it is not run. "
        f"Validation accuracy {number(row['validation_accuracy'])}: {validation(row, pairs)}."
    )


def layers(trainable_layers: int) -> str:
    """How much of the model was trained: `head only`, `top 2 layers`."""
    return _LAYERS.get(trainable_layers, f"top {count(trainable_layers, 'layer')}")


def labels_flipped(row: Mapping[str, Any]) -> str:
    """Share of training labels flipped, and how many that were where it is known."""
    flipped = row["flipped_pairs"]
    return percent(row["flip_rate"]) + ("" if flipped is None else f" ({flipped:,})")


def validation(row: Mapping[str, Any], pairs: int) -> str:
    """Where the interval of the validation accuracy comes from."""
    if not pairs:
        return "no interval: the validation pairs were not kept"
    return (
        f"95% interval {interval(row['validation_low'], row['validation_high'])}, Wilson's, of "
        f"{count(pairs, 'validation pair')} taken as independent"
    )


def estimate(found: Estimate) -> str:
    """`0.42 (0.31 to 0.52)`, or `undefined`."""
    if found.value is None:
        return number(None)
    return f"{number(found.value)} ({interval(found.low, found.high)})"


def reliability_note(found: Reliability, golden: str, proxy: str) -> str:
    """What a reliability diagram is of, and its summary."""
    ties = f"; {count(found.golden_ties, 'pair')} tied by the golden left out" if found.golden_ties else ""
    return (
        f"Pairs of responses as **{escape(golden)}** orders them, and how sure **{escape(proxy)}** is of its order. "
        f"Over {count(found.pairs, 'golden-ordered pair')} of RM-test responses{ties}. "
        f"Expected calibration error {estimate(found.error)}, resampling prompts."
    )


def too_many(shown: int, of: int) -> str:
    """Why a figure leaves reward models out."""
    return f"The first {shown:,} of {of:,} reward models by name, so that cells stay large enough to tell apart."
