"""Items that say the same as others: the same prompt, nearly the same one, the same responses, or the same scores.

METHOD, "Audit of a test set". Texts that are equal are no matter of chance. Equal scores are only called the same item
where so many values are possible that not a twentieth of a pair of items is expected to agree by chance.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import ScoreCube
from warehouse.stats.bootstrap import Bools

NEAR = 0.8
"""Of the three-word sequences of two prompts, the share in common from which on they are nearly the same."""

_FEWEST_WORDS = 8
_WORDS = 3
_MOST_BY_CHANCE = 0.05
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Texts:
    """What items say: each prompt's text, and a key of each of its responses, equal for equal texts; both `[P]`.

    An empty text or a key of None is unknown, and equals nothing.
    """

    prompts: tuple[str, ...]
    responses: tuple[tuple[Hashable | None, ...], ...]


@dataclass(frozen=True)
class Redundant:
    """For each of P items the number of the earlier one that it repeats, −1 if none, and in what: one of KINDS.

    `same_responses_P`: whether two of an item's own responses are the same text.
    """

    of_P: NDArray[np.int64]
    kind: tuple[str | None, ...]
    same_responses_P: Bools


KINDS = ("same prompt and responses", "same scores", "same prompt", "nearly the same prompt")
"""How an item can repeat another one, the closest way first."""


def redundant(cube: ScoreCube, texts: Texts | None = None) -> Redundant:
    """Which items of a cube repeat an earlier one; without texts only by scores."""
    P = len(cube.prompts)
    of_P, named = np.full(P, -1), [""] * P
    same_responses_P = np.zeros(P, dtype=bool)
    firsts: dict[str, NDArray[np.int64]] = {"same scores": _first_of(_score_keys(cube))}
    if texts is not None:
        plain = [" ".join(_WORD.findall(text.casefold())) or text for text in texts.prompts]
        firsts |= {
            "same prompt and responses": _first_of(
                [
                    (prompt, tuple(sorted(map(str, keys)))) if prompt and None not in keys else None
                    for prompt, keys in zip(plain, texts.responses, strict=True)
                ]
            ),
            "same prompt": _first_of([prompt or None for prompt in plain]),
            "nearly the same prompt": _nearly(plain),
        }
        known = [[key for key in keys if key is not None] for keys in texts.responses]
        same_responses_P = np.array([len(set(keys)) < len(keys) for keys in known])
    for name in KINDS:
        if name in firsts:
            for p in np.flatnonzero((firsts[name] >= 0) & (of_P < 0)):
                of_P[p], named[p] = firsts[name][p], name
    return Redundant(of_P, tuple(name or None for name in named), same_responses_P)


def _first_of(keys: Sequence[Hashable | None]) -> NDArray[np.int64]:
    """The number of the earlier item with the same key, −1 without; None is no key."""
    first: dict[Hashable, int] = {}
    places = np.full(len(keys), -1)
    for p, key in enumerate(keys):
        if key is not None and first.setdefault(key, p) != p:
            places[p] = first[key]
    return places


def _score_keys(cube: ScoreCube) -> list[bytes | None]:
    """What an item's scores by all proxies are, whatever the order of its responses; None where chance could do it."""
    proxies = np.flatnonzero(cube.roles.proxy_M)
    counts_P = cube.counts_P
    scores_MPR = cube.scores_MPR[proxies] + 0.0  # −0 and 0 are the same score
    pairs = 0.5 * len(counts_P) * (len(counts_P) - 1)
    values = scores_MPR[:, cube.is_response_PR]
    collision = min((_collision(values_K) for values_K in values), default=1.0)
    keys: list[bytes | None] = []
    for p, R in enumerate(counts_P.tolist()):
        by_chance = pairs * collision**R * factorial(min(R, 20))
        columns = scores_MPR[:, p, :R].T
        order = np.lexsort(columns.T[::-1])
        keys.append(columns[order].tobytes() if by_chance < _MOST_BY_CHANCE else None)
    return keys


def _collision(values_K: NDArray[np.float32]) -> float:
    """The chance that two responses have the same score by one reward model."""
    K = len(values_K)
    counts = np.unique(values_K, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1)).sum() / max(1, K * (K - 1)))


def _nearly(plain: Sequence[str]) -> NDArray[np.int64]:
    """The earlier item with nearly the same prompt, −1 without, by the three-word sequences that they share."""
    from scipy import sparse  # importing SciPy takes as long as the whole package

    columns: dict[tuple[str, ...], int] = {}
    rows, places = [], []
    for p, text in enumerate(plain):
        words = text.split()
        if len(words) >= _FEWEST_WORDS:
            sequences = {tuple(words[start : start + _WORDS]) for start in range(len(words) - _WORDS + 1)}
            places += [columns.setdefault(sequence, len(columns)) for sequence in sequences]
            rows += [p] * len(sequences)
    of_P = np.full(len(plain), -1)
    if not rows:
        return of_P
    shape = len(plain), len(columns)
    has = sparse.csr_array((np.ones(len(rows), dtype=np.float32), (rows, places)), shape=shape)
    sizes = np.asarray(has.sum(axis=1)).ravel()
    common = (has @ has.T).tocoo()
    near = (common.col < common.row) & (common.data >= NEAR * (sizes[common.row] + sizes[common.col] - common.data))
    for p, earlier in sorted(zip(common.row[near].tolist(), common.col[near].tolist(), strict=True), reverse=True):
        of_P[p] = earlier  # the last one written is the earliest
    return of_P
