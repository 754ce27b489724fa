"""The common names of columns: prompts, chosen and rejected responses, two responses, verdicts, scores.

Names are compared in lower case with `-`, `.` and blanks as `_`, so `chosen-rating` is `chosen_rating`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

PROMPTS = (
    *("prompt", "prompts", "conversations", "conversation_input", "instruction", "question", "query", "user_prompt"),
    *("context", "dialogue", "trajectory", "messages", "post", "problem", "history", "input", "conversation"),
)
SYSTEMS = ("system", "system_prompt", "system_message")
EXTRAS = ("input", "context", "passage", "document", "background", "knowledge")
HISTORIES = ("history",)
VERDICTS = (
    *("winner", "label", "labels", "preference", "preferred", "overall_preference", "preference_strength"),
    *("human_preference", "better", "better_response", "better_response_id", "preferred_response", "choice", "chosen"),
    *("verdict", "judgment", "judgement", "vote", "decision", "result", "annotation"),
)
LISTS = (
    *("completions", "generations", "responses", "answers", "outputs", "candidates", "samples", "choices"),
    *("all_generated_responses", "all_responses"),
)
LIST_SCORES = (
    *("ratings", "scores", "rewards", "rating", "score", "reward", "grades", "all_rm_scores", "labels", "correct"),
)
LIST_RANKS = ("ranks", "rank", "rankings", "ranking")
RESPONSES = ("response", "completion", "answer", "output", "generation", "reply")
RATINGS = (
    *("helpfulness", "score", "overall_score", "rating", "reward", "grade", "quality", "label", "human_score"),
    *("preference", "correct"),
)
SCORE_KEYS = (
    *("fine-grained_score", "overall_score", "score", "rating", "reward", "pm_score", "grade", "label", "correct"),
)
RANK_KEYS = ("rank", "ranking")

_STEMS = (
    *("", "response", "responses", "answer", "answers", "completion", "text", "texts", "output", "message"),
    *("messages", "conversation", "summary", "reply", "generation", "content"),
)
_OPPOSITES = {
    "chosen": ("rejected", "reject"),
    "preferred": ("dispreferred", "non_preferred", "nonpreferred", "unpreferred", "rejected"),
    "accepted": ("rejected",),
    "selected": ("rejected",),
    "positive": ("negative",),
    "pos": ("neg",),
    "better": ("worse",),
    "best": ("worst",),
    "good": ("bad",),
    "winner": ("loser",),
    "winning": ("losing",),
    "win": ("lose",),
}
_SIDES = (
    *(("messages", "rejected_messages"), ("messages", "rejected_response"), ("response", "rejected_response")),
    *(("response_j", "response_k"), ("y_w", "y_l"), ("correct_answer", "incorrect_answer")),
)
"""Chosen and rejected columns that are no opposites; `response_j` is the better one in stack-exchange-paired."""

_SCORE = re.compile(r"score|rating|reward|grade|quality|vote|logit|points|margin|rank|likert|helpful")
_TWO = re.compile(
    r"(response|answer|completion|output|text|summary|candidate|generation|reply|conversation|model_output|"
    r"model_response|model_answer|human_ref)[_ ]?(a|1|0|first|left)"
)
_SECOND = {"a": "b", "1": "2", "0": "1", "first": "second", "left": "right"}


class Two(NamedTuple):
    """Two columns that belong together, and the ends of their names that tell them apart."""

    first: str
    second: str
    end: str = ""


def plain(column: str) -> str:
    """The name as it is compared."""
    return re.sub(r"[-. ]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())).lower()


class Names:
    """A table's columns by their plain names."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._of = {plain(column): column for column in reversed(list(columns))}

    def first(self, names: Sequence[str], without: Iterable[str | None] = ()) -> str | None:
        """The first of these names that the table has, as the table spells it."""
        return next(iter(self.all(names, without)), None)

    def all(self, names: Sequence[str], without: Iterable[str | None] = ()) -> list[str]:
        """Those of these names that the table has, as the table spells them."""
        used = set(without)
        return [
            self._of[plain(name)] for name in names if plain(name) in self._of and self._of[plain(name)] not in used
        ]

    def sides(self) -> Two | None:
        """The columns of chosen and rejected responses; None if there are none."""
        for good, bad, stem in self._opposites():
            if stem in _STEMS:
                return Two(self._of[good], self._of[bad])
        for good, bad in _SIDES:
            if good in self._of and bad in self._of:
                return Two(self._of[good], self._of[bad])
        return None

    def side_scores(self) -> tuple[tuple[str, str], ...]:
        """Columns with scores of the chosen and of the rejected response, under any of their names."""
        return tuple(
            (self._of[good], self._of[bad]) for good, bad, stem in self._opposites() if _SCORE.search(stem) is not None
        )

    def _opposites(self) -> Iterator[tuple[str, str, str]]:
        """Names that differ only in a word and its opposite, and what is left of them without the word."""
        for good, bads in _OPPOSITES.items():
            for name in sorted(self._of, key=len):
                parts = name.split("_")
                if good not in parts:
                    continue
                stem = "_".join(part for part in parts if part != good)
                for bad in bads:
                    opposite = "_".join(bad if part == good else part for part in parts)
                    if opposite in self._of and opposite != name:
                        yield name, opposite, stem

    def two(self) -> Two | None:
        """The columns of two responses without a better one; None if there are none."""
        for name, column in sorted(self._of.items()):
            match = _TWO.fullmatch(name)
            if match is not None:
                second = self._of.get(name[: -len(match[2])] + _SECOND[match[2]])
                if second is not None:
                    return Two(column, second, match[2])
        return None

    def scores_of_two(self, two: Two) -> Two | None:
        """The columns of the scores of two responses; None if there are none."""
        for word in ("score", "rating", "reward", "grade"):
            for form in (f"{word}_{{}}", f"{word}{{}}", f"{plain(two.first)[: -len(two.end)].rstrip('_')}_{{}}_{word}"):
                first, second = self._of.get(form.format(two.end)), self._of.get(form.format(_SECOND[two.end]))
                if first is not None and second is not None:
                    return Two(first, second)
        return None

    def winners_of_two(self) -> tuple[str, str, tuple[str, ...]] | None:
        """Columns that mark the winner, one for each response, and those that mark ties; None if there are none."""
        for first, second in (("winner_model_a", "winner_model_b"), ("winner_a", "winner_b"), ("a_wins", "b_wins")):
            if first in self._of and second in self._of:
                ties = tuple(column for name, column in self._of.items() if "tie" in name.split("_"))
                return self._of[first], self._of[second], ties
        return None

    def numbered(self) -> tuple[str, ...]:
        """Columns `response_1`, `response_2`, … of three responses or more, in the order of their numbers."""
        for word in RESPONSES:
            columns = {
                int(match[1]): column
                for name, column in self._of.items()
                if (match := re.fullmatch(rf"{word}_?(\d+)", name)) is not None
            }
            if len(columns) > 2:
                return tuple(columns[number] for number in sorted(columns))
        return ()
