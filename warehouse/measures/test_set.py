"""Which prompts and which of their responses a measure sees (METHOD, "Test-set constructions")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures.cube import ScoreCube

_FEWEST_PROMPTS = 2


@dataclass(frozen=True)
class TestSet:
    """A choice of prompts and responses; None takes all there are.

    `responses` are the first so many of each prompt (they are exchangeable samples); `prompts` so many drawn by `seed`.
    """

    __test__ = False  # not a test case, whatever its name says to pytest

    categories: tuple[str, ...] | None = None
    subsets: tuple[str, ...] | None = None
    responses: int | None = None
    prompts: int | None = None
    seed: int = 0


def chosen_prompts(cube: ScoreCube, test_set: TestSet) -> NDArray[np.int64]:
    """Numbers of the chosen prompts, ascending. Raises UnknownName, and InvalidChoice for fewer than two."""
    chosen = prompts_in(cube.categories, cube.subsets, test_set.categories, test_set.subsets, "RM-test")
    if test_set.prompts is not None:
        if not _FEWEST_PROMPTS <= test_set.prompts <= len(chosen):
            raise InvalidChoice(
                f"prompts is {test_set.prompts}; the chosen categories have from {_FEWEST_PROMPTS} to {len(chosen)}"
            )
        drawn = np.random.default_rng(test_set.seed).permutation(chosen)[: test_set.prompts]
        chosen = np.sort(drawn)
    return chosen


def chosen_scores(cube: ScoreCube, test_set: TestSet) -> NDArray[np.float32]:
    """The cube with the chosen number of responses: `[M, P, R]`. Raises InvalidChoice."""
    R = cube.scores_MPR.shape[-1]
    responses = test_set.responses if test_set.responses is not None else R
    if not 2 <= responses <= R:
        raise InvalidChoice(
            f"responses is {responses}; the run has {R} per RM-test prompt, so it has to be from 2 to {R}"
        )
    return cube.scores_MPR[:, :, :responses]


def prompts_in(
    categories: tuple[str, ...],
    subsets: tuple[str, ...],
    wanted_categories: tuple[str, ...] | None,
    wanted_subsets: tuple[str, ...] | None,
    kind: str,
) -> NDArray[np.int64]:
    """Numbers of the prompts in these categories and subsets. Raises UnknownName; InvalidChoice for fewer than two."""
    inside = np.ones(len(categories), dtype=bool)
    for wanted, there, what in ((wanted_categories, categories, "category"), (wanted_subsets, subsets, "subset")):
        if wanted is None:
            continue
        unknown = sorted(set(wanted) - set(there))
        if unknown:
            raise UnknownName(f"no {kind} prompts of {what} {unknown[0]!r}; there are {', '.join(sorted(set(there)))}")
        inside &= np.isin(there, wanted)
    chosen = np.flatnonzero(inside)
    if len(chosen) < _FEWEST_PROMPTS:
        raise InvalidChoice(
            f"the choice leaves {len(chosen)} {kind} prompts; it has to leave {_FEWEST_PROMPTS} or more"
        )
    return chosen
