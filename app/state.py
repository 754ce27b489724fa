"""What a user has chosen on a page: a frozen dataclass, and its form in the URL. No Streamlit here.

A page consists of a choice from this module, what the run offers (`offers.py`), and widgets bound to the choice's
fields (`components/page_state.py`). To add a choice to a page:

1. add a field with its default to the page's dataclass below; the URL's parameter is its name, with `-` for `_`;
2. in the page's `fit`, check it against the run: `fitting.allow("shown", (3, 10), "3 and 10 are offered")`;
3. draw a widget: `st.selectbox("Shown", (3, 10), **page_state.bound(chosen, "shown", chosen.shown))`.

A field is a string, an `int`, a `float`, one of these or None, or a tuple of strings (a parameter given several times).
Defaults are not written to the URL, except the run: an address always names it, so that a link shows the same figures
after new runs. What a link asks for and the page does not know is left out, with a note each; nothing here raises for a
bad link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from app.components import formats
from warehouse.study import TestSet

Query = Mapping[str, Sequence[str]]

_SINGULAR = {"categories": "category", "subsets": "subset", "sources": "source", "rl_categories": "rl-category"}
"""Parameters named differently from their field: each holds one of the field's values."""
_FORMER_VALUES = {("cells", "error"): "value"}
"""Values in links of earlier versions, by field, and their name today."""
_FORMER_PARAMETERS = {"first": "compare", "second": "compare"}
"""Parameters in links of earlier versions, and the one that has their values today."""


@dataclass(frozen=True)
class PageChoice:
    """The choice of every page, and the only one of Overview: the run, and the figures shown as tables, by their keys.

    A run of None is the default one (`reads.runs.default_of`).
    """

    run: str | None = None
    table: tuple[str, ...] = ()


Chosen = TypeVar("Chosen", bound=PageChoice)


def from_query(kind: type[Chosen], query: Query) -> tuple[Chosen, list[str]]:
    """The choice in a link, and a note for each parameter that was left out."""
    field_of = {parameter(entry.name): entry for entry in fields(kind)}
    types = get_type_hints(kind)
    values_of: dict[str, Any] = {}
    notes = []
    for name, values in _renamed(kind, query).items():
        if name not in field_of:
            notes.append(f"{name} (no such choice)")
            continue
        field = field_of[name].name
        if isinstance(field_of[name].default, tuple):
            values_of[field] = tuple(dict.fromkeys(values))
            continue
        value = _FORMER_VALUES.get((field, values[-1]), values[-1])
        number = next((number for number in (int, float) if number in (types[field], *get_args(types[field]))), str)
        try:
            values_of[field] = number(value)
        except ValueError:
            notes.append(f"{name}={value} (not a {'whole ' if number is int else ''}number)")
    return replace(kind(), **values_of), notes


def _renamed(kind: type[PageChoice], query: Query) -> Query:
    """The parameters by the names that they have today."""
    own = {parameter(entry.name) for entry in fields(kind)}
    renamed: dict[str, list[str]] = {}
    for name, values in query.items():
        former = _FORMER_PARAMETERS.get(name)
        renamed.setdefault(former if former in own and name not in own else name, []).extend(values)
    return renamed


def to_query(chosen: PageChoice) -> dict[str, list[str]]:
    """The link's parameters: only what differs from the defaults, in the order of the fields."""
    query = {}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if value != field.default:
            values = value if isinstance(value, tuple) else (value,)
            query[parameter(field.name)] = [formats.parameter(item) for item in values]
    return query


def parameter(field: str) -> str:
    """Name of a field in the URL."""
    return _SINGULAR.get(field, field.replace("_", "-"))


@dataclass(frozen=True)
class Source:
    """Whose responses to the RM-test prompts are measured, in which form of the prompts, and against which goldens.

    `goldens` are scorers that count as the truth; none is every reward model in turn. `names` are policies, or `ppo`
    for all of the last PPO step; none is the initial policy. A share `paraphrase` of the prompts, drawn with `seed`, is
    replaced by their paraphrases.
    """

    names: tuple[str, ...] = ()
    paraphrase: float = 0.0
    seed: int = 0
    goldens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policies:
    """Which optimised policies are valued: an optimiser's at one strength, or all at one KL, in nats."""

    optimizer: str
    strength: float | None = None
    kl: float | None = None


