"""The sentences of the Test sets page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from app.access.frames import figures_of
from app.components import estimates, words
from app.components.formats import count, escape, interval, number, percent
from app.offers import Options
from app.state import Selection
from app.views.test_sets.data import ALL, plan_budget
from warehouse.claims.verdict import SIGNIFICANT, compared
from warehouse.study import MEASURES
from warehouse.study.plans import Advice, Plan

TITLES: Mapping[str, str] = {
    "ranks": "Response ranks",
    "categories": "Categories",
    "responses": "Responses per prompt",
    "budget": "Budget planner",
}
"""The names of `offers.STUDIES`."""

IGNORED: Mapping[str, str] = {
    "ranks": "ignores the sidebar's rank bins, as each cell has its own",
    "categories": "ignores the sidebar's number of prompts and budget, as a category has fewer prompts than all",
    "responses": "ignores the sidebar's responses and rank bins",
    "budget": "ignores the sidebar's measure, responses, prompts, budget, ranks and noise",
}
"""Which choices a study ignores."""


def what_is_shown(chosen: Selection, options: Options, replicates: int) -> str:
    """One line: run, policies, measure, where the intervals come from, and which choices are ignored."""
    return " · ".join(
        [
            *words.run_and_pairs(options),
            words.policies(chosen, options),
            *([] if chosen.study == "budget" else [escape(MEASURES[chosen.measure].title)]),
            estimates.intervals(replicates),
            *([f"prompts drawn with seed {chosen.seed}"] if chosen.study in ("responses", "budget") else []),
            IGNORED[chosen.study],
        ]
    )


def facts(chosen: Selection, options: Options) -> dict[str, object]:
    """The columns that say, in every row of a download, what it is: without what the study ignores."""
    if chosen.study == "categories":
        return words.facts(replace(chosen, prompts=None, budget=None), options)
    return words.facts(replace(chosen, rank_bins=None, chosen_bin=None, rejected_bin=None), options)


def plan_facts(chosen: Selection, options: Options) -> dict[str, object]:
    """The same for the budget planner."""
    names = ("run_id", "optimizer", "strength", "categories", "subsets", "rl_categories")
    facts = {name: value for name, value in words.facts(chosen, options).items() if name in names}
    budget = plan_budget(chosen, options)
    return facts | {"budget": budget, "annotator_noise": chosen.plan_noise, "seed": chosen.seed}


def undefined(frame: pl.DataFrame) -> str:
    """How many correlations are undefined and how many pairs were left out; empty if none."""
    without, pairs = frame["value"].null_count(), frame["undefined_pairs"].to_list()
    parts = []
    if without:
        parts.append(f"{without} of {count(frame.height, 'correlation')} undefined")
    if any(pairs):
        least, most = min(pairs), max(pairs)
        shown = count(most, "pair") if least == most else f"{least} to {count(most, 'pair')}"
        parts.append(f"{shown} undefined and left out of each correlation")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def ranks(frame: pl.DataFrame, chosen: Selection) -> str:
    """Which cell predicts best, and which least."""
    best, least = _ends(frame)
    return (
        f"{escape(MEASURES[chosen.measure].title)} predicts best "
        f"on pairs of bin {best['chosen_bin']} over bin {best['rejected_bin']}: "
        f"{_figure(best, chosen)}; least on bin {least['chosen_bin']} over bin {least['rejected_bin']}: "
        f"{_figure(least, chosen)}."
    )


def categories(frame: pl.DataFrame, chosen: Selection) -> str:
    """Which cell predicts best, and whether categories predict themselves best."""
    single = frame.filter(pl.col("measured") != ALL, pl.col("valued") != ALL)
    own = single.drop_nulls("value").sort("value", descending=True).unique("valued", keep="first", maintain_order=True)
    at_home = own.filter(pl.col("measured") == pl.col("valued")).height
    best, _ = _ends(frame)
    line = (
        f"Highest: measured on {_prompts(best['measured'])}, policies valued on {_prompts(best['valued'])}, "
        f"{_figure(best, chosen)}."
    )
    if own.height < 2:
        return line
    return f"{line} In {at_home} of {own.height} categories, its own test prompts predict best of all categories."


def responses(frame: pl.DataFrame, chosen: Selection) -> str:
    """What more responses bring on the same prompts, and at the same number of annotations."""
    lines = []
    for held, start in (("prompts", "On the same prompts"), ("budget", "For the same number of annotations")):
        points = frame.filter(held=held).drop_nulls("value").sort("responses")
        if points.height < 2:
            continue
        first, last = points.row(0, named=True), points.row(-1, named=True)
        lines.append(
            f"{start}, {first['responses']} responses give {_figure(first, chosen)} and {last['responses']} give "
            f"{_figure(last, chosen)}."
        )
    return " ".join(lines) or "Only one number of responses has a correlation."


def series(chosen_budget: int, fixed_prompts: int) -> dict[str, str]:
    """The names of the two series of `data.responses`."""
    return {
        "prompts": f"{count(fixed_prompts, 'prompt')} each time",
        "budget": f"{count(chosen_budget, 'annotation')} each time",
    }


def ceilings(frame: pl.DataFrame, by: str | None = None) -> str:
    """The noise ceilings of a table, by this column if they differ; empty if none is known."""
    known = frame.drop_nulls("ceiling")
    if known.is_empty():
        return ""
    if by is None or known["ceiling"].n_unique() == 1:
        return f"Noise ceiling: {number(known['ceiling'][0])}."
    each = [
        f"{escape(name)} {number(value)}"
        for name, value in known.unique(by, keep="first", maintain_order=True).select(by, "ceiling").iter_rows()
    ]
    return f"Noise ceiling: {', '.join(each)}."


def advice(plans: Sequence[Plan], advice: Advice, chosen: Selection, budget: int) -> list[str]:
    """The best plan, how sure that is, and what it gains on plain accuracy."""
    best, plain = plans[advice.best], plans[advice.plain]
    row = figures_of("value", best.figure(chosen.correlation, chosen.level))
    noise = f", annotators flipping {percent(chosen.plan_noise)} of pairs" if chosen.plan_noise else ""
    share = advice.shares[advice.best]
    worse = sum(
        p is not None and p < SIGNIFICANT and (behind.value or 0.0) > 0
        for behind, p in zip(advice.behind, advice.p_values, strict=True)
    )
    symbol = words.CORRELATIONS[chosen.correlation].symbol
    lines = [
        f"For {count(budget, 'annotation')}{noise}: **{count(best.responses, 'response')} to each of "
        f"{count(best.prompts, 'prompt')}, judged by {escape(MEASURES[best.measure].title)}**: {_figure(row, chosen)}.",
        f"If the study were repeated, it would have the highest {symbol} in {percent(share or 0.0)} of cases; {worse} "
        f"of the other {count(len(plans) - 1, 'plan')} are shown to be worse, all compared at once. The best of many "
        "looks better than it is (winner's curse).",
    ]
    if advice.best != advice.plain:
        behind = advice.behind[advice.plain]
        lines.append(
            f"Against {escape(MEASURES[plain.measure].title.lower())} on {count(plain.responses, 'response')} to each "
            f"of {count(plain.prompts, 'prompt')}: plain {symbol} higher by {number(behind.value)} "
            f"({interval(behind.low, behind.high)}), "
            f"{compared(behind)}."
        )
    return lines


def _ends(frame: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    ordered = frame.drop_nulls("value").sort("value", descending=True)
    return ordered.row(0, named=True), ordered.row(-1, named=True)


def _figure(row: Mapping[str, Any], chosen: Selection) -> str:
    symbol = words.CORRELATIONS[chosen.correlation].symbol
    return f"{symbol} {number(row['value'])} ({interval(row['low'], row['high'])})"


def _prompts(category: str) -> str:
    return "all prompts" if category == ALL else f"**{escape(category)}**"
