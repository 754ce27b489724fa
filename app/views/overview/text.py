"""The sentences of the Overview. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.components import estimates, glossary, words
from app.components.formats import count, escape, interval, listed, number
from warehouse.claims import Finding
from warehouse.claims.verdict import CANNOT_BE_TOLD, SAID
from warehouse.study import Evaluation
from warehouse.study.curves.value_curves import ValueCurves

QUESTION = (
    "A reward model scores responses; a policy is then optimised to get high scores. Reward models are usually chosen "
    "by their *accuracy*: how often they order two responses as people do. But an optimiser exploits every mistake of "
    "the reward model, so an accurate one can still lead to a poor policy. **Does the accuracy of a reward model "
    "predict how good the policy becomes?**"
)

CLAIMS: Mapping[str, str] = {
    "predicts": "Accuracy predicts how much of the possible gain the policy keeps",
    "responses": "Accuracy on all responses to a prompt predicts better than accuracy on one pair",
    "measure": "Rank correlation within prompts predicts better than accuracy",
    "harder": "Stronger optimisation loses more of the gain",
    "length": "Scores follow the length of the response",
}
"""The claim that each finding rules on."""

_MORE: Mapping[str, tuple[str, str, str]] = {
    "predicts": ("", "", "it misleads: the policy of the more accurate reward model loses more"),
    "responses": ("better than one pair", "no better than one pair", "worse than one pair"),
    "measure": ("better than accuracy", "no better than accuracy", "worse than accuracy"),
    "harder": ("it loses more", "it loses no more", "it keeps more"),
}
"""What is added to the ruling if a claim holds, if it is refuted, and if the opposite holds."""

_NO_PAIRS = "no two golden–proxy pairs have a defined NDR that differs"


def terms(optimizers: Sequence[str]) -> tuple[str, ...]:
    """The terms of the glossary that the page needs, in the order in which it uses them."""
    return ("golden", "proxy", "gain", "NDR", "π₀", "KL", *glossary.of_optimizers(optimizers), "Kendall τ")


def first_steps(pair: tuple[str, str] | None) -> dict[str, str]:
    """The path of a first visit, below the question: what each page of it shows, by page; `pair` is a telling one."""
    behind = f" behind {escape(pair[0])} and {escape(pair[1])}" if pair else ""
    return {
        "scatter": "2. The scatter: how accurate reward models are, and what their policies keep",
        "pair": f"3. One point of it: what the policies{behind} answer",
        "instead": "4. What to use instead of accuracy: which measure predicts best",
    }


def at(curves: ValueCurves) -> str:
    """The policies at the greatest strength: `best-of-16`."""
    return words.optimizer(curves.optimizer).at.format(f"{curves.strengths[-1]:g}")


def what_is_shown(run_id: str, evaluations: Mapping[str, Evaluation], curves: Mapping[str, ValueCurves]) -> str:
    """One line: run, reward models, prompts, and where the intervals come from."""
    first = next(iter(evaluations.values()))
    models = max(int(curve.roles.proxy_M.sum()) + len(curve.left_out) for curve in curves.values())
    return " · ".join(
        [
            f"Run **{escape(run_id)}**",
            count(models, "reward model"),
            f"accuracy measured on {count(first.prompts_used, 'RM-test prompt')}",
            f"policies evaluated on {count(first.rl_prompts_used, 'RL-test prompt')}",
            estimates.intervals(first.replicates),
        ]
    )


def nothing_to_say(reward_models: int, optimizers: Sequence[str]) -> str:
    """Why a run says nothing about the question; empty if it does."""
    if reward_models < 2:
        return "This run has only one reward model: a golden and a proxy take two. See its scores on Reward models."
    return "" if optimizers else "This run has no optimised policies, so there is no loss to predict."


def left_out(curves: Sequence[ValueCurves]) -> str:
    """Reward models that are missing from an optimiser's figures, and why; empty if none is."""
    parts = []
    for curve in curves:
        if curve.left_out:
            title = words.optimizer(curve.optimizer).title
            parts.append(f"{title}: {listed(curve.left_out)} left out, without policies at every strength.")
    return " ".join(parts)