@dataclass(frozen=True)
class Selection(PageChoice):
    """Explore, Measures and Test sets. None, or an empty tuple, means no choice: the most, or all."""

    goldens: tuple[str, ...] = ()
    measure: str = "accuracy"
    categories: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    paraphrase: float = 0.0
    responses: int | None = None
    prompts: int | None = None
    budget: int | None = None
    rank_bins: int | None = None
    chosen_bin: int | None = None
    rejected_bin: int | None = None
    noise: float = 0.0
    seed: int = 0
    optimizer: str = "bon"
    strength: float | None = None
    kl: float | None = None
    rl_categories: tuple[str, ...] = ()
    correlation: str = "kendall"
    level: str = "pooled"
    golden: str | None = None
    proxy: str | None = None
    cells: str = "ndr"
    study: str = "ranks"
    map_bins: int | None = None
    plan_budget: int | None = None
    plan_noise: float = 0.0
    outcome: str | None = None

    @property
    def has_pair(self) -> bool:
        return self.golden is not None and self.proxy is not None

    def source(self) -> Source:
        """The responses that the test set is made of, and the goldens."""
        return Source(self.sources, self.paraphrase, self.seed if self.paraphrase else 0, self.goldens)

    def test_set(self) -> TestSet:
        """The prompts, responses and annotation that measures see."""
        return TestSet(
            categories=self.categories or None,
            subsets=self.subsets or None,
            responses=self.responses,
            prompts=self.prompts,
            budget=self.budget,
            rank_bins=self.rank_bins,
            chosen_bin=self.chosen_bin,
            rejected_bin=self.rejected_bin,
            noise=self.noise or None,
            seed=self.seed,
        )

    def test_set_of(self, category: str | None) -> TestSet:
        """The same on all prompts of one category, which may be fewer than `prompts`, or of the chosen ones (None)."""
        test_set = replace(self.test_set(), prompts=None, budget=None)
        return test_set if category is None else replace(test_set, categories=(category,))


@dataclass(frozen=True)
class ChooseChoice(PageChoice):
    """Choose: goldens (none: those that are golden only, or else all others), and by what reward models are ranked.

    `by` is an optimiser, at a `strength` (None: the default) or a `kl`, or a measure. `category` and `subset` are of
    the prompts (none: all), `reward_model` the one whose failures are shown (None: the first), `shown` how many.
    `predicted` is the one whose regret is predicted (None: the first without policies).
    """

    golden: tuple[str, ...] = ()
    by: str = "bon"
    strength: float | None = None
    kl: float | None = None
    category: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    reward_model: str | None = None
    shown: int = 3
    predicted: str | None = None


@dataclass(frozen=True)
class ModelsChoice(PageChoice):
    """Reward models: categories of the RM-test prompts (none: all), the reward model shown, and its golden.

    `against` is the reward model that it is compared with. The figures of all show those whose name or kind has the
    text `search`, of these kinds (none: all).
    """

    category: tuple[str, ...] = ()
    reward_model: str | None = None
    golden: str | None = None
    against: str | None = None
    search: str = ""
    kind: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponsesChoice(PageChoice):
    """Responses: which prompts are browsed (`split`, categories, subsets, text searched for) and what is shown of them.

    `prompt` None is the first match, `policy` None the initial one, `optimizer` None the first that trained policies
    which answered, `reward_model` None the first that it optimised. `sample` is 1-based.
    """

    split: str = "rl_test"
    category: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    search: str = ""
    prompt: str | None = None
    policy: str | None = None
    order: str = "sample"
    shown: int = 4
    optimizer: str | None = None
    reward_model: str | None = None
    sample: int = 1


@dataclass(frozen=True)
class OveroptimisationChoice(PageChoice):
    """Overoptimisation: golden and proxy (None: averaged over all), RL-test categories (none: all), PPO's KL penalty.

    `shown` is the number of examples of reward hacking, `metric` the figure of PPO's training that is drawn.
    """

    golden: str | None = None
    proxy: str | None = None
    rl_category: tuple[str, ...] = ()
    penalty: float | None = None
    shown: int = 3
    metric: str = "reward"


@dataclass(frozen=True)
class AuditChoice(PageChoice):
    """Audit: goldens (none: labels, else all in turn), what subsets are to predict, and which items are shown.

    They predict an outcome (None: NDR of the optimiser's policies). Items are listed by `reason` and `category` (none:
    all); `item` is the one that is read.
    """

    goldens: tuple[str, ...] = ()
    optimizer: str = "bon"
    outcome: str | None = None
    reason: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    item: str | None = None


@dataclass(frozen=True)
class RunsChoice(PageChoice):
    """Runs: those that are compared (none: the chosen one and the newest other), and a text that listed ones have."""

    compare: tuple[str, ...] = ()
    search: str = ""
