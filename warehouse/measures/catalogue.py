"""The measures by name, in METHOD's order, as menus and command lines list them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from warehouse.errors import UnknownName
from warehouse.measures import calibration, rm_error
from warehouse.measures.rm_error import Measure

_TABLE = (
    Measure(
        "accuracy",
        "Accuracy",
        "Share of golden-ordered pairs of responses that the proxy orders alike.",
        rm_error.accuracy,
        "pairs",
        "untied",
    ),
    Measure(
        "accuracy_pair",
        "Accuracy, one pair",
        "Accuracy on two responses per prompt only, the usual benchmark form.",
        rm_error.accuracy,
        "one pair",
        "untied",
    ),
    Measure(
        "pearson",
        "Pearson",
        "Linear correlation of golden and proxy scores within a prompt.",
        rm_error.pearson,
        "list",
        "always",
    ),
    Measure(
        "spearman",
        "Spearman",
        "Rank correlation of golden and proxy scores within a prompt.",
        rm_error.spearman,
        "list",
        "always",
    ),
    Measure(
        "kendall",
        "Kendall τ-b",
        "Pairs ordered alike minus pairs ordered otherwise, corrected for ties.",
        rm_error.kendall,
        "list",
        "always",
    ),
    Measure("xi", "Chatterjee ξ", "How far the golden order is a function of the proxy's.", rm_error.xi, "list"),
    Measure(
        "bo_r",
        "Best of R",
        "Golden gain of the proxy's favourite response, as a share of the greatest gain there is.",
        rm_error.bo_r,
        "list",
    ),
    Measure(
        "mrr",
        "Reciprocal rank",
        "One over the rank that the proxy gives to the golden favourite.",
        rm_error.mrr,
        "list",
    ),
    Measure(
        "ndcg", "NDCG", "Discounted gain of the proxy's ranking, with golden scores as gains.", rm_error.ndcg, "list"
    ),
    Measure(
        "ece",
        "Calibration error (negated)",
        "Minus the expected calibration error of the proxy's pair probabilities, in ten bins.",
        calibration.ece,
        "pairs",
    ),
    Measure(
        "brier",
        "Brier score (negated)",
        "Minus the squared error of the proxy's pair probabilities.",
        calibration.brier,
        "pairs",
    ),
    Measure(
        "log_loss",
        "Log-loss (negated)",
        "Minus the log-loss of the proxy's pair probabilities.",
        calibration.log_loss,
        "pairs",
    ),
    Measure(
        "margin_accuracy",
        "Margin accuracy",
        "Accuracy with every pair weighted by its golden margin.",
        rm_error.margin_accuracy,
        "pairs",
    ),
    Measure(
        "reward_variance",
        "Reward variance",
        "Variance of the proxy's scores within a prompt, as a share of all its variance.",
        rm_error.reward_variance,
        "list",
    ),
)

MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _TABLE})
"""Every measure by its name, in METHOD's order."""


def measure_named(name: str) -> Measure:
    """The measure of this name. Raises UnknownName, listing those there are."""
    if name not in MEASURES:
        raise UnknownName(f"no measure {name!r}; there are {', '.join(MEASURES)}")
    return MEASURES[name]
