"""The measures, correlations and optimisers by name, with the words that pages, charts and the command line use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from warehouse.errors import UnknownName
from warehouse.metrics import calibration, formulas
from warehouse.metrics.formulas import Measure
from warehouse.schema import RL_ALGORITHMS

_HELP = {
    "accuracy": "Share of golden-ordered pairs of responses that the proxy orders alike.",
    "accuracy_pair": "Accuracy on two responses per prompt only, the usual benchmark form.",
    "pearson": "Linear correlation of golden and proxy scores within a prompt.",
    "spearman": "Rank correlation of golden and proxy scores within a prompt.",
    "kendall": "Pairs ordered alike minus pairs ordered otherwise, corrected for ties.",
    "xi": "How far the golden order is a function of the proxy's.",
    "bo_r": "Golden gain of the proxy's favourite response, as a share of the greatest gain there is.",
    "mrr": "One over the rank that the proxy gives to the golden favourite.",
    "ndcg": "Discounted gain of the proxy's ranking, with golden scores as gains.",
    "ece": "Minus the expected calibration error of the proxy's pair probabilities, in ten bins.",
    "brier": "Minus the squared error of the proxy's pair probabilities.",
    "log_loss": "Minus the log-loss of the proxy's pair probabilities.",
    "margin_accuracy": "Accuracy with every pair weighted by its golden margin.",
    "reward_variance": "Variance of the proxy's scores within a prompt, as a share of all its variance.",
}
_TABLE = (
    Measure("accuracy", "Accuracy", _HELP["accuracy"], formulas.accuracy, "pairs", "untied"),
    Measure("accuracy_pair", "Accuracy, one pair", _HELP["accuracy_pair"], formulas.accuracy, "one pair", "untied"),
    Measure("pearson", "Pearson", _HELP["pearson"], formulas.pearson, "list", "always"),
    Measure("spearman", "Spearman", _HELP["spearman"], formulas.spearman, "list", "always"),
    Measure("kendall", "Kendall τ-b", _HELP["kendall"], formulas.kendall, "list", "always"),
    Measure("xi", "Chatterjee ξ", _HELP["xi"], formulas.xi, "list"),
    Measure("bo_r", "Best of R", _HELP["bo_r"], formulas.bo_r, "list"),
    Measure("mrr", "Reciprocal rank", _HELP["mrr"], formulas.mrr, "list"),
    Measure("ndcg", "NDCG", _HELP["ndcg"], formulas.ndcg, "list"),
    Measure("ece", "Calibration error (negated)", _HELP["ece"], calibration.ece, "pairs", negated=True),
    Measure("brier", "Brier score (negated)", _HELP["brier"], calibration.brier, "pairs", negated=True),
    Measure(
        "log_loss", "Log-loss (negated)", _HELP["log_loss"], calibration.log_loss, "pairs", unit="nats", negated=True
    ),
    Measure("margin_accuracy", "Margin accuracy", _HELP["margin_accuracy"], formulas.margin_accuracy, "pairs"),
    Measure("reward_variance", "Reward variance", _HELP["reward_variance"], formulas.reward_variance, "list"),
)

MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _TABLE})
"""Every measure by its name, in METHOD's order."""


def measure_named(name: str) -> Measure:
    """The measure of this name. Raises UnknownName with the known names."""
    if name not in MEASURES:
        raise UnknownName(f"no measure {name!r}; there are {', '.join(MEASURES)}")
    return MEASURES[name]


@dataclass(frozen=True)
class Correlation:
    """A figure of how well a measure predicts NDR: its title, its symbol in a sentence, and a sentence of help."""

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
"""By the names in `across_pairs.CORRELATIONS`."""


@dataclass(frozen=True)
class QuantityWords:
    """What measures are correlated with: a title for an axis, and a short name."""

    title: str
    short: str


QUANTITIES: Mapping[str, QuantityWords] = MappingProxyType(
    {
        "ndr": QuantityWords("Normalised drop ratio (NDR)", "NDR"),
        "gain": QuantityWords("Golden gain, standard deviations within prompts", "golden gain"),
    }
)
"""By `study.regret.Quantity`."""


@dataclass(frozen=True)
class Optimizer:
    """The names of an optimiser and of its strength; `at` is a template for the strength, `at_kl` for nats of KL."""

    title: str
    strength: str
    at: str
    at_kl: str


_OPTIMIZERS: Mapping[str, Optimizer] = {
    "bon": Optimizer("Best-of-n", "n", "best-of-{}", "best-of-n at a KL of {} nats"),
    "tilted": Optimizer("Tilted", "λ", "tilted at λ = {}", "tilted at a KL of {} nats"),
    **{
        name: Optimizer(name.upper(), "Step", f"{name.upper()} at step {{}}", f"{name.upper()} at a KL of {{}} nats")
        for name in RL_ALGORITHMS
    },
    "sft": Optimizer("SFT on the best of n", "Epoch", "SFT at epoch {}", "SFT at a KL of {} nats"),
}


def optimizer_words(name: str) -> Optimizer:
    """Words for an optimiser; an unknown one is called by its own name."""
    return _OPTIMIZERS.get(name, Optimizer(name, "Strength", f"{name} at {{}}", f"{name} at a KL of {{}} nats"))
