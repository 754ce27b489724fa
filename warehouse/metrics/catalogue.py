"""The measures, correlations and optimisers by name: the one place that says what each is called and how it is written.

Pages, charts, the command line and findings take their words from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from warehouse.errors import UnknownName
from warehouse.metrics import calibration, formulas
from warehouse.metrics.formulas import Measure
from warehouse.schema import RL_ALGORITHMS

_TABLE = (
    Measure(
        "accuracy",
        "Accuracy",
        "Share of golden-ordered pairs of responses that the proxy orders alike.",
        formulas.accuracy,
        "pairs",
        "untied",
    ),
    Measure(
        "accuracy_pair",
        "Accuracy, one pair",
        "Accuracy on two responses per prompt only, the usual benchmark form.",
        formulas.accuracy,
        "one pair",
        "untied",
    ),
    Measure(
        "pearson",
        "Pearson",
        "Linear correlation of golden and proxy scores within a prompt.",
        formulas.pearson,
        "list",
        "always",
    ),
    Measure(
        "spearman",
        "Spearman",
        "Rank correlation of golden and proxy scores within a prompt.",
        formulas.spearman,
        "list",
        "always",
    ),
    Measure(
        "kendall",
        "Kendall τ-b",
        "Pairs ordered alike minus pairs ordered otherwise, corrected for ties.",
        formulas.kendall,
        "list",
        "always",
    ),
    Measure("xi", "Chatterjee ξ", "How far the golden order is a function of the proxy's.", formulas.xi, "list"),
    Measure(
        "bo_r",
        "Best of R",
        "Golden gain of the proxy's favourite response, as a share of the greatest gain there is.",
        formulas.bo_r,
        "list",
    ),
    Measure(
        "mrr",
        "Reciprocal rank",
        "One over the rank that the proxy gives to the golden favourite.",
        formulas.mrr,
        "list",
    ),
    Measure(
        "ndcg", "NDCG", "Discounted gain of the proxy's ranking, with golden scores as gains.", formulas.ndcg, "list"
    ),
    Measure(
        "ece",
        "Calibration error (negated)",
        "Minus the expected calibration error of the proxy's pair probabilities, in ten bins.",
        calibration.ece,
        "pairs",
        negated=True,
    ),
    Measure(
        "brier",
        "Brier score (negated)",
        "Minus the squared error of the proxy's pair probabilities.",
        calibration.brier,
        "pairs",
        negated=True,
    ),
    Measure(
        "log_loss",
        "Log-loss (negated)",
        "Minus the log-loss of the proxy's pair probabilities.",
        calibration.log_loss,
        "pairs",
        unit="nats",
        negated=True,
    ),
    Measure(
        "margin_accuracy",
        "Margin accuracy",
        "Accuracy with every pair weighted by its golden margin.",
        formulas.margin_accuracy,
        "pairs",
    ),
    Measure(
        "reward_variance",
        "Reward variance",
        "Variance of the proxy's scores within a prompt, as a share of all its variance.",
        formulas.reward_variance,
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


@dataclass(frozen=True)
class Correlation:
    """How well a measure predicts NDR, as one figure: its title, its symbol in a sentence, and what it is."""

    title: str
    symbol: str
    help: str


CORRELATION_WORDS: Mapping[str, Correlation] = MappingProxyType(
    {
        "kendall": Correlation("Kendall τ", "τ", "Rank correlation τ-b of the measure and NDR"),
        "spearman": Correlation("Spearman ρ", "ρ", "Rank correlation ρ of the measure and NDR"),
        "pearson": Correlation("Pearson r", "r", "Linear correlation r of the measure and NDR"),
        "mrr": Correlation(
            "MRR", "MRR", "For each golden, one over the NDR rank of the proxy that the measure likes best; averaged."
        ),
    }
)
"""Of each of `across_pairs.CORRELATIONS`."""


@dataclass(frozen=True)
class Optimizer:
    """How an optimiser and its strength are called; `at` is completed with the strength, `at_kl` with nats."""

    title: str
    strength: str
    at: str
    at_kl: str


_OPTIMIZERS: Mapping[str, Optimizer] = {
    "bon": Optimizer("Best-of-n", "n", "best-of-{}", "best-of-n at a KL of {} nats"),
    **{
        name: Optimizer(name.upper(), "Step", f"{name.upper()} at step {{}}", f"{name.upper()} at a KL of {{}} nats")
        for name in RL_ALGORITHMS
    },
}


def optimizer_words(name: str) -> Optimizer:
    """Words for an optimiser; an unknown one is called by its own name."""
    return _OPTIMIZERS.get(name, Optimizer(name, "Strength", f"{name} at {{}}", f"{name} at a KL of {{}} nats"))
