"""The sentences of the Overview. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.components import words
from app.components.formats import count, escape, interval, number
from warehouse.claims.findings import Finding
from warehouse.claims.verdict import CANNOT_BE_TOLD
from warehouse.study import Evaluation
from warehouse.study.value_curves import ValueCurves

QUESTION = (
    "A reward model is judged by its accuracy on held-out preferences; what counts is the policy that comes of "
    "optimising it. Does the accuracy, or another measure of a reward model, predict how much of the achievable gain "
    "the policy loses?"
)


def at(curves: ValueCurves) -> str:
    """The policies at the greatest strength: `best-of-16`."""
    return words.optimizer(curves.optimizer).at.format(f"{curves.strengths[-1]:g}")


def what_is_shown(run_id: str, evaluations: Mapping[str, Evaluation], curves: Mapping[str, ValueCurves]) -> str:
    """One line: run, reward models, prompts, and where the intervals come from."""
    first = next(iter(evaluations.values()))
    models = max(len(one.reward_models) + len(one.left_out) for one in curves.values())
    return " · ".join(
        [
            f"Run **{escape(run_id)}**",
            count(models, "reward model"),
            count(first.prompts_used, "RM-test prompt"),
            count(first.rl_prompts_used, "RL-test prompt"),
            f"95% bootstrap intervals, B = {first.replicates:,}, resampling {escape(first.resampled)}",
        ]
    )


def nothing_to_say(reward_models: int, optimizers: Sequence[str]) -> str:
    """Why a run says nothing about the question; empty if it does."""
    if reward_models < 2:
        return "This run has one reward model: a golden and a proxy take two. Its scores are on the Reward models page."
    return "" if optimizers else "This run has no optimised policies: nothing can be lost, and nothing predicted."


def left_out(curves: Sequence[ValueCurves]) -> str:
    """Reward models that are missing from an optimiser's figures, and why; empty if none is."""
    parts = []
    for one in curves:
        if one.left_out:
            names = ", ".join(escape(name) for name in one.left_out[:4])
            more = f" and {len(one.left_out) - 4} more" if len(one.left_out) > 4 else ""
            title = words.optimizer(one.optimizer).title
            parts.append(f"{title}: {names}{more} left out, without policies at every strength")
    return "; ".join(parts)


def undefined(evaluation: Evaluation, curves: ValueCurves) -> str:
    """Pairs of an optimiser that are undefined; empty if none is."""
    if not evaluation.undefined_pairs:
        return ""
    M = len(curves.reward_models)
    return f"{at(curves)}: {evaluation.undefined_pairs:,} of {count(M * (M - 1), 'pair')} undefined and left out"


def sentence(finding: Finding, policies: str) -> str:
    """A finding in a sentence, with its figure and interval; `policies` is what it was found on."""
    if finding.name == "length":
        return _length(finding)
    say = {"predicts": _predicts, "responses": _responses, "measure": _measure, "harder": _harder}[finding.name]
    return say(finding, policies)


def figure(finding: Finding) -> str:
    """Figure and interval, bold: `**0.60** (95% interval 0.31 to 0.89)`."""
    estimate = finding.estimate
    return f"**{number(estimate.value)}** (95% interval {interval(estimate.low, estimate.high)})"


def _predicts(finding: Finding, policies: str) -> str:
    said = f"Kendall τ of accuracy with NDR over {count(_int(finding, 'pairs'), 'pair')} is {figure(finding)}"
    return {
        "holds": f"Accuracy predicts what {policies} loses: {said}.",
        "does not hold": f"Accuracy does not predict what {policies} loses: {said}.",
        _OPPOSITE: f"Accuracy misleads about {policies}: {said}.",
        CANNOT_BE_TOLD: f"Whether accuracy predicts what {policies} loses {CANNOT_BE_TOLD}: {said}.",
        "undefined": f"Whether accuracy predicts what {policies} loses is undefined: {_NO_PAIRS}.",
    }[_answer(finding)]


