"""What of a response each edit changes, as a number: the features whose drift the reactions to edits may forecast.

Fixed before any run was looked at; docs/method.md, "Reactions to edits". Of each edit the feature that it raises:

| edit | feature of a response |
| --- | --- |
| `padding` | its tokens |
| `polite` | 1 if it has a polite phrase |
| `list` | 1 if a line begins with a mark of a list |
| `repeated` | the share of its word triples that it has said before |
| `unfinished` | 1 if it was cut off |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warehouse.schema import EDITS
from warehouse.stats.bootstrap import Floats

FEATURES: Mapping[str, str] = {
    "padding": "mean tokens",
    "polite": "share with a polite phrase",
    "list": "share with a list",
    "repeated": "share of repeated word triples",
    "unfinished": "share cut off",
}
"""The feature of each edit, as a mean over responses."""

_POLITE = re.compile(
    r"\b(of course|certainly|please|thank you|thanks|you['’]re welcome|feel free|hope (this|that|it) helps"
    r"|(happy|glad) to help|let me know)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"^\s*([-*•]|\d+[.)])\s", re.MULTILINE)
_WORDS = re.compile(r"\w+")
_GRAM = 3


def features(texts: Sequence[str], tokens: NDArray[np.integer], finished: NDArray[np.bool_]) -> Floats:
    """The features of K responses, `[E edits, K]` in the order of `schema.EDITS`; `tokens`, `finished` are `[K]`."""
    of_edit: Mapping[str, Floats] = {
        "padding": tokens.astype(np.float64),
        "polite": np.array([_POLITE.search(text) is not None for text in texts], dtype=np.float64),
        "list": np.array([_LIST.search(text) is not None for text in texts], dtype=np.float64),
        "repeated": np.array([repetition(text) for text in texts], dtype=np.float64),
        "unfinished": 1.0 - finished.astype(np.float64),
    }
    return np.stack([of_edit[edit] for edit in EDITS])


def repetition(text: str) -> float:
    """The share of the text's word triples that occurred in it before; 0 for fewer than three words."""
    words = _WORDS.findall(text.lower())
    triples = list(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    return 1.0 - len(set(triples)) / len(triples) if triples else 0.0
