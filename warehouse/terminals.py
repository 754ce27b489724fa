"""Foreign text on a terminal: names, texts and messages may hold codes that move its cursor or turn letters around.

Everything that a command prints goes through `escaping`, so that such codes are shown as `\\x1b` or `\\u202e`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

# Control characters other than tab and line feed; what sets the direction of text; line separators; half characters.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(text: str) -> str:
    """The text with control characters and overrides of its direction as Python writes them; lines stay lines."""
    return _HIDDEN.sub(lambda match: ascii(match[0])[1:-1], text)


def on_one_line(value: Any) -> Any:
    """A text, or all texts of a list or dictionary, made visible, line breaks and tabs too."""
    if isinstance(value, str):
        return visible(value).replace("\n", r"\n").replace("\t", r"\t")
    if isinstance(value, dict):
        return {on_one_line(name): on_one_line(item) for name, item in value.items()}
    return [on_one_line(item) for item in value] if isinstance(value, list) else value


def names_on_one_line(text: str, names: Iterable[str]) -> str:
    """The text with line breaks and tabs in these names visible, wherever it has them."""
    for name in names:
        text = text.replace(name, on_one_line(name)) if re.search(r"[\n\t]", name) else text
    return text


class _Escaped:
    """A stream that makes visible what is written to it. A bar of tqdm begins with a carriage return, which stays."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write("\r" * text.startswith("\r") + visible(text.removeprefix("\r")))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def escaping() -> Iterator[None]:
    """Make visible everything that is printed to standard output and standard error."""
    with redirect_stdout(_Escaped(sys.stdout)), redirect_stderr(_Escaped(sys.stderr)):
        yield
