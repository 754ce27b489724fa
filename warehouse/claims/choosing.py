"""The answer to "which reward model should I take?" in plain words, the same on the page and on the command line.

`name` writes a foreign name: as it is, or escaped for Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from warehouse.formats import count, number, percent
from warehouse.metrics.catalogue import MEASURES
from warehouse.stats.bootstrap import Estimate
from warehouse.study.choice.answer import BEST_OF_N, Answer
from warehouse.study.choice.worth import Worth
from warehouse.study.power import FEWEST_PROMPTS

Name = Callable[[str], str]

_LISTED = 6
_PROPER = ("Brier", "Chatterjee", "Kendall", "NDCG", "Pearson", "Spearman")
"""First words of measures that stay capitals in a sentence."""


def headline(answer: Answer, name: Name = str) -> str:
    """Which one to take, and how sure that is."""
    ranking, worth = answer.ranking, answer.worth
    first, best = name(ranking.names[0]), ranking.together[0]
    others, prompts = len(ranking.names) - 1, count(ranking.prompts, "prompt")
    worth_of = f"{figure(best, worth)} {_what(answer)}"
    if len(ranking.may_be_best) == 1:
        than = "the other" if others == 1 else f"all {others} others"
        return f"Take {first}: {worth_of}, clearly more than {than} on {prompts}."
    rest = [name(other) for other in ranking.may_be_best[1:]]
    if len(rest) == others:
        cannot = f"These {prompts} cannot tell the {others + 1} reward models apart"
    else:
        cannot = f"These {prompts} cannot tell which is best: {first} is not clearly better than {listed(rest)}"
    return (
        f"{cannot}. If you have to choose now, take {first}: {worth_of}, and at most {_amount(ranking.behind, worth)} "
        "less than the best of them (95% confidence, all pairs at once)."
    )


def truths(answer: Answer, name: Name = str) -> str:
    """What counts as the truth, and why."""
    goldens = answer.worth.goldens
    named = listed([name(golden) for golden in goldens])
    averaged = ", averaged" if len(goldens) > 1 else ""
    if answer.truth == "the others":
        return (
            f"Golden: no scorer of this run is the truth, so each reward model is judged by the {len(goldens) - 1} "
            "others, averaged. That says which one agrees most with the rest, not which one is right."
        )
    why = "" if answer.truth == "named" else f", as {'they are' if len(goldens) > 1 else 'it is'} golden only"
    return f"Golden: {named}{averaged}{why}."


def length_alone(answer: Answer) -> str:
    """What a policy reaches that looks at length alone; empty where that is unknown."""
    baseline, worth = answer.baseline, answer.worth
    if baseline is None:
        return ""
    better = max(baseline.longest.value or 0.0, baseline.shortest.value or 0.0)
    below = [m for m, estimate in enumerate(answer.ranking.estimates) if (estimate.value or 0.0) <= better]
    text = (
        f"Length alone: always the longest of {answer.strength:g} responses reaches {figure(baseline.longest, worth)}, "
        f"always the shortest {figure(baseline.shortest, worth)} (lengths in {baseline.unit})."
    )
    reach = "reaches" if len(below) == 1 else "reach"
    return f"{text} {count(len(below), 'reward model')} {reach} no more than the better of these." if below else text


def winner(answer: Answer) -> str:
    """Why the first one's figure may be trusted although it was picked."""
    return (
        f"The best of {len(answer.ranking.names)} looks better than it is (winner's curse), so intervals hold for all "
        "of them at once, and thus for whichever comes first."
    )


def per_nat(answer: Answer) -> str:
    """What gain per nat and efficiency are, and how many reward models are without; empty for a measure."""
    if not answer.per_nat:
        return ""
    text = "Gain per nat: the golden gain in sd within prompts over the policy's KL; efficiency: gain² / (2·KL)."
    if answer.question.by == BEST_OF_N:
        text += " The KL of best-of-n is an upper bound, so both are at least that."
    if answer.question.by == "tilted":
        text += " The KL of tilted policies is estimated by the weights of the samples; it and the gain are too small."
    if answer.without_kl:
        text += f" {count(answer.without_kl, 'reward model')} without them: the KL is unknown or not above 0."
    return text


