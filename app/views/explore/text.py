"""The sentences of the Explore page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components import estimates, formats, words
from app.components.formats import count, number
from app.offers import Options
from app.state import Selection
from app.views.explore.data import Answers
from warehouse.schema import BY_WEIGHTING
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


def points_note(*, are_many: bool) -> str:
    """How to read the scatter, of single pairs or of a density."""
    if are_many:
        return "So many golden–proxy pairs are counted in cells; dashed: least-squares fit. Click a cell of All pairs."
    return "A point for each golden–proxy pair; dashed: least-squares fit. Click one to see its pair and its responses."


def reward_model_line(row: Mapping[str, Any]) -> str:
    """One reward model in a line: flip rate, validation accuracy, training pairs, as far as they are known."""
    flips, accuracy, pairs = row["flip_rate"], row["validation_accuracy"], row["train_pairs"]
    known = [
        None if flips is None else f"{formats.percent(flips)} of labels flipped",
        None if accuracy is None else f"validation accuracy {number(accuracy)}",
        None if pairs is None else count(pairs, "training pair"),
    ]
    return " · ".join(part for part in known if part) or "Trained elsewhere"


def answers_title(answers: Answers) -> str:
    """Whose responses are shown."""
    return f"What {words.called(answers.policies)} {'picks' if answers.policies.optimizer == 'bon' else 'answers'}"


def sides(answers: Answers) -> tuple[str, str]:
    """What the two columns of responses are called."""
    if answers.policies.optimizer == "bon":
        return "Golden picks", "Proxy picks"
    return "Optimised against the golden" if answers.by_golden else "Initial policy π₀", "Optimised against the proxy"


def answers_line(answers: Answers, summary: Mapping[str, float], chosen: Selection) -> str:
    """How far the answers of a pair differ, and why they are not the chosen optimiser's if they are not."""
    prompts, same = summary["prompts"], summary["same"]
    costs = f"costs {number(summary['mean_loss'])} standard deviations of golden score on average"
    if answers.policies.optimizer == "bon":
        line = (
            f"Among the first {answers.policies.strength:g} samples, golden and proxy pick the same response on "
            f"{same:,.0f} of {count(prompts, 'RL-test prompt')}. Following the proxy {costs}."
        )
    else:
        line = f"The first answer of either policy to each of {count(prompts, 'RL-test prompt')}. "
        if answers.by_golden:
            line += f"Following the proxy, not the golden, {costs}."
        else:
            line += (
                f"No policy was optimised against this golden; against the initial one, following the proxy {costs}."
            )
    others = chosen.optimizer != answers.policies.optimizer
    return f"{_not_its_own(chosen.optimizer) if others else ''}{line} The greatest losses come first."


def _not_its_own(optimizer: str) -> str:
    title = words.optimizer(optimizer).title
    if optimizer in BY_WEIGHTING:
        return f"{title} policies have no responses of their own, so these are the picks of best-of-n. "
    return f"The responses of this pair's {title} policies are not stored, so these are the picks of best-of-n. "


def loss(row: Mapping[str, Any]) -> str:
    """What following the proxy costs on one prompt."""
    if not row["loss"]:
        return "nothing lost"
    return f"loses {number(row['loss'])} sd of golden score"
