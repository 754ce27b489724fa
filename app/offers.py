"""What a run offers, and how a choice is fitted to it.

What the run does not offer is replaced by the default, with a note each; nothing raises.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic

from app.state import Chosen, Selection, parameter
from warehouse.schema import INITIAL
from warehouse.study import CORRELATIONS

LEVELS = ("pooled", "within")
CELLS = ("ndr", "value")
STUDIES = ("ranks", "categories", "responses", "budget")
MOST_NOISE = 0.45
MOST_MAP_BINS = 6
MOST_SEED = 2**31 - 1


class Fitting(Generic[Chosen]):
    """A choice while it is fitted to what a run offers: `chosen` so far, `notes` on what was left out."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.notes: list[str] = []

    def allow(self, field: str, allowed: Collection[object], why: str) -> None:
        """Keep a value if it is allowed; otherwise set the default, with a note."""
        value = getattr(self.chosen, field)
        if value not in allowed and value != self._default(field):
            self.drop(field, why)

    def allow_each(self, field: str, allowed: Collection[object], why: str) -> None:
        """Keep the allowed ones of several values."""
        values = getattr(self.chosen, field)
        for value in values:
            if value not in allowed:
                self._note(field, value, why)
        self.change(**{field: tuple(value for value in values if value in allowed)})

    def limit(self, field: str, least: float, most: float) -> None:
        """Keep a number within its bounds; otherwise, also for NaN, set the default."""
        value = getattr(self.chosen, field)
        if value is not None and not least <= value <= most:
            self.drop(field, f"from {least:g} to {most:g}")

    def drop(self, field: str, why: str) -> None:
        """Replace a value by the default, with a note."""
        self._note(field, getattr(self.chosen, field), why)
        self.change(**{field: self._default(field)})

    def change(self, **values: Any) -> None:
        """Set fields without a note."""
        self.chosen = replace(self.chosen, **values)

    def _note(self, field: str, value: object, why: str) -> None:
        shown = f"{value:g}" if isinstance(value, float) else value
        self.notes.append(f"{parameter(field)}={shown} ({why})")

    def _default(self, field: str) -> Any:
        return next(entry.default for entry in fields(self.chosen) if entry.name == field)


@dataclass(frozen=True)
class Options:
    """What one run offers, on the responses of the chosen sources.

    `reward_models` are the scorers of the study, by their roles `goldens` and `proxies`, `may_be_golden` all that can
    be chosen as the truth. `subsets` maps each RM-test category to its subsets, `sizes` each (category, subset) to its
    number of prompts, `strengths` each optimiser to its strengths, `kl` each optimiser whose KL is known to the range
    of what its policies reach, in nats. `sources` are the policies whose responses can be chosen; `paraphrases` is
    whether all chosen ones answered paraphrases too.
    """

    run: str
    measures: tuple[str, ...]
    subsets: Mapping[str, tuple[str, ...]]
    sizes: Mapping[tuple[str, str], int]
    responses: int
    strengths: Mapping[str, tuple[float, ...]]
    rl_categories: tuple[str, ...]
    reward_models: tuple[str, ...]
    kl: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sources: tuple[str, ...] = (INITIAL,)
    paraphrases: bool = False
    goldens: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    may_be_golden: tuple[str, ...] = ()
    fewest_responses: int | None = None
    usual: Mapping[str, float] = field(default_factory=dict)
    rl_prompts: int = 0

    def usual_strength(self, optimizer: str) -> float:
        """The strength that is shown unless another one is chosen (`reads.policies.usual_strength`)."""
        return self.usual.get(optimizer, max(self.strengths[optimizer]))

    @property
    def pairs(self) -> int:
        """How many pairs of a golden and another scorer as its proxy there are."""
        goldens, proxies = self.goldens or self.reward_models, self.proxies or self.reward_models
        return len(goldens) * len(proxies) - len(set(goldens) & set(proxies))

    def subsets_of(self, categories: Sequence[str]) -> tuple[str, ...]:
        """Subsets of these categories (none: of all)."""
        return tuple(subset for name in categories or self.subsets for subset in self.subsets.get(name, ()))

    def prompts_of(self, categories: Sequence[str], subsets: Sequence[str]) -> int:
        """Number of RM-test prompts in these categories and subsets; empty means all."""
        return sum(
            size
            for (category, subset), size in self.sizes.items()
            if (not categories or category in categories) and (not subsets or subset in subsets)
        )


