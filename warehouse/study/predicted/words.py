"""Predicted regret in plain words, the same on pages, in reports and on the command line.

`name` writes a foreign name: as it is, or escaped for Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from warehouse.formats import count, number
from warehouse.metrics.catalogue import MEASURES, QUANTITIES
from warehouse.study.predicted.known import FEATURES
from warehouse.study.predicted.regret import FEWEST, LEVEL, PredictedRegret

Name = Callable[[str], str]

PREDICTOR_WORDS: Mapping[str, str] = MappingProxyType(
    {"features": "three measures", "accuracy": "line on accuracy", "mean": "mean"}
)
"""By `regret.PREDICTORS`."""

GUARANTEED = 2 * LEVEL - 1

PROMISE = (
    f"{LEVEL:.0%} intervals by the jackknife+: if the reward model is like those of the run, {GUARANTEED:.0%} or more "
    f"of them, and typically {LEVEL:.0%}, contain what the run would measure with its RL-test prompts."
)

BY = (
    f"Predicted from {', '.join(MEASURES[name].title for name in FEATURES[:-1])} and {MEASURES[FEATURES[-1]].title} on "
    "the RM-test prompts, by ridge regression over the reward models that have policies."
)

SUPPORT = (
    "No interval is given to a reward model that these measures show to be unlike the others: one of them is beyond "
    "their range by more than half a standard deviation, or it is farther from their centre than any of them."
)


def quantity(result: PredictedRegret) -> str:
    """What is predicted, for a sentence."""
    return QUANTITIES[result.known.quantity].short


def averaged(result: PredictedRegret, reward_model: str, name: Name = str) -> str:
    """Under which golden, or that it is a mean over goldens, and how many are left out."""
    known = result.known
    goldens = [golden for golden in known.goldens if golden != reward_model]
    over = f"under {name(goldens[0])}" if len(goldens) == 1 else f"averaged over {count(len(goldens), 'golden')}"
    undefined = sum(golden != reward_model for golden in known.undefined_goldens)
    return f"{over} (undefined under {undefined} more)" if undefined else over


def why_not(result: PredictedRegret, reward_model: str, golden: str | None = None) -> str:
    """Why there is no prediction, in a clause that follows "no prediction: "; empty where there is one."""
    guess = result.guess(reward_model, golden)
    if guess.why == "few":
        return f"{count(guess.examples, 'other reward model')} with such policies to learn from; it takes {FEWEST}"
    if guess.why == "undefined":
        return "a measure of it is undefined under the goldens"
    if guess.why == "outside":
        beyond = result.beyond(reward_model, golden)
        if beyond is None:
            return "its measures together are unlike those of the other reward models"
        return (
            f"{MEASURES[beyond.feature].title} is {number(beyond.value)}, and that of the others "
            f"{number(beyond.least)} to {number(beyond.greatest)}"
        )
    return ""


def sentence(result: PredictedRegret, reward_model: str, at: str) -> str:
    """The prediction for a reward model's policy (`at` says which) in a sentence or two."""
    guess = result.guess(reward_model)
    measured = "" if guess.measured is None else f" {_first(quantity(result))} is measured: {number(guess.measured)}."
    if guess.why:
        return f"{_first(at)}: no prediction: {why_not(result, reward_model)}.{measured}"
    without = "" if guess.measured is None else " without it"
    return (
        f"{_first(at)}: {quantity(result)} {number(guess.value)} ({number(guess.low)} to {number(guess.high)}) "
        f"predicted{without}, from {count(guess.examples, 'reward model')}.{measured}"
    )


def new_kind(result: PredictedRegret, reward_model: str, name: Name = str) -> str:
    """That the reward model is of a kind that none of those with policies is, so that nothing is promised; or empty."""
    known = result.known
    m = known.reward_models.index(reward_model)
    learnt = {kind for kind, has in zip(known.kinds, known.has_policy_M, strict=True) if has}
    others = [kind for place, kind in enumerate(known.kinds) if place != m and known.has_policy_M[place]]
    if known.kinds[m] in others or not learnt:
        return ""
    return (
        f"No other reward model with such policies is of its kind ({name(known.kinds[m])}), so the promise does not "
        "hold for it; how predictions did with a kind left out is what to expect."
    )


def did(result: PredictedRegret, predictor: str, *, kind: bool) -> str:
    """How a predictor did without each reward model or kind: its error, coverage and width; – with none."""
    record = result.record(predictor, kind=kind)
    if not record.predicted:
        return "–"
    return f"{number(record.error)}, {record.covered} of {record.predicted}, {number(record.width)}"


def held_out(result: PredictedRegret) -> str:
    """How predictions did, without each reward model and without each kind, in a sentence or two."""
    parts = []
    for kind, what in ((False, "each reward model left out in turn"), (True, "each kind left out in turn")):
        record = result.record("features", kind=kind)
        if not record.predicted:
            parts.append(f"With {what}, there is nothing to predict from.")
            continue
        others = [f"{number(result.record(name, kind=kind).error)} by {words}" for name, words in _OTHERS]
        lacking = record.outside + record.few
        abstained = f" ({lacking} more got none)" if lacking else ""
        parts.append(
            f"With {what}, {record.covered} of {record.predicted} intervals contained what was measured{abstained}; "
            f"their median width was {number(record.width)}, the error {number(record.error)} (root mean square), "
            f"against {' and '.join(others)}."
        )
    return " ".join(parts)


_OTHERS = (("accuracy", "a line on accuracy"), ("mean", "the mean"))


def _first(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
