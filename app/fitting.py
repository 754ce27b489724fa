"""The choice held against what a run offers.

What cannot be had is replaced by the default and said, one note each; nothing raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.selection import Options, Selection, name_of
from warehouse.measures import CORRELATIONS
from warehouse.reads import INITIAL

LEVELS = ("pooled", "within")
CELLS = ("ndr", "error")
STUDIES = ("ranks", "categories", "responses", "budget")
MOST_NOISE = 0.45
MOST_MAP_BINS = 6


def with_known_run(selection: Selection, run_ids: Sequence[str]) -> tuple[Selection, list[str]]:
    """The choice without a run that is not there."""
    if selection.run is None or selection.run in run_ids:
        return selection, []
    return replace(selection, run=None), [f"run={selection.run} (not in the warehouse)"]


def with_known_sources(selection: Selection, answered: Mapping[str, bool]) -> tuple[Selection, list[str]]:
    """The choice with those sources of responses that the run has.

    `answered` maps each to whether it answered paraphrases too; without such answers there is no paraphrase share.
    """
    fitting = _Fitting(selection)
    fitting.many("sources", tuple(answered), "no such source of responses")
    if fitting.selection.sources == (INITIAL,):
        fitting.change("sources", ())
    if not all(answered[name] for name in fitting.selection.sources or (INITIAL,)) and selection.paraphrase:
        fitting.drop("paraphrase", "the chosen sources did not answer paraphrases")
    fitting.between("paraphrase", 0.0, 1.0)
    return fitting.selection, fitting.notes


def fitted(selection: Selection, options: Options) -> tuple[Selection, list[str]]:
    """The choice without what the run does not offer, and a note for each thing left out."""
    fitting = _Fitting(selection)
    fitting.one("measure", options.measures, "no such measure")
    fitting.many("categories", tuple(options.subsets), "not among the RM-test prompts")
    fitting.many("subsets", options.subsets_of(fitting.selection.categories), "not in the chosen categories")
    fitting.one("responses", range(2, options.responses + 1), f"this run has 2 to {options.responses}")
    _fit_size(fitting, options)
    _fit_bins(fitting, options)
    for field in ("noise", "plan_noise"):
        fitting.between(field, 0.0, MOST_NOISE)
    fitting.between("seed", 0, 2**31)
    fitting.one("optimizer", tuple(options.strengths), "not in this run")
    strengths = options.strengths.get(fitting.selection.optimizer, ())
    fitting.one("strength", strengths, f"this run has {', '.join(f'{value:g}' for value in strengths)}")
    _fit_kl(fitting, options)
    fitting.many("rl_categories", options.rl_categories, "not among the RL-test prompts")
    fitting.one("correlation", CORRELATIONS, "no such correlation")
    fitting.one("level", LEVELS, "pooled or within")
    fitting.one("cells", CELLS, "ndr or error")
    fitting.one("study", STUDIES, "no such study")
    fitting.one("golden", options.reward_models, "no such reward model")
    others = tuple(name for name in options.reward_models if name != fitting.selection.golden)
    fitting.one("proxy", others, "no such reward model beside the golden")
    return fitting.selection, fitting.notes


def _fit_kl(fitting: _Fitting, options: Options) -> None:
    """A KL that some policy reaches, or a strength, not both."""
    chosen = fitting.selection
    if chosen.kl is None:
        return
    reach = options.kl.get(chosen.optimizer)
    if reach is None:
        fitting.drop("kl", f"no KL is known of {chosen.optimizer}")
    elif not 0 < chosen.kl <= reach[1]:
        fitting.drop("kl", f"above 0, at most {reach[1]:.3g}")
    elif chosen.strength is not None:
        fitting.drop("strength", "a KL is set; leave one out")


def _fit_size(fitting: _Fitting, options: Options) -> None:
    """Number of prompts, or a budget of annotations: not both, and no more than there are."""
    chosen = fitting.selection
    there = options.prompts_of(chosen.categories, chosen.subsets)
    responses = chosen.responses or options.responses
    fitting.one("prompts", range(2, there + 1), f"there are {there} to draw from")
    if fitting.selection.prompts is not None and chosen.budget is not None:
        fitting.drop("budget", "prompts are set; leave one out")
    fitting.between("budget", 2 * responses, there * responses)
    fitting.between("plan_budget", 4, there * options.responses)


def _fit_bins(fitting: _Fitting, options: Options) -> None:
    """Bins of the golden order, and the two that pairs come from: both of them or none, the chosen one above."""
    responses = fitting.selection.responses or options.responses
    fitting.one("rank_bins", range(2, responses + 1), f"{responses} responses make 2 to {responses} bins")
    finest = most_map_bins(responses)
    fitting.one("map_bins", range(2, finest + 1), f"2 to {finest}")
    bins = fitting.selection.rank_bins or 0
    fitting.one("chosen_bin", range(2, bins + 1), f"from 2 to the number of rank bins, {bins or 'none'}")
    fitting.one("rejected_bin", range(1, fitting.selection.chosen_bin or 1), "below the chosen bin")
    if fitting.selection.rejected_bin is None and fitting.selection.chosen_bin is not None:
        fitting.drop("chosen_bin", "set the rejected bin too")


def most_map_bins(responses: int) -> int:
    """The finest rank-bin heat map that so many responses, and its reader, allow."""
    return min(responses, MOST_MAP_BINS)


class _Fitting:
    """A choice on its way through `fitted`: `selection` so far, `notes` on what was left out."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.notes: list[str] = []

    def one(self, field: str, allowed: Sequence[object], why: str) -> None:
        """Keep a single value if it is allowed; else the default, or the first allowed where even that is not."""
        value, default = getattr(self.selection, field), getattr(Selection(), field)
        if value is None or value in allowed:
            return
        if value != default:
            self._note(field, value, why)
        fallback = default if default is None or default in allowed or not allowed else allowed[0]
        self.change(field, fallback)

    def between(self, field: str, least: float, most: float) -> None:
        """Keep a number within its bounds; else the default. NaN is within none."""
        value = getattr(self.selection, field)
        if value is not None and not least <= value <= most:
            self.drop(field, f"from {least:g} to {most:g}")

    def drop(self, field: str, why: str) -> None:
        """Put the default in the place of a value."""
        self._note(field, getattr(self.selection, field), why)
        self.change(field, getattr(Selection(), field))

    def many(self, field: str, allowed: Sequence[object], why: str) -> None:
        """Keep those of several values that are allowed."""
        values = getattr(self.selection, field)
        for value in values:
            if value not in allowed:
                self._note(field, value, why)
        self.change(field, tuple(value for value in values if value in allowed))

    def change(self, field: str, value: Any) -> None:
        self.selection = replace(self.selection, **{field: value})

    def _note(self, field: str, value: object, why: str) -> None:
        shown = f"{value:g}" if isinstance(value, float) else value
        self.notes.append(f"{name_of(field)}={shown} ({why})")
