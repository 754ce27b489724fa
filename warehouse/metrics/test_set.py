"""Which prompts and which of their responses a measure sees (METHOD, "Test sets").

A `TestSet` is the choices that one score cube allows, all combinable. The other two are other cubes: the responses of
another policy are a cube of their own, several together `with_responses`, and paraphrased prompts `with_paraphrases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.stats.bootstrap import PARAPHRASES, TEST_SET, generator

FEWEST_PROMPTS = 2
FEWEST_RESPONSES = 2


def _option(kind: type[int] | type[float], metavar: str, help: str) -> Any:  # noqa: A002
    """A field that is None unless set, with what the command line says of the option that sets it."""
    return field(default=None, metadata={"type": kind, "metavar": metavar, "help": help})


@dataclass(frozen=True)
class TestSet:
    """A choice of prompts, responses and annotation; None takes all there is and changes nothing.

    A field made by `_option` is an option of `righttree measure` too.

    - `categories`, `subsets`: prompts of these only.
    - `responses`: this many of each prompt, the first ones (they are exchangeable samples); a prompt with fewer keeps
      what it has, or is left out with `whole`.
    - `prompts`: how many, drawn at random; a smaller draw is part of a larger one.
    - `budget`: annotations P·R to spend; the number of prompts is `budget // responses`, or more where some have
      fewer responses. Not together with `prompts`.
    - `rank_bins`: the golden order of each prompt is cut into this many bins, 1 the worst; a pair counts if its two
      responses come from different ones. With `chosen_bin` > `rejected_bin`, only from these two.
    - `noise`: the annotator is golden + σ·ε, σ such that this share of the golden-ordered pairs flips, below ½.
    - `seed`: for choosing prompts and for the annotators' noise, each from its own stream.
    """

    __test__ = False  # not a test case, whatever its name says to pytest

    categories: tuple[str, ...] | None = None
    subsets: tuple[str, ...] | None = None
    responses: int | None = _option(int, "R", "responses per RM-test prompt (default: all)")
    prompts: int | None = _option(int, "P", "number of RM-test prompts, drawn by the seed (default: all)")
    budget: int | None = _option(int, "A", "annotations to spend: R responses to each of A // R prompts")
    rank_bins: int | None = _option(int, "K", "cut the golden order into K bins; only pairs across bins count")
    chosen_bin: int | None = _option(int, "I", "with --rank-bins: the chosen response comes from bin I, 1 is the worst")
    rejected_bin: int | None = _option(int, "J", "with --rank-bins: the rejected response comes from bin J < I")
    noise: float | None = _option(float, "Q", "share of the golden pairs that the annotator flips, below 0.5")
    seed: int = 0
    whole: bool = False

    def __post_init__(self) -> None:
        for name in ("categories", "subsets"):
            names = getattr(self, name)
            if isinstance(names, str):
                raise InvalidChoice(f"{name} is {names!r}; give a tuple of names, as in ({names!r},)")
            if names is not None:  # a list would have no hash, by which results are cached
                object.__setattr__(self, name, tuple(names))

    def seen(self) -> TestSet:
        """What of this choice decides the per-prompt values; the rest only weighs prompts."""
        return TestSet(
            responses=self.responses,
            rank_bins=self.rank_bins,
            chosen_bin=self.chosen_bin,
            rejected_bin=self.rejected_bin,
            noise=self.noise or None,
            seed=self.seed if self.noise else 0,
        )


def check(cube: ScoreCube, test_set: TestSet) -> TestSet:
    """The choice with its number of responses filled in and its budget turned into prompts.

    Raises InvalidChoice for what the cube cannot satisfy or what contradicts itself.
    """
    R = cube.scores_MPR.shape[2]
    responses = R if test_set.responses is None else test_set.responses
    if not FEWEST_RESPONSES <= responses <= R:
        raise InvalidChoice(
            f"responses is {responses}; the run has {R} per RM-test prompt, so it has to be from 2 to {R}"
        )
    if test_set.seed < 0:
        raise InvalidChoice(f"seed is {test_set.seed}; it has to be 0 or more")
    if test_set.noise is not None and not 0.0 <= test_set.noise < 0.5:
        raise InvalidChoice(f"noise is {test_set.noise}; it is a share of flipped pairs, from 0 to below 0.5")
    _check_bins(test_set, responses)
    prompts = test_set.prompts
    if test_set.budget is not None:
        if prompts is not None:
            raise InvalidChoice(f"both prompts ({prompts}) and a budget ({test_set.budget}) are set; leave one out")
        prompts = test_set.budget // responses
    return replace(test_set, responses=responses, prompts=prompts, budget=None)


def _check_bins(test_set: TestSet, responses: int) -> None:
    bins, chosen, rejected = test_set.rank_bins, test_set.chosen_bin, test_set.rejected_bin
    if bins is None:
        if chosen is not None or rejected is not None:
            raise InvalidChoice("a bin is chosen but rank_bins is not set; set it to the number of bins")
        return
    if not 2 <= bins <= responses:
        raise InvalidChoice(f"rank_bins is {bins}; {responses} responses can be cut into 2 to {responses} bins")
    if (chosen is None) != (rejected is None):
        raise InvalidChoice("only one of chosen_bin and rejected_bin is set; set both or neither")
    if chosen is not None and rejected is not None and not 1 <= rejected < chosen <= bins:
        raise InvalidChoice(
            f"chosen_bin is {chosen}, rejected_bin {rejected}; it has to be 1 ≤ rejected < chosen ≤ {bins}"
        )


def chosen_prompts(cube: ScoreCube, test_set: TestSet) -> NDArray[np.int64]:
    """Numbers `[prompts]` of the chosen prompts, ascending.

    Raises UnknownName, and InvalidChoice for fewer than two.
    """
    chosen = prompts_in(cube, "RM-test", categories=test_set.categories, subsets=test_set.subsets)
    choice = check(cube, test_set)
    prompts = choice.prompts
    if cube.responses_P is not None:
        fewest = choice.responses if test_set.whole and choice.responses else FEWEST_RESPONSES
        chosen = chosen[cube.responses_P[chosen] >= fewest]
        if len(chosen) < FEWEST_PROMPTS:
            raise InvalidChoice(
                f"{len(chosen)} of the chosen prompts have {fewest} responses; it takes {FEWEST_PROMPTS} or more"
            )
    if prompts is None:
        return chosen
    if not FEWEST_PROMPTS <= prompts <= len(chosen):
        budget = f"budget is {test_set.budget}, for {prompts} prompts"
        given = f"prompts is {prompts}" if test_set.budget is None else budget
        raise InvalidChoice(f"{given}; the chosen categories allow from {FEWEST_PROMPTS} to {len(chosen)}")
    drawn = generator(test_set.seed, TEST_SET).permutation(chosen)
    if test_set.budget is not None and cube.responses_P is not None:
        annotations_P = np.minimum(cube.responses_P[drawn], choice.responses or FEWEST_RESPONSES)
        prompts = int(np.searchsorted(np.cumsum(annotations_P), test_set.budget, side="right"))
    return np.sort(drawn[:prompts])


def prompts_in(
    described: ScoreCube | PolicyValues,
    kind: str,
    *,
    categories: tuple[str, ...] | None = None,
    subsets: tuple[str, ...] | None = None,
) -> NDArray[np.int64]:
    """Numbers `[prompts]` of those in these categories and subsets.

    Raises UnknownName, and InvalidChoice for fewer than two.
    """
    inside = np.ones(len(described.prompts), dtype=bool)
    choices = ((categories, described.categories, "category"), (subsets, described.subsets, "subset"))
    for names, known, what in choices:
        if names is None:
            continue
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise UnknownName(f"no {kind} prompts of {what} {unknown[0]!r}; there are {', '.join(sorted(set(known)))}")
        inside &= np.isin(np.asarray(known, dtype=object), list(names))
    chosen = np.flatnonzero(inside)
    if len(chosen) < FEWEST_PROMPTS:
        raise InvalidChoice(f"the choice leaves {len(chosen)} {kind} prompts; it has to leave {FEWEST_PROMPTS} or more")
    return chosen


def with_paraphrases(cube: ScoreCube, paraphrased: ScoreCube, share: float, seed: int = 0) -> ScoreCube:
    """The cube with a share of its prompts, drawn at random, replaced by their paraphrases.

    `paraphrased` is of the same reward models, its `prompts` named as the originals. Where one of the two has fewer
    responses to each prompt, the other is cut to as many. A smaller share is part of a larger one. Which prompts are
    paraphrased is independent of which prompts a test set of the same seed draws. Raises InvalidChoice where the cubes
    do not fit or there are too few paraphrases.
    """
    if not 0.0 <= share <= 1.0:
        raise InvalidChoice(f"paraphrase is {share}; it is a share of the prompts, from 0 to 1")
    _check_reward_models(cube, paraphrased)
    ragged = cube.responses_P is not None or paraphrased.responses_P is not None
    R = min(cube.scores_MPR.shape[2], paraphrased.scores_MPR.shape[2])
    cube, paraphrased = cube.first_responses(R), paraphrased.first_responses(R)
    row = {prompt: p for p, prompt in enumerate(paraphrased.prompts)}
    candidates = np.array([p for p, prompt in enumerate(cube.prompts) if prompt in row], dtype=np.int64)
    needed = round(share * len(cube.prompts))
    if needed > len(candidates):
        raise InvalidChoice(
            f"a share of {share:g} of {len(cube.prompts)} prompts needs {needed} paraphrases; there are "
            f"{len(candidates)}, so take a smaller share"
        )
    drawn = generator(seed, PARAPHRASES).permutation(candidates)[:needed]
    scores, counts_P = cube.scores_MPR.copy(), cube.counts_P.copy()
    rows = [row[cube.prompts[p]] for p in drawn]
    scores[:, drawn] = paraphrased.scores_MPR[:, rows]
    counts_P[drawn] = paraphrased.counts_P[rows]
    return replace(cube, scores_MPR=scores, responses_P=counts_P if ragged else None)


def with_responses(cubes: Sequence[ScoreCube]) -> ScoreCube:
    """One cube with the responses of several, say of several policies, to the prompts that all of them have.

    Responses alternate between the cubes, so that the first few of a prompt come from all of them. Raises InvalidChoice
    where the cubes do not fit.
    """
    if not cubes:
        raise InvalidChoice("no responses to join; name one source or more")
    first = cubes[0]
    for cube in cubes[1:]:
        _check_reward_models(first, cube)
    rows = [{prompt: p for p, prompt in enumerate(cube.prompts)} for cube in cubes]
    common = [prompt for prompt in first.prompts if all(prompt in row for row in rows)]
    if not common:
        raise InvalidChoice("the sources have no prompt in common; choose sources of one set of prompts")
    parts = [
        cube.of_prompts(np.array([row[prompt] for prompt in common], dtype=np.int64))
        for cube, row in zip(cubes, rows, strict=True)
    ]
    turn = np.concatenate([np.arange(part.scores_MPR.shape[2]) for part in parts])
    order = np.argsort(turn, kind="stable")
    scores_MPR = np.concatenate([part.scores_MPR for part in parts], axis=2)[:, :, order]
    if all(part.responses_P is None for part in parts):
        return replace(parts[0], scores_MPR=scores_MPR)
    is_response_PR = np.concatenate([part.is_response_PR for part in parts], axis=1)[:, order]
    first_ones = np.argsort(~is_response_PR, axis=1, kind="stable")
    scores_MPR = np.take_along_axis(np.where(is_response_PR, scores_MPR, 0), first_ones[None], axis=2)
    counts_P = is_response_PR.sum(axis=1)
    return replace(parts[0], scores_MPR=scores_MPR[:, :, : counts_P.max()], responses_P=counts_P)


def _check_reward_models(first: ScoreCube, second: ScoreCube) -> None:
    if first.reward_models != second.reward_models:
        raise InvalidChoice(f"the cubes are of {first.reward_models} and {second.reward_models}; they have to agree")