def _responses(finding: Finding, policies: str) -> str:
    said = f"{_two(finding)}, a difference of {figure(finding)}"
    asking = f"Asking about all responses to a prompt predicts {policies}"
    return {
        "holds": f"{asking} better than one pair: τ {said}.",
        "does not hold": f"{asking} no better than one pair: τ {said}.",
        _OPPOSITE: f"{asking} worse than one pair: τ {said}.",
        CANNOT_BE_TOLD: f"Whether all responses to a prompt predict {policies} better than one pair {CANNOT_BE_TOLD}: "
        f"τ {said}.",
        "undefined": f"Whether more responses per prompt predict {policies} better is undefined: {_NO_PAIRS}.",
    }[_answer(finding)]


def _measure(finding: Finding, policies: str) -> str:
    said = f"{_two(finding)}, a difference of {figure(finding)}"
    return {
        "holds": f"Rank correlation within prompts predicts {policies} better than accuracy: τ {said}.",
        "does not hold": f"Rank correlation within prompts predicts {policies} no better than accuracy: τ {said}.",
        _OPPOSITE: f"Rank correlation within prompts predicts {policies} worse than accuracy: τ {said}.",
        CANNOT_BE_TOLD: f"Whether rank correlation within prompts beats accuracy for {policies} {CANNOT_BE_TOLD}: "
        f"τ {said}.",
        "undefined": f"Whether another measure beats accuracy for {policies} is undefined: {_NO_PAIRS}.",
    }[_answer(finding)]


def _harder(finding: Finding, policies: str) -> str:
    if finding.verdict == "undefined":
        return f"Whether optimising harder loses more is undefined for {policies}: it takes two strengths that gain."
    (first, start), (last, end) = _ends(finding)
    said = (
        f"mean NDR goes from {number(start)} at {first:g} to {number(end)} at {last:g}, a change of {figure(finding)}"
    )
    return {
        "holds": f"Optimising harder loses more of the gain ({policies}): {said}.",
        "does not hold": f"Optimising harder loses no more of the gain ({policies}): {said}.",
        _OPPOSITE: f"Optimising harder keeps more of the gain ({policies}): {said}.",
        CANNOT_BE_TOLD: f"Whether optimising harder loses more of the gain {CANNOT_BE_TOLD} ({policies}): {said}.",
    }[_answer(finding)]


def _answer(finding: Finding) -> str:
    return _OPPOSITE if finding.opposite else finding.verdict


def _length(finding: Finding) -> str:
    facts = finding.facts
    if finding.verdict == "undefined":
        return "Whether scores follow length is undefined: no prompt has responses of different length and score."
    strongest = f"the strongest, {escape(str(facts['strongest']))}, has Spearman ρ {figure(finding)}"
    if finding.verdict == "does not hold":
        return f"No reward model's scores follow length: {strongest}."
    if finding.verdict == CANNOT_BE_TOLD:
        return f"Whether any reward model's scores follow length {CANNOT_BE_TOLD}: {strongest}."
    ways = [(_int(finding, "longer"), "longer"), (_int(finding, "shorter"), "shorter")]
    liked = " and ".join(f"{amount} clearly like {way} responses" for amount, way in ways if amount)
    return f"Of {count(_int(finding, 'reward_models'), 'reward model')}, {liked}: {strongest}."


def _two(finding: Finding) -> str:
    facts: Mapping[str, Any] = finding.facts
    return f"{number(facts['first'])} against {number(facts['second'])}"


def _ends(finding: Finding) -> tuple[tuple[float, float], tuple[float, float]]:
    facts: Mapping[str, Any] = finding.facts
    return facts["first"], facts["last"]


def _int(finding: Finding, name: str) -> int:
    return int(str(finding.facts[name]))


_OPPOSITE = "the opposite holds"
_NO_PAIRS = "no two golden–proxy pairs with a defined NDR that differ"
