"""Which reward model to take by an outcome, in plain words, the same on the page and on the command line.

`name` writes a foreign name: as it is, or escaped for Markdown.
"""

from __future__ import annotations

from warehouse.claims.choosing import Name, listed
from warehouse.formats import count, number
from warehouse.metrics.catalogue import MEASURES
from warehouse.stats.bootstrap import Estimate
from warehouse.study.choice.by_outcome import FIRST_MEASURE, OutcomeAnswer
from warehouse.study.outcomes import FEWEST

_LARGE = 100.0


def headline(answer: OutcomeAnswer, name: Name = str) -> str:
    """Which one to take, and how sure that is."""
    order, outcome = answer.order, answer.outcome
    by, first = name(outcome.name), name(order.names[0])
    value, others = figure(order.together[0], answer), len(order.names) - 1
    unknown = len(order.names) - outcome.known_errors
    if unknown:
        which = "it has no standard errors" if unknown > others else f"{unknown} of {others + 1} errors are unknown"
        return f"By {by} take {first}: {value}. How sure that is cannot be said: {which}."
    if len(order.may_be_best) == 1:
        than = "the other" if others == 1 else f"all {others} others"
        return f"Take {first}: {by} {value}, clearly more than {than}."
    rest = [name(other) for other in order.may_be_best[1:]]
    if len(rest) == others:
        cannot = f"The errors of {by} leave open which of {others + 1} reward models is best"
    else:
        cannot = f"The errors of {by} leave open which is best: {first} is not clearly better than {listed(rest)}"
    return (
        f"{cannot}. If you have to choose now, take {first}: {by} {value}, and at most "
        f"{number(order.behind, digits(answer))} less than the best of them (95% confidence, all pairs at once)."
    )


def predicts(answer: OutcomeAnswer, name: Name = str, measure: str = FIRST_MEASURE) -> str:
    """What a measure on this test set would take, and how well it predicts the outcome."""
    by = name(answer.outcome.name)
    if answer.unmeasured:
        return f"How measures rank these reward models cannot be said: {name(answer.unmeasured)}."
    prediction = answer.predictions[measure]
    goldens = answer.goldens
    truth = name(goldens[0]) if len(goldens) == 1 else f"each of {len(goldens)} goldens in turn"
    title = MEASURES[measure].title
    text = f"{title} on {count(prediction.prompts_used, 'RM-test prompt')} (the truth: {truth})"
    would_take = takes(answer, measure)
    if would_take:
        text += f" would take {listed([name(each) for each in would_take])}"
    tau, models = prediction.correlations["kendall"], count(len(prediction.reward_models), "reward model")
    if tau.value is None or tau.low is None or tau.high is None:
        few = f", fewer than {FEWEST}," if len(prediction.reward_models) < FEWEST else ""
        return f"{text}. {models}{few} say nothing about how well it predicts {by}."
    interval = f"{number(tau.low)} to {number(tau.high)}"
    return f"{text}. It predicts {by} with Kendall τ {number(tau.value)} ({interval}) over {models}."


def left_out(answer: OutcomeAnswer, name: Name = str) -> str:
    """Reward models without the outcome; empty if all have it."""
    if not answer.left_out:
        return ""
    return f"Without {name(answer.outcome.name)}: {', '.join(name(each) for each in answer.left_out)}."


def takes(answer: OutcomeAnswer, measure: str) -> list[str]:
    """The reward models that a measure ranks first; several that tie."""
    ranks = answer.ranks(measure)
    return [name for name, rank in zip(answer.order.names, ranks, strict=True) if rank == 1]


def figure(estimate: Estimate, answer: OutcomeAnswer) -> str:
    """An outcome with its interval, if its error is known: `1,100 (1,085 to 1,115)`."""
    value, low, high = (
        None if end is None else number(end, digits(answer)) for end in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value}" if low is None else f"{value} ({low} to {high})"


def digits(answer: OutcomeAnswer) -> int:
    """Decimals of an outcome: one for large numbers such as Elo, otherwise three."""
    return 1 if is_large(answer) else 3


def is_large(answer: OutcomeAnswer) -> bool:
    """Whether the outcome is of a size at which whole numbers are fine enough for an axis."""
    return float(abs(answer.outcome.value_K).max()) >= _LARGE
