"""The sentences of the Audit page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.components import formats
from app.components.formats import count, escape, number, percent
from app.views.audit.data import MOST_DRAWN
from warehouse.study.audit.audit import Audit
from warehouse.study.audit.items import FAULTS, FEWEST_MODELS, REASONS
from warehouse.study.audit.subsets import FEWEST_ITEMS, RELIABLE, SATURATED
from warehouse.study.audit.table import BY_CHANCE

EMPTY = "(empty response)"

_VERDICTS: Mapping[str, str] = {
    "saturated": f"saturated: reward models get {SATURATED:.0%} or more of it right on average, so little is left to "
    "tell apart",
    "at chance": "at chance: no reward model can be told from a coin",
    "contrary": "contrary: reward models that are better elsewhere are worse here",
    "too few items": f"too few: a verdict takes {FEWEST_ITEMS} on which the goldens order a pair",
}


def what_is_shown(run_id: str, audit: Audit) -> str:
    """One line: run, items, reward models, and who is golden."""
    right = audit.right
    truth = f"golden: {formats.listed(right.golden_names)}" if right.fixed else "each judged by all others as golden"
    return (
        f"Run **{escape(run_id)}** · {count(len(audit.prompts), 'item')}, the RM-test prompts · "
        f"{count(len(right.reward_models), 'reward model')}, {truth}"
    )


def summary(audit: Audit, subsets: pl.DataFrame) -> list[str]:
    """What was found, a line each (Markdown)."""
    flags = audit.flags
    faulty = [f"{int(flags[name].sum()):,} {name}" for name in FAULTS if flags[name].any()]
    lines = [
        f"**{count(len(audit.worst()), 'item')} to look at**: {', '.join(faulty)}."
        if faulty
        else "**No item has a fault that this audit can see.**"
    ]
    whole = subsets.row(0, named=True)
    if whole["reliability"] is not None:
        needed = whole["items_needed"]
        more = f" For {RELIABLE:g} it takes about {needed:,} such items." if needed and needed > whole["used"] else ""
        lines.append(
            f"All items tell **{whole['apart']} pairs of reward models** apart; the reliability of their ranking is "
            f"{_interval(whole, 'reliability')}.{more}"
        )
    for row in subsets.iter_rows(named=True):
        lines += [f"**{escape(row['name'])}** is {_VERDICTS[name]}." for name in row["verdict"].split(", ") if name]
    return lines


def quantity(audit: Audit, policies: str) -> str:
    """What subsets are to predict of these policies, as plain text."""
    gain = any(part is not None and part.quantity == "gain" for part in audit.predictions)
    return f"{'the gain' if gain else 'NDR'}{f' of {policies}' if policies else ''}"


def predicting(subsets: pl.DataFrame, what: str) -> str:
    """Which subset predicts best, and which predict less than all items."""
    known = subsets.filter(pl.col("category").is_not_null()).drop_nulls("tau").sort("tau", descending=True)
    if known.is_empty():
        return ""
    best = known.row(0, named=True)
    line = f"{escape(best['name'])} has the greatest τ with {escape(what)}: {_interval(best, 'tau')}."
    for sign, word in ((-1, "less"), (1, "more")):
        clear = known.filter(pl.col("p_difference") < 0.05, pl.col("tau_difference").sign() == sign)["name"].to_list()
        if clear:
            line += f" {formats.listed(clear)} {'predicts' if len(clear) == 1 else 'predict'} {word} than all items."
    silent = known.filter(~pl.col("predicts"))["name"].to_list()
    if silent:
        line += f" Not shown to predict at all (pale): {formats.listed(silent)}."
    return line


def few_models(audit: Audit) -> str:
    """What cannot be said with few reward models; empty with enough."""
    models = len(audit.right.reward_models)
    if not audit.enough_models:
        return (
            f"**{count(models, 'reward model')}**, fewer than {FEWEST_MODELS}: what single items do to them is noise, "
            "so no test flags any. What is listed are counts: ties, repeated items, items without information."
        )
    return ""


def left_out(audit: Audit, subsets: pl.DataFrame) -> str:
    """How many subsets are too small to be judged, or too many to be drawn; empty if none."""
    few = sum(subset.used < FEWEST_ITEMS for subset in audit.subsets[1:])
    parts = [f"{count(few, 'subset')} of fewer than {FEWEST_ITEMS} usable items not shown."] if few else []
    if subsets.height > MOST_DRAWN:
        parts.append(f"The {MOST_DRAWN} largest of {count(subsets.height, 'subset')} are drawn; tables have all.")
    return " ".join(parts)


def reasons(counts: Mapping[str, int]) -> str:
    """What each reason means and how many items it names by mistake, a line each (Markdown)."""
    return "\n".join(
        f"- **{name}** ({count(counts[name], 'item')}): {REASONS[name]}; {BY_CHANCE[name]}." for name in counts
    )


def reason(name: str, counts: Mapping[str, int]) -> str:
    """A reason in a control: `contrary (3)`."""
    return f"{name} ({counts[name]:,})"


def item_option(row: Mapping[str, Any]) -> str:
    """An item in a menu, as plain text."""
    return f"{row['prompt_id']} · {row['because'] or 'no fault'}"


def item_line(row: Mapping[str, Any]) -> str:
    """Where an item belongs and what is wrong with it (Markdown)."""
    parts = [f"**{escape(row['prompt_id'])}**", escape(row["category"]), escape(row["subset"])]
    if row["accuracy"] is not None:
        parts.append(f"{percent(row['accuracy'])} of its pairs ordered as the golden does")
    if row["item_rest"] is not None:
        parts.append(f"correlation with the rest {number(row['item_rest'])}")
    return " · ".join(parts)


def item_reasons(row: Mapping[str, Any]) -> str:
    """Why it is listed (Markdown); empty for one without a fault."""
    return f":material/flag: {escape(row['because'])}" if row["because"] else ""


def response_line(row: Mapping[str, Any], models: int) -> str:
    """Number of a response, the golden's score, and how many reward models like it best."""
    parts = [f"**Response {row['sample'] + 1}**"]
    if row["golden"] is not None:
        parts.append(f"golden {number(row['golden'])}")
    parts.append(f"best of {row['best_of']} of {count(models, 'reward model')}")
    return " · ".join(parts)


def figure_notes(quantity: str | None) -> dict[str, str]:
    """How to read each figure."""
    what = {"gain": "the gain of the proxy's policy", "ndr": "NDR"}.get(quantity or "ndr", escape(quantity or ""))
    return {
        "predict": f"Kendall τ of accuracy on the subset with {what}, on this test set, with its 95% interval. Pale: "
        "not shown to predict anything (permutation test, corrected for the number of subsets).",
        "reliability": "Share of the variance in accuracy between reward models that as many other such items would "
        "find again (Cronbach's α), with its 95% interval, cut at 0; dashed: 0.9. On the right: pairs of reward models "
        "told apart, all compared at once.",
        "accuracy": "A tick for each reward model, a dot for their mean; dashed: a coin.",
    }


def _interval(row: Mapping[str, Any], name: str) -> str:
    return f"{number(row[name])} ({formats.interval(row[f'{name}_low'], row[f'{name}_high'])})"
