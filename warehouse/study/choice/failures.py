"""Where the policy of a reward model fails: by category, by the length and the rank of what it picks, prompt by prompt.

METHOD, "Choosing a reward model". Best-of-n has a pick with a probability for every sample, so shares of picks are
exact expectations, not draws. Intervals here are t intervals over prompts, each on its own: they say where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.policies.best_of_n import best_of_n_gap
from warehouse.metrics.policies.worst_picks import share_hacked, worst_picks
from warehouse.stats.bootstrap import Estimate, Floats, wilson_interval
from warehouse.stats.ranks import middle_ranks
from warehouse.study.choice.worth import FEWEST_PROMPTS, Worth
from warehouse.study.power import t_interval

THIRDS = ("lowest third", "middle third", "highest third")
"""Of a prompt's responses by length, or by the golden."""


class Part(NamedTuple):
    """What a candidate is worth on some prompts."""

    candidate: str
    part: str
    prompts: int
    worth: Estimate


class Picked(NamedTuple):
    """The share of a candidate's picks that are in a part of a prompt's responses, and what these gain on average."""

    candidate: str
    part: str
    share: Estimate
    gain: float | None


class Loss(NamedTuple):
    """A prompt, its favourite among all responses and the golden's, by number, and what the golden gives up."""

    prompt: int
    pick: int
    best: int
    loss: float


def by_part(worth: Worth, parts: Sequence[str]) -> list[Part]:
    """Of each candidate on the prompts of each part; `parts` names that of each of Q prompts. Two prompts at least."""
    named = np.asarray(parts, dtype=object)
    rows = []
    for part in sorted(set(parts)):
        inside = named == part
        if inside.sum() < FEWEST_PROMPTS:
            continue
        for m, candidate in enumerate(worth.candidates):
            rows.append(Part(candidate, part, int(inside.sum()), t_interval(worth.values_MQ[m, inside])))
    return rows


def by_thirds(
    cube: ScoreCube, candidate: int, quantity_PN: NDArray[np.number], truth_PN: Floats, n: int
) -> list[Picked]:
    """Where in a prompt's order by this quantity (length, golden score) the picks of best-of-n are, in thirds.

    Equal quantities share their rank. The gain is in the units of `truth_PN`, above a response's mean.
    """
    shares, gains = [], []
    for count, rows in cube.by_count(least=max(n, 2)):
        ranks_PN, _ = middle_ranks(quantity_PN[rows, :count].astype(np.float64), np.ones((len(rows), count)))
        third_PN = np.floor(3 * (ranks_PN - 0.5) / count)
        inside_KPN = np.stack([(third_PN == third).astype(np.float64) for third in range(len(THIRDS))])
        truth = truth_PN[rows, :count]
        above_PN = truth - truth.mean(axis=1, keepdims=True)
        scores_PN = cube.scores_MPR[candidate, rows, :count].astype(np.float64)
        shares.append(_expected(inside_KPN, scores_PN, n))
        gains.append(_expected(inside_KPN * above_PN, scores_PN, n))
    share_KP, gain_KP = np.concatenate(shares, axis=1), np.concatenate(gains, axis=1)
    return [
        Picked(
            cube.reward_models[candidate],
            third,
            t_interval(share_P) if len(share_P) >= FEWEST_PROMPTS else Estimate.undefined(),
            float(gain_P.sum() / share_P.sum()) if share_P.sum() > 0 else None,
        )
        for third, share_P, gain_P in zip(THIRDS, share_KP, gain_KP, strict=True)
    ]


def picks_the_worst(cube: ScoreCube, golden: int, candidate: int) -> tuple[Estimate, float]:
    """On what share of prompts its favourite of all is what the golden likes least, and what chance would give.

    Prompts on which the golden ties its worst or the candidate its best do not count (`metrics.worst_picks`).
    """
    picks = worst_picks(cube.of_reward_models([cube.reward_models[place] for place in (golden, candidate)]))
    return share_hacked(picks, 0, 1), float(picks.chance_MM[0, 1])


def picks_wrong(cube: ScoreCube, candidate: int, right_PN: Floats) -> tuple[Estimate, float]:
    """On what share of prompts its favourite of all is wrong, by a golden that says 0 or 1, and a random response."""
    wrong, by_chance = 0, 0.0
    for count, rows in cube.by_count(least=2):
        right = right_PN[rows, :count]
        pick_P = cube.scores_MPR[candidate, rows, :count].argmax(axis=1)
        wrong += int((np.take_along_axis(right, pick_P[:, None], 1) == 0).sum())
        by_chance += float((right == 0).mean(axis=1).sum())
    prompts = sum(len(rows) for _, rows in cube.by_count(least=2))
    if prompts == 0:
        return Estimate.undefined(), 0.0
    return Estimate(wrong / prompts, *wilson_interval(wrong, prompts), prompts), by_chance / prompts


def worst_prompts(cube: ScoreCube, candidate: int, truth_PN: Floats, most: int) -> list[Loss]:
    """The prompts on which the golden gives up most by the candidate's favourite of all responses, the most first."""
    losses = []
    for count, rows in cube.by_count(least=2):
        truth = truth_PN[rows, :count]
        pick_P, best_P = cube.scores_MPR[candidate, rows, :count].argmax(axis=1), truth.argmax(axis=1)
        loss_P = np.take_along_axis(truth, best_P[:, None], 1) - np.take_along_axis(truth, pick_P[:, None], 1)
        losses += [
            Loss(*row)
            for row in zip(rows.tolist(), pick_P.tolist(), best_P.tolist(), loss_P[:, 0].tolist(), strict=True)
        ]
    return sorted((loss for loss in losses if loss.loss > 0), key=lambda loss: -loss.loss)[:most]


def _expected(quantities_KPN: Floats, scores_PN: Floats, n: int) -> Floats:
    """The mean of each quantity over what best-of-n by these scores picks: `[K, P]`."""
    gap_KP = best_of_n_gap(quantities_KPN, scores_PN, np.zeros_like(scores_PN), n)
    expected_KP: Floats = quantities_KPN.mean(axis=2) + gap_KP
    return expected_KP
