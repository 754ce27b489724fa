"""Reward hacking among samples: prompts on which the proxy's favourite is what the golden likes least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.stats.bootstrap import Estimate, Floats, wilson_interval


@dataclass(frozen=True)
class WorstPicks:
    """On how many prompts the proxy's pick is the golden's worst, for each pair `[M golden, M proxy]`.

    Prompts on which the golden ties its worst samples or the proxy its best do not count: `prompts_MM` are the others.
    `picks_MP` are the samples that each reward model likes best. `chance_MM` is the share that random picks would have
    on those prompts, 0 without any.
    """

    count_MM: NDArray[np.int64]
    prompts_MM: NDArray[np.int64]
    picks_MP: NDArray[np.int64]
    hacked_MMP: NDArray[np.bool_]
    chance_MM: Floats


def worst_picks(cube: ScoreCube) -> WorstPicks:
    """Compare favourites and least liked among the samples of P prompts.

    A prompt with one sample does not count. Raises InvalidChoice if none has two.
    """
    scores_MPN = cube.scores_MPR
    if int(cube.counts_P.max(initial=0)) < 2:
        raise InvalidChoice(f"scores have shape {scores_MPN.shape}; it takes reward models × prompts × 2 samples")
    is_sample_PN = cube.is_response_PR
    highest_MPN, lowest_MPN = (np.where(is_sample_PN, scores_MPN, beyond) for beyond in (-np.inf, np.inf))
    best, worst = highest_MPN.max(axis=2), lowest_MPN.min(axis=2)
    picks_MP, worst_MP = highest_MPN.argmax(axis=2), lowest_MPN.argmin(axis=2)
    clear_MP = (highest_MPN == best[..., None]).sum(axis=2) == 1
    single_MP = (lowest_MPN == worst[..., None]).sum(axis=2) == 1
    clear_MMP = single_MP[:, None, :] & clear_MP[None, :, :] & (cube.counts_P > 1)
    hacked_MMP = clear_MMP & (worst_MP[:, None, :] == picks_MP[None, :, :])
    np.einsum("mmp->mp", hacked_MMP)[...] = False
    prompts_MM = clear_MMP.sum(axis=2)
    return WorstPicks(
        count_MM=hacked_MMP.sum(axis=2),
        prompts_MM=prompts_MM,
        picks_MP=picks_MP,
        hacked_MMP=hacked_MMP,
        chance_MM=clear_MMP @ (1.0 / np.maximum(cube.counts_P, 1)) / np.maximum(prompts_MM, 1),
    )


def share_hacked(picks: WorstPicks, golden: int, proxy: int) -> Estimate:
    """Share of prompts on which a proxy picks the golden's worst, with Wilson's interval over prompts."""
    prompts = int(picks.prompts_MM[golden, proxy])
    if prompts == 0:
        return Estimate.undefined()
    hacked = int(picks.count_MM[golden, proxy])
    return Estimate(hacked / prompts, *wilson_interval(hacked, prompts), prompts)
