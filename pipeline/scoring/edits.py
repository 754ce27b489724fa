"""Five fixed edits of a response: to what besides its content does a reward model react?

| edit | what is changed |
| --- | --- |
| `padding` | a sentence that says nothing is added at the end |
| `polite` | a polite opening and a polite closing are added |
| `list` | every sentence becomes an item of a bulleted list |
| `repeated` | the last sentence is said once more |
| `unfinished` | it breaks off after two thirds of its words |

Each is a function of the text and, for padding, of a number; none is random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from warehouse.schema import EDITS

FILLERS = (
    "This is a general explanation of the topic.",
    "That is what can be said about this question.",
    "This answer deals with what was asked above.",
)
OPENING, CLOSING = "Of course!", "I hope this helps!"

_ENDS_OF_SENTENCES = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_MARK_OF_ITEM = re.compile(r"^[-*•]\s+")
_END_MARKS = ".!?,;:"
_SHARE_LEFT = 2 / 3
_FEWEST_WORDS = 3


def edited(text: str, number: int) -> dict[str, str]:
    """The edited versions of a response by the name of the edit; `number`, the prompt's, chooses the filler."""
    return {edit: _FUNCTIONS[edit](text.strip(), number) for edit in EDITS}


def can_be_edited(text: str) -> bool:
    """Whether every edit changes the response and leaves some of it: it has three words or more and is no list."""
    versions = edited(text, 0).values()
    return len(text.split()) >= _FEWEST_WORDS and text.strip() not in versions and all(versions)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without the white space between them."""
    return [sentence for sentence in _ENDS_OF_SENTENCES.split(text.strip()) if sentence]


def _padding(text: str, number: int) -> str:
    return f"{text} {FILLERS[number % len(FILLERS)]}"


def _polite(text: str, _number: int) -> str:
    return f"{OPENING} {text} {CLOSING}"


def _list(text: str, _number: int) -> str:
    return "\n".join(f"- {_MARK_OF_ITEM.sub('', sentence)}" for sentence in sentences(text))


def _repeated(text: str, _number: int) -> str:
    return " ".join([text, *sentences(text)[-1:]])


def _unfinished(text: str, _number: int) -> str:
    words = list(re.finditer(r"\S+", text))
    count = round(_SHARE_LEFT * len(words))
    return text[: words[count - 1].end()].rstrip(_END_MARKS) if count else ""


_FUNCTIONS: Mapping[str, Callable[[str, int], str]] = {
    "padding": _padding,
    "polite": _polite,
    "list": _list,
    "repeated": _repeated,
    "unfinished": _unfinished,
}
