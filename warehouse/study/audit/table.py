"""An audit as rows: of its subsets, of its items, and of how many items each reason names and how many by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warehouse.formats import number
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.audit.audit import Audit
from warehouse.study.audit.items import RATE, REASONS

Row = dict[str, Any]

BY_CHANCE: Mapping[str, str] = {
    "suspect label": f"{RATE:.0%} or less by chance, if reward models err independently",
    "contrary": f"{RATE:.0%} or less by chance",
    "redundant": "not by chance",
    "same responses": "not by chance",
    "tied": "a count, no test",
    "undefined": "a count, no test",
    "all wrong": "a count, no test",
    "all right": "a count, no test",
}
"""How many of the items that a reason names it is expected to name by chance."""


def subset_rows(audit: Audit) -> list[Row]:
    """A row for each group of items, all of them first; undefined figures are None.

    `tau` is the correlation of accuracy with what is predicted, on this test set, `p_predicts` the p-value of none, and
    `tau_difference` its difference from that of all items, with intervals and p-values for all groups at once.
    """
    return [
        {
            "category": subset.group.category,
            "subset": subset.group.subset,
            "items": len(subset.group.items_P),
            "used": subset.used,
            **_figures("accuracy", subset.accuracy),
            **_figures("reliability", subset.reliability),
            "reliability_100": subset.reliability_100,
            "items_needed": subset.items_needed,
            "pairs_apart": subset.apart,
            "pairs": subset.pairs,
            "informative": subset.informative,
            "rank_correlation_with_rest": subset.rest,
            **_figures("tau", NOTHING if prediction is None else prediction.correlation),
            "p_predicts": None if prediction is None else prediction.p_value,
            **_figures("tau_difference", (prediction and prediction.difference) or NOTHING),
            "p_difference": None if prediction is None else prediction.p_difference,
            "verdict": ", ".join(subset.verdicts),
        }
        for subset, prediction in zip(audit.subsets, audit.predictions, strict=True)
    ]


def item_rows(audit: Audit) -> list[Row]:
    """A row for each item, the worst first, then by how suspect its label is; undefined figures are None.

    `reasons` are of `items.REASONS`, and `because` says with figures why.
    """
    items, right, reasons = audit.items, audit.right, audit.reasons()
    worst = audit.worst().tolist()
    rest = sorted(set(range(len(audit.prompts))) - set(worst), key=lambda p: (items.suspect_p_P[p], p))
    return [
        {
            "prompt_id": audit.prompts[p],
            "category": audit.categories[p],
            "subset": audit.subset_names[p],
            "reasons": ", ".join(reasons[p]),
            "because": because(audit, p, reasons[p]),
            "accuracy": float(items.mean_P[p]) if items.defined_P[p] else None,
            "item_rest": float(items.item_rest_P[p]) if items.varies_P[p] else None,
            "q_contrary": float(items.contrary_q_P[p]) if items.varies_P[p] else None,
            "against": int(items.against_P[p]) if items.judges_P[p] else None,
            "judges": int(items.judges_P[p]) if items.judges_P[p] else None,
            "p_suspect": float(items.suspect_p_P[p]) if items.judges_P[p] else None,
            "q_suspect": float(items.suspect_q_P[p]) if items.judges_P[p] else None,
            "ties": float(right.ties_P[p]) if items.defined_P[p] else None,
            "golden_ties": float(right.golden_ties_P[p]),
            "repeats": audit.prompts[audit.redundant.of_P[p]] if audit.redundant.of_P[p] >= 0 else None,
            "same": audit.redundant.kind[p],
        }
        for p in [*worst, *rest]
    ]


def because(audit: Audit, p: int, reasons: tuple[str, ...]) -> str:
    """Why an item is listed, with its figures, in plain text; empty for one that is fine."""
    items = audit.items
    why = {
        "suspect label": f"{items.against_P[p]} of {items.judges_P[p]} reward models order it against the golden",
        "contrary": f"correlation with the rest {number(items.item_rest_P[p])}",
        "redundant": f"{audit.redundant.kind[p]} as {audit.prompts[audit.redundant.of_P[p]]}",
        "same responses": "two responses are the same text",
        "tied": f"{audit.right.ties_P[p]:.0%} of pairs tied",
        "undefined": "the golden has no order of its responses",
        "all wrong": "no reward model is right",
        "all right": "every reward model is right",
    }
    return "; ".join(why[name] for name in reasons)


def reason_rows(audit: Audit) -> list[Row]:
    """A row for each reason: `reason`, `items`, what it `means`, and how many are expected `by_chance`."""
    return [
        {"reason": name, "items": int(is_flagged.sum()), "means": REASONS[name], "by_chance": BY_CHANCE[name]}
        for name, is_flagged in audit.flags.items()
    ]


def _figures(name: str, estimate: Estimate) -> Row:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
