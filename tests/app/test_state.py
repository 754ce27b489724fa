"""`app/state.py`: a page's choice and its link, there and back, and what nonsense becomes."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import state
from app.offers import Fitting
from app.state import PageChoice, RunsChoice, Selection, from_query, parameter, to_query

KINDS = [kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, PageChoice)]
"""The choice of every page."""


@dataclass(frozen=True)
class Example(PageChoice):
    category: tuple[str, ...] = ()
    reward_model: str | None = None
    step: float | None = None
    shown: int = 5
    search: str = ""


def test_a_choice_comes_back_from_its_own_link() -> None:
    chosen = Example("r1", ("scatter",), ("Chat", "Safety"), "flip-0.20", 2.5, 10, "a & b")
    query = to_query(chosen)
    assert query == {
        "run": ["r1"],
        "table": ["scatter"],
        "category": ["Chat", "Safety"],
        "reward-model": ["flip-0.20"],
        "step": ["2.5"],
        "shown": ["10"],
        "search": ["a & b"],
    }
    assert from_query(Example, query) == (chosen, [])
    assert to_query(Example()) == {}


def test_what_a_link_cannot_mean_is_a_note_each() -> None:
    chosen, notes = from_query(Example, {"step": ["fast"], "reward_model": ["x"], "colour": ["red"], "shown": ["3"]})
    assert chosen == Example(shown=3)
    assert notes == ["step=fast (not a number)", "reward_model (no such choice)", "colour (no such choice)"]


def test_fitting_keeps_what_is_on_offer_and_falls_back_to_the_default() -> None:
    fitting = Fitting(Example(category=("Chat", "Poetry"), reward_model="gone", step=9.0))
    fitting.allow_each("category", ("Chat",), "not here")
    fitting.allow("reward_model", ("flip-0.20",), "no such reward model")
    fitting.allow("step", (1.0, 2.0), "this run has 1, 2")
    fitting.allow("shown", (3, 10), "offered are 3, 10")
    assert fitting.chosen == Example(category=("Chat",))
    assert fitting.notes == [
        "category=Poetry (not here)",
        "reward-model=gone (no such reward model)",
        "step=9 (this run has 1, 2)",
    ]


def test_every_page_has_a_choice_here() -> None:
    assert {kind.__name__ for kind in KINDS} == {
        "PageChoice",
        "Selection",
        "ChooseChoice",
        "ModelsChoice",
        "ResponsesChoice",
        "OveroptimisationChoice",
        "AuditChoice",
        "RunsChoice",
    }


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_every_choice_of_every_page_survives_the_way_through_the_address(
    kind: type[PageChoice], data: st.DataObject
) -> None:
    names = st.lists(st.text(), unique=True).map(tuple)
    numbers = st.floats(allow_nan=False)
    of_type = {"str": st.text(), "int": st.integers(), "float": numbers, "tuple[str, ...]": names}
    chosen = kind(
        **{
            entry.name: data.draw(
                st.just(entry.default) | of_type[str(entry.type).removesuffix(" | None")], label=entry.name
            )
            for entry in fields(kind)
        }
    )
    assert from_query(kind, to_query(chosen)) == (chosen, [])


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_fields_of_a_page_share_a_parameter(kind: type[PageChoice]) -> None:
    assert len({parameter(entry.name) for entry in fields(kind)}) == len(fields(kind))


def test_a_link_of_an_earlier_version_keeps_its_meaning() -> None:
    assert from_query(Selection, {"cells": ["error"]}) == (Selection(cells="value"), [])
    two = {"first": ["one"], "second": ["two"]}
    assert from_query(RunsChoice, two) == (RunsChoice(compare=("one", "two")), [])
    assert from_query(Selection, two)[1] == ["first (no such choice)", "second (no such choice)"]