def fewer_samples(answer: Answer) -> str:
    """How many prompts are left out for want of samples."""
    why = "fewer samples than n" if answer.question.by == BEST_OF_N else "too few effective samples for some scorer"
    return f"{count(answer.fewer_samples, 'prompt')} left out, with {why}."


def more(answer: Answer, name: Name = str) -> str:
    """How many more prompts or responses would separate the first two; empty where they are told apart."""
    needs, unit = answer.more, answer.worth
    if needs is None:
        return ""
    first, second = name(needs.first), name(needs.second)
    seen = f"{first} is ahead of {second} by {_amount(needs.difference, unit)}"
    matters = _matters(needs.prompts_for_matters, needs.prompts_now, _amount(needs.matters, unit))
    if needs.prompts is None:
        return f"{seen}: no number of prompts that can be had would show that. {matters}"
    if needs.prompts <= needs.prompts_now:
        # the two alone are told apart, all pairs at once are not
        return f"{seen}. Compared with nothing else, these prompts are enough to show that. {matters}"
    further = needs.prompts - needs.prompts_now
    text = f"{seen}: {further:,} more prompts like these ({needs.prompts:,} in all) would show it"
    if needs.responses is not None:
        text += f", or {needs.responses} responses to each instead of {needs.responses_now}"
    text += " (80% power, these two alone; as uncertain as the difference itself)"
    return f"{text}. {matters}"


def _matters(prompts: int | None, now: int, amount: str) -> str:
    if prompts is None:
        return ""
    if prompts <= now:
        return f"A difference of {amount} would probably have shown already."
    return f"For a difference of {amount}, {max(prompts, FEWEST_PROMPTS):,} prompts would do."


def figure(estimate: Estimate, worth: Worth) -> str:
    """A figure with its interval: `1.32 sd (1.20 to 1.44)`, `71.4% (68.0% to 74.8%)`."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "undefined"
    if worth.unit == "share":
        return f"{_percent(estimate.value)} ({_percent(estimate.low)} to {_percent(estimate.high)})"
    digits = 3 if worth.unit == "measure" else 2
    low, high = number(estimate.low, digits), number(estimate.high, digits)
    return f"{_amount(estimate.value, worth)} ({low} to {high})"


def unit_title(answer: Answer) -> str:
    """What is ranked, for an axis or a column: `Golden gain of best-of-8 (sd within prompts)`."""
    if answer.question.by in MEASURES:
        return MEASURES[answer.question.by].axis
    if answer.worth.unit == "share":
        return f"Right answers of {answer.at} (share)"
    return f"Golden gain of {answer.at} (sd within prompts)"


def chance(share: float) -> str:
    """A probability in whole percent, never 0 or 100."""
    return "<1%" if share < 0.01 else ">99%" if share > 0.99 else percent(share)


def letters(groups: Sequence[int]) -> str:
    """Groups as letters, of many as numbers: `ab`."""
    if all(group <= 26 for group in groups):
        return "".join(chr(ord("a") + group - 1) for group in groups)
    return " ".join(map(str, groups))


def _what(answer: Answer) -> str:
    if answer.question.by in MEASURES:
        title = answer.at if answer.at.split()[0] in _PROPER else answer.at[:1].lower() + answer.at[1:]
        return f"in {title}"
    return f"right by {answer.at}" if answer.worth.unit == "share" else f"golden gain by {answer.at}"


def _amount(value: float, worth: Worth) -> str:
    if worth.unit == "share":
        points = number(100 * value, 1)
        return f"{points} points" if abs(value) < 1 else _percent(value)
    return number(value, 3) if worth.unit == "measure" else f"{number(value, 2 if abs(value) >= 0.05 else 3)} sd"


def _percent(share: float) -> str:
    return f"{number(100 * share, 1)}%"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first ones and how many more."""
    if len(names) > _LISTED:
        return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"
