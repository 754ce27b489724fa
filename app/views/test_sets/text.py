"""The sentences of the Test sets page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from app.components import words as components_words
from app.components.formats import count, escape, interval, number, percent
from app.offers import Options
from app.state import Selection
from app.views.test_sets.data import ALL
from warehouse.claims.verdict import above, compared
from warehouse.study import MEASURES, Advice, Plan

TITLES: Mapping[str, str] = {
    "ranks": "Response ranks",
    "categories": "Categories",
    "responses": "Responses per prompt",
    "budget": "Budget planner",
}
"""What the studies of `fitting.STUDIES` are called."""

_SETS_ASIDE: Mapping[str, str] = {
    "ranks": "The rank bins of the sidebar give way to those of each cell.",
    "categories": "A number of prompts or a budget chosen in the sidebar is set aside: a category has fewer than all.",
    "responses": "Responses and rank bins chosen in the sidebar are set aside.",
    "budget": "Measure, responses, prompts, budget, ranks and noise chosen in the sidebar are set aside.",
}


def what_is_shown(chosen: Selection, options: Options, replicates: int) -> str:
    """One line: run, policies, measure, where the intervals come from, and what is set aside of the choice."""
    reward_models = len(options.reward_models)
    pairs = reward_models * (reward_models - 1)
    return " · ".join(
        [
            f"Run **{escape(options.run)}**",
            f"{count(reward_models, 'reward model')}, {count(pairs, 'golden–proxy pair')}",
            components_words.policies(chosen, options),
            *([] if chosen.study == "budget" else [escape(MEASURES[chosen.measure].title)]),
            f"95% bootstrap intervals, B = {replicates:,}, resampling reward models × prompts",
            *([f"prompts drawn by seed {chosen.seed}"] if chosen.study in ("responses", "budget") else []),
            _SETS_ASIDE[chosen.study],
        ]
    )


def facts(chosen: Selection, options: Options) -> dict[str, object]:
    """The columns that say, in every row of a download, what it is: without what the study sets aside."""
    aside = replace(chosen, rank_bins=None, chosen_bin=None, rejected_bin=None)
    if chosen.study == "categories":
        aside = replace(chosen, prompts=None, budget=None)
    return components_words.facts(aside, options)


def undefined(frame: pl.DataFrame) -> str:
    """What has no correlation, and how many pairs were left out; empty if nothing."""
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
        f"{_title(chosen)} predicts best on pairs of bin {best['chosen_bin']} over bin {best['rejected_bin']}: "
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
        f"The greatest: measured on {_prompts(best['measured'])}, policies valued on {_prompts(best['valued'])}, "
        f"{_figure(best, chosen)}."
    )
    if own.height < 2:
        return line
    of_all = "category" if own.height == 1 else "categories"
    return f"{line} In {at_home} of {own.height} {of_all}, its own test prompts have the greatest of all categories."


def responses(frame: pl.DataFrame, chosen: Selection) -> str:
    """What more responses bring on the same prompts, and for the same annotations."""
    lines = []
    for held, words in (("prompts", "On the same prompts"), ("budget", "For the same annotations")):
        there = frame.filter(pl.col("held") == held).drop_nulls("value").sort("responses")
        if there.height < 2:
            continue
        first, last = there.row(0, named=True), there.row(-1, named=True)
        lines.append(
            f"{words}, {first['responses']} responses give {_figure(first, chosen)} and {last['responses']} give "
            f"{_figure(last, chosen)}."
        )
    return " ".join(lines) or "One number of responses alone has a correlation."


def series(chosen_budget: int, fixed_prompts: int) -> dict[str, str]:
    """What the two series of `study_frames.responses` are called."""
    return {
        "prompts": f"{count(fixed_prompts, 'prompt')} each time",
        "budget": f"{count(chosen_budget, 'annotation')} each time",
    }


def advice(plans: Sequence[Plan], found: Advice, chosen: Selection, budget: int) -> list[str]:
    """The best plan, how sure that is, and what it gains on plain accuracy."""
    best, plain = plans[found.best], plans[found.plain]
    figure = best.figure(chosen.correlation, chosen.level)
    row = {"value": figure.value, "low": figure.low, "high": figure.high}
    noise = f", annotators flipping {percent(chosen.plan_noise)} of pairs" if chosen.plan_noise else ""
    share = found.shares[found.best]
    worse = sum(above(behind) == "holds" for behind in found.behind)
    symbol = components_words.CORRELATIONS[chosen.correlation].symbol
    lines = [
        f"For {count(budget, 'annotation')}{noise}: **{count(best.responses, 'response')} to each of "
        f"{count(best.prompts, 'prompt')}, judged by {escape(MEASURES[best.measure].title)}**: {_figure(row, chosen)}.",
        f"It has the greatest {symbol} in {percent(share or 0.0)} of replicates; {worse} of the other "
        f"{count(len(plans) - 1, 'plan')} are shown to be worse. Having been picked flatters a figure.",
    ]
    if found.best != found.plain:
        behind = found.behind[found.plain]
        lines.append(
            f"Against {escape(MEASURES[plain.measure].title.lower())} on {count(plain.responses, 'response')} to each "
            f"of {count(plain.prompts, 'prompt')}: {number(behind.value)} ({interval(behind.low, behind.high)}), "
            f"{compared(behind)}."
        )
    return lines


def _ends(frame: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    there = frame.drop_nulls("value").sort("value", descending=True)
    return there.row(0, named=True), there.row(-1, named=True)


def _figure(row: Mapping[str, Any], chosen: Selection) -> str:
    symbol = components_words.CORRELATIONS[chosen.correlation].symbol
    return f"{symbol} {number(row['value'])} ({interval(row['low'], row['high'])})"


def _title(chosen: Selection) -> str:
    return escape(MEASURES[chosen.measure].title)


def _prompts(category: str) -> str:
    return "all prompts" if category == ALL else f"**{escape(category)}**"
