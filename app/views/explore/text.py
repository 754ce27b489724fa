"""The sentences of the Explore page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components import estimates, formats, words
from app.components.formats import count, number
from app.offers import Options
from app.state import Selection
from warehouse.study import MEASURES, Evaluation
from warehouse.study.correlation import Correlation

_LEVELS = {"pooled": "over all defined golden–proxy pairs", "within": "within each golden, then averaged"}


def question(chosen: Selection) -> str:
    """The page's title for a choice of measure."""
    return f"{MEASURES[chosen.measure].title}: does it predict the policy?"


def correlation_help(name: str, level: str) -> str:
    """What a correlation at a level is, in a sentence."""
    correlation = words.CORRELATIONS[name]
    return correlation.help if name == "mrr" else f"{correlation.help} {_LEVELS[level]}."


def interval(correlation: Correlation) -> str:
    """What the headline is about, and its interval: `this test set, 95% interval 0.31 to 0.89`."""
    if correlation.low is None or correlation.high is None:
        return "no interval"
    return f"this test set, 95% interval {formats.interval(correlation.low, correlation.high)}"


def beside(correlation: Correlation) -> str:
    """What stands beside the headline, a line each (Markdown): the other figures, the ceiling and the test."""
    return "  \n".join(
        [
            f"**The measure itself** {estimates.with_interval(correlation.measure_itself)}",
            f"**Plain** {estimates.with_interval(correlation.sample)}",
            f"**Noise ceiling** {estimates.ceiling(correlation)}",
            f"**Predicts at all?** {estimates.predicts_at_all(correlation)}",
        ]
    )


def undefined(evaluation: Evaluation) -> str:
    """What was left out of the correlations, or why there are none; empty if nothing is missing."""
    parts = []
    if any(estimate.value is None for estimate in evaluation.correlations.values()):
        parts.append("a correlation needs defined pairs of three reward models or more, and values that differ")
    if evaluation.undefined_pairs:
        parts.append(f"{count(evaluation.undefined_pairs, 'pair')} undefined and left out")
    if evaluation.undefined_prompts:
        values = count(evaluation.undefined_prompts, "(pair, prompt) value")
        parts.append(f"{values} undefined and ignored")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def panel_captions(evaluations: Mapping[str, Evaluation], name: str, level: str) -> dict[str, str]:
    """What is written under each category's name: its correlation with the interval, and its number of prompts."""
    captions = {}
    for category, evaluation in evaluations.items():
        estimate = words.correlations(evaluation, level)[name]
        figure = f"{words.CORRELATIONS[name].symbol} {number(estimate.value)}"
        if estimate.low is not None:
            figure += f" ({formats.interval(estimate.low, estimate.high)})"
        captions[category] = f"{figure}, {count(evaluation.prompts_used, 'prompt')}"
    return captions


def nothing_defined(chosen: Selection, options: Options) -> str:
    """Why no pair is defined, and what to change."""
    if chosen.optimizer == "bon" and words.strength_of(chosen, options) <= 1:
        return "Best-of-1 is the initial policy itself: nothing is gained, so nothing can be lost. Choose a larger n."
    return (
        f"No golden–proxy pair is defined here. The golden's own gain under {words.policies(chosen, options)} cannot "
        "be distinguished from zero on these prompts: choose more categories or a greater strength."
    )


def reward_model_line(row: Mapping[str, Any]) -> str:
    """One reward model in a line: flip rate, validation accuracy, training pairs, as far as they are known."""
    flips, accuracy, pairs = row["flip_rate"], row["validation_accuracy"], row["train_pairs"]
    known = [
        None if flips is None else f"{formats.percent(flips)} of labels flipped",
        None if accuracy is None else f"validation accuracy {number(accuracy)}",
        None if pairs is None else count(pairs, "training pair"),
    ]
    return " · ".join(part for part in known if part) or "Trained elsewhere"


def samples_of(chosen: Selection, options: Options) -> float | None:
    """The n of best-of-n whose picks are shown: the chosen one, else the greatest of the run; None without any."""
    if chosen.optimizer == "bon" and chosen.kl is None:
        return words.strength_of(chosen, options)
    return options.usual_strength("bon") if "bon" in options.strengths else None


def picks_line(summary: Mapping[str, float], n: float) -> str:
    """How far the picks of a pair differ."""
    prompts, same = summary["prompts"], summary["same"]
    return (
        f"Among the first {n:g} samples, golden and proxy pick the same response on {same:,.0f} of "
        f"{count(prompts, 'RL-test prompt')}. Following the proxy costs {number(summary['mean_loss'])} standard "
        "deviations of golden score on average. The greatest losses come first."
    )


def loss(row: Mapping[str, Any]) -> str:
    """What following the proxy costs on one prompt."""
    if row["golden_pick"] == row["proxy_pick"]:
        return "nothing lost"
    return f"loses {number(row['loss'])} sd of golden score"