def undefined(evaluation: Evaluation, curves: ValueCurves) -> str:
    """Pairs of an optimiser that are undefined; empty if none is."""
    if not evaluation.undefined_pairs:
        return ""
    M = len(curves.reward_models)
    return f"{at(curves)}: {evaluation.undefined_pairs:,} of {count(M * (M - 1), 'pair')} undefined and left out."


def sentence(finding: Finding, policies: str) -> str:
    """The answer of a finding about these policies, with its figure and interval."""
    if finding.verdict == "undefined":
        why = "at least two strengths with a gain are needed" if finding.about == "harder" else _NO_PAIRS
        return f"**{SAID['undefined']}** for {policies}: {why}."
    holds, refuted, opposite = _MORE[finding.about]
    more = opposite if finding.opposite else {"holds": holds, "refuted": refuted}.get(finding.verdict, "")
    at_size = " at this size" if finding.verdict == CANNOT_BE_TOLD else ""
    answer = f"**{SAID[finding.verdict]}** for {policies}{at_size}{f': {more}' if more else ''}"
    facts: Mapping[str, Any] = finding.facts
    if finding.about == "predicts":
        evidence = f"Kendall τ of accuracy on this test set with NDR over {count(facts['pairs'], 'pair')} is "
        evidence += _figure(finding)
    elif finding.about == "harder":
        (first, start), (last, end) = facts["first"], facts["last"]
        evidence = f"Mean NDR over the {count(facts['pairs'], 'pair')} defined at both goes from {number(start)} at "
        evidence += f"{first:g} to {number(end)} at {last:g}, "
        evidence += f"a change of {_figure(finding)}"
    else:
        evidence = f"Plain Kendall τ with NDR is {number(facts['first'])} against {number(facts['second'])}, "
        evidence += f"a difference of {_figure(finding)}"
    return f"{answer}. {evidence}.{_resolution(finding)}"


def _resolution(finding: Finding) -> str:
    """What it would take to tell; empty for what is told."""
    resolution = finding.resolution
    if resolution is None or resolution.all is None or resolution.all == resolution.sizes:
        return ""
    times = resolution.all.reward_models / resolution.sizes.reward_models
    return (
        f" A run like this one tells a figure of about {number(resolution.detectable)} with a probability of 80%; one "
        f"of {number(resolution.effect)} takes {number(times, 1)} times the reward models and the prompts."
    )


def beside(evaluation: Evaluation) -> str:
    """What stands beside Kendall τ about this test set; empty where it is undefined."""
    line = estimates.beside(evaluation.correlations["kendall"])
    return f" {line}" if line else ""


def length(finding: Finding | None) -> str:
    """Whether scores follow length, with the strongest correlation."""
    if finding is None:
        return f"**{SAID[CANNOT_BE_TOLD]}**: the run has neither texts nor token counts of its responses."
    if finding.verdict == "undefined":
        return f"**{SAID['undefined']}**: no prompt has responses of different length and score."
    facts: Mapping[str, Any] = finding.facts
    strongest = f"The strongest, {escape(str(facts['strongest']))}, has Spearman ρ {_figure(finding)}."
    if finding.verdict == "refuted":
        return f"**{SAID[finding.verdict]}**: those of no reward model do. {strongest}"
    if finding.verdict == CANNOT_BE_TOLD:
        return f"**{SAID[CANNOT_BE_TOLD]}** at this size. {strongest}"
    ways = [(facts["longer"], "longer"), (facts["shorter"], "shorter")]
    followed = " and ".join(f"those of {amount} clearly favour {way} responses" for amount, way in ways if amount)
    of = f"of the scores of {count(facts['reward_models'], 'reward model')}, {followed}"
    return f"**{SAID[finding.verdict]}**: {of}. {strongest}"


def _figure(finding: Finding) -> str:
    """Figure and interval, bold: `**0.60** (95% interval 0.31 to 0.89)`."""
    estimate = finding.estimate
    return f"**{number(estimate.value)}** (95% interval {interval(estimate.low, estimate.high)})"
