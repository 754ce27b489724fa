"""How right each reward model is on each item: the share of the goldens' pairs that it orders as they do.

METHOD, "Audit of a test set". It is the study's accuracy, averaged over the goldens of a reward model before anything
else, so that an item is one number per reward model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import ScoreCube
from warehouse.stats.bootstrap import Bools, Floats

_BLOCK_ENTRIES = 20_000_000


@dataclass(frozen=True)
class Right:
    """What M reward models, those that are a proxy of some golden, do on each of P items.

    `right_MP` is the share of the golden-ordered pairs of responses that a reward model orders the same way (a tie
    counts ½), averaged over its goldens; `defined_MP` where some golden orders a pair, elsewhere it is 0. `ties_P` is
    the share of these pairs that reward models tie, `golden_ties_P` the share of all pairs that goldens tie.
    `golden_names` are those that the figures rest on; `fixed`: they are chosen truths, not all reward models in turn.
    """

    right_MP: Floats
    defined_MP: Bools
    ties_P: Floats
    golden_ties_P: Floats
    reward_models: tuple[str, ...]
    golden_names: tuple[str, ...]
    fixed: bool

    @property
    def whole_P(self) -> Bools:
        """Items `[P]` that are defined for every reward model."""
        return np.asarray(self.defined_MP.all(axis=0))

    @property
    def mean_M(self) -> Floats:
        """Accuracy of each reward model over the items on which it is defined, `[M]`."""
        return np.asarray(self.right_MP.sum(axis=1) / np.maximum(self.defined_MP.sum(axis=1), 1))


def rights(cube: ScoreCube) -> Right:
    """Of every proxy of a cube on every prompt, with the goldens that its roles say."""
    roles = cube.roles
    pairs_MM = roles.pairs_MM
    goldens, proxies = np.flatnonzero(pairs_MM.any(axis=1)), np.flatnonzero(pairs_MM.any(axis=0))
    counts_GM = pairs_MM[np.ix_(goldens, proxies)]
    M, P, R = len(proxies), len(cube.prompts), cube.scores_MPR.shape[2]
    right_MP, defined_MP = np.zeros((M, P)), np.zeros((M, P), dtype=bool)
    ties_P, golden_ties_P = np.zeros(P), np.zeros(P)
    step = max(1, _BLOCK_ENTRIES // max(1, len(cube.reward_models) * R * R))
    for start in range(0, P, step):
        part = slice(start, start + step)
        sign_PAK, is_pair_PK = _signs(cube.scores_MPR[:, part], cube.is_response_PR[part])
        golden_PGK, proxy_PMK = sign_PAK[:, goldens], sign_PAK[:, proxies]
        ordered_PG = np.abs(golden_PGK).sum(axis=2)
        agree_PGM = golden_PGK @ proxy_PMK.transpose(0, 2, 1)
        untied_PGM = np.abs(golden_PGK) @ np.abs(proxy_PMK).transpose(0, 2, 1)
        counted_PGM = counts_GM & (ordered_PG > 0)[:, :, None]
        share_PGM = 0.5 + np.divide(agree_PGM, 2 * ordered_PG[:, :, None], where=counted_PGM, out=0 * agree_PGM)
        of_PM = counted_PGM.sum(axis=1)
        right_MP[:, part] = ((share_PGM * counted_PGM).sum(axis=1) / np.maximum(of_PM, 1)).T
        defined_MP[:, part] = (of_PM > 0).T
        judged_P = (ordered_PG[:, :, None] * counted_PGM).sum(axis=(1, 2))
        ties_P[part] = (judged_P - (untied_PGM * counted_PGM).sum(axis=(1, 2))) / np.maximum(judged_P, 1)
        all_P = len(goldens) * is_pair_PK.sum(axis=1)
        golden_ties_P[part] = 1.0 - ordered_PG.sum(axis=1) / np.maximum(all_P, 1)
    return Right(
        right_MP=right_MP,
        defined_MP=defined_MP,
        ties_P=ties_P,
        golden_ties_P=golden_ties_P,
        reward_models=tuple(cube.reward_models[m] for m in proxies),
        golden_names=tuple(cube.reward_models[g] for g in goldens),
        fixed=not roles.same,
    )


def _signs(scores_APR: NDArray[np.float32], is_response_PR: Bools) -> tuple[NDArray[np.float32], Bools]:
    """Which response of each pair scores higher, `[P, A, K]`: 1, −1 or 0; and which of the K pairs a prompt has."""
    first, second = np.triu_indices(scores_APR.shape[2], k=1)
    is_pair_PK = is_response_PR[:, first] & is_response_PR[:, second]
    sign_APK = np.sign(scores_APR[:, :, first] - scores_APR[:, :, second]) * is_pair_PK
    return sign_APK.transpose(1, 0, 2).astype(np.float32), is_pair_PK