def fit_sources(fitting: Fitting[Selection], answered: Mapping[str, bool]) -> None:
    """Leave out of the choice the sources of responses that the run does not have.

    `answered` maps each source to whether it answered paraphrases too; if not, the paraphrase share is left out.
    """
    fitting.allow_each("sources", tuple(answered), "no such source of responses")
    if fitting.chosen.sources == (INITIAL,):
        fitting.change(sources=())
    if not all(answered[name] for name in fitting.chosen.sources or (INITIAL,)) and fitting.chosen.paraphrase:
        fitting.drop("paraphrase", "the chosen sources did not answer paraphrases")
    fitting.limit("paraphrase", 0.0, 1.0)


def fit_options(fitting: Fitting[Selection], options: Options) -> None:
    """Leave out of the choice what the run does not offer."""
    fitting.allow("measure", options.measures, "no such measure")
    fitting.allow_each("categories", tuple(options.subsets), "not among the RM-test prompts")
    fitting.allow_each("subsets", options.subsets_of(fitting.chosen.categories), "not in the chosen categories")
    fitting.allow("responses", range(2, options.responses + 1), f"this run has 2 to {options.responses}")
    _fit_size(fitting, options)
    _fit_bins(fitting, options)
    for name in ("noise", "plan_noise"):
        fitting.limit(name, 0.0, MOST_NOISE)
    fitting.limit("seed", 0, MOST_SEED)
    fitting.allow("optimizer", tuple(options.strengths), "not in this run")
    if options.strengths and fitting.chosen.optimizer not in options.strengths:
        fitting.change(optimizer=next(iter(options.strengths)))
    strengths = options.strengths.get(fitting.chosen.optimizer, ())
    fitting.allow("strength", strengths, f"this run has {', '.join(f'{value:g}' for value in strengths)}")
    _fit_kl(fitting, options)
    fitting.allow_each("rl_categories", options.rl_categories, "not among the RL-test prompts")
    fitting.allow("correlation", CORRELATIONS, "no such correlation")
    fitting.allow("level", LEVELS, "pooled or within")
    fitting.allow("cells", CELLS, "ndr or value")
    fitting.allow("study", STUDIES, "no such study")
    fitting.allow("golden", options.goldens or options.reward_models, "not among the goldens")
    proxies = options.proxies or options.reward_models
    others = tuple(name for name in proxies if name != fitting.chosen.golden)
    fitting.allow("proxy", others, "no such reward model other than the golden")


def _fit_kl(fitting: Fitting[Selection], options: Options) -> None:
    """Keep a KL that some policy reaches, or a strength, not both."""
    chosen = fitting.chosen
    if chosen.kl is None:
        return
    reach = options.kl.get(chosen.optimizer)
    if reach is None:
        fitting.drop("kl", f"the KL of {chosen.optimizer} is unknown")
    elif not 0 < chosen.kl <= reach[1]:
        fitting.drop("kl", f"above 0, at most {reach[1]:.3g}")
    elif chosen.strength is not None:
        fitting.drop("strength", "set either a strength or a KL, not both")


def _fit_size(fitting: Fitting[Selection], options: Options) -> None:
    """Keep a number of prompts or a budget of annotations, not both, and within what the run has."""
    chosen = fitting.chosen
    most = options.prompts_of(chosen.categories, chosen.subsets)
    responses = chosen.responses or options.responses
    fitting.allow("prompts", range(2, most + 1), f"there are {most} to draw from")
    if fitting.chosen.prompts is not None and chosen.budget is not None:
        fitting.drop("budget", "set either prompts or a budget, not both")
    fitting.limit("budget", 2 * responses, most * responses)
    fitting.limit("plan_budget", 4, most * options.responses)


def _fit_bins(fitting: Fitting[Selection], options: Options) -> None:
    """Keep the rank bins, and the chosen and rejected bin only together and in this order."""
    responses = fitting.chosen.responses or options.responses
    fitting.allow("rank_bins", range(2, responses + 1), f"{responses} responses make 2 to {responses} bins")
    finest = finest_map(responses)
    fitting.allow("map_bins", range(2, finest + 1), f"2 to {finest}")
    bins = fitting.chosen.rank_bins or 0
    fitting.allow("chosen_bin", range(2, bins + 1), f"from 2 to the number of rank bins, {bins or 'none'}")
    fitting.allow("rejected_bin", range(1, fitting.chosen.chosen_bin or 1), "below the chosen bin")
    if fitting.chosen.rejected_bin is None and fitting.chosen.chosen_bin is not None:
        fitting.drop("chosen_bin", "set the rejected bin too")


def finest_map(responses: int) -> int:
    """The greatest number of rank bins that a heat map of this many responses can show readably."""
    return min(responses, MOST_MAP_BINS)
