"""Which of two responses is better, in all the ways in which data sets write it."""

from __future__ import annotations

import pytest

from pipeline.data_sets.pairs import Reason, UnusableRow
from pipeline.data_sets.verdicts import FirstIfOne, Index, Named, OneEach, Scores, Sign, Verdict, winner_by_name

FIRST, SECOND, TIE = 0, 1, Reason.TIE


@pytest.mark.parametrize(
    ("text", "winner"),
    [
        *(
            ("a", FIRST),
            ("B", SECOND),
            ("model_a", FIRST),
            ("Model B", SECOND),
            ("[[A]]", FIRST),
            ("response_2", SECOND),
        ),
        *(
            ("Assistant A", FIRST),
            ("right", SECOND),
            ("A>B", FIRST),
            ("A >> B", FIRST),
            ("B>A", SECOND),
            ("A<B", SECOND),
        ),
        *(("B<<A", FIRST), ("A=B", TIE), ("tie", TIE), ("Tie (bothbad)", TIE), ("both_bad", TIE), ("bothbad", TIE)),
        *(("[[C]]", None), ("gpt-4", None), ("", None), ("neither", TIE), ("response_1 is better", FIRST)),
    ],
)
def test_a_text_names_the_winner(text: str, winner: int | Reason | None) -> None:
    assert winner_by_name(text) == winner


@pytest.mark.parametrize(
    ("verdict", "row", "winner"),
    [
        (Named("w"), {"w": None}, Reason.UNRATED),
        (Index(("w",)), {"w": "1"}, SECOND),
        (Index(("w",), base=1), {"w": 1.0}, FIRST),
        (Index(("w",), base=1), {"w": 1.5}, TIE),
        (Index(("w",), base=1), {"w": 1.8}, SECOND),
        (Index(("w",), base=1), {"w": 0}, TIE),
        (Index(("w", "v")), {"w": 1, "v": 0}, Reason.LABELS_DISAGREE),
        (Index(("w", "v")), {"w": 1, "v": None}, SECOND),
        (Index(("w",)), {"w": None}, Reason.UNRATED),
        (FirstIfOne("w"), {"w": 1}, FIRST),
        (FirstIfOne("w"), {"w": 0}, SECOND),
        (FirstIfOne("w"), {"w": 0.5}, TIE),
        (Sign("w"), {"w": -3}, FIRST),
        (Sign("w"), {"w": "2"}, SECOND),
        (Sign("w"), {"w": 0}, TIE),
        (OneEach("a", "b", ("t",)), {"a": 1, "b": 0, "t": 0}, FIRST),
        (OneEach("a", "b", ("t",)), {"a": "0", "b": "1", "t": "0"}, SECOND),
        (OneEach("a", "b", ("t",)), {"a": False, "b": False, "t": True}, TIE),
        (OneEach("a", "b"), {"a": 0, "b": 0}, Reason.UNRATED),
        (Scores("a", "b"), {"a": 0.5, "b": -0.5}, FIRST),
        (Scores("a", "b"), {"a": "5", "b": 5.0}, TIE),
        (Scores("a", "b"), {"a": None, "b": 1}, Reason.UNRATED),
        (Scores("a", "b"), {"a": float("nan"), "b": 1}, Reason.UNRATED),
    ],
)
def test_a_verdict_says_who_wins(verdict: Verdict, row: dict[str, object], winner: int | Reason) -> None:
    assert verdict.winner(row) == winner


@pytest.mark.parametrize(
    ("verdict", "row"),
    [
        (Named("w"), {"w": "gpt-4"}),
        (Index(("w",)), {"w": 2}),
        (FirstIfOne("w"), {"w": 3}),
        (Sign("w"), {"w": "much"}),
        (OneEach("a", "b"), {"a": 1, "b": 1}),
    ],
)
def test_a_cell_that_says_nothing_is_named(verdict: Verdict, row: dict[str, object]) -> None:
    with pytest.raises(UnusableRow, match=f"column {verdict.columns[-1]}: got "):
        verdict.winner(row)
