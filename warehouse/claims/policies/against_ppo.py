"""Does accuracy predict best-of-n better than PPO, once both optimisers' policies are valued alike?

Best-of-n's stored values are expectations over many samples, PPO's come from a few responses of each checkpoint: that
noise alone makes PPO look harder to predict. So best-of-n is valued as PPO is, by as many responses to each prompt,
each the best of n of the stored samples, on the same prompts, where it gains as much. The noise that both then have is
taken off (`without_noise`). What holds of PPO is asked of every algorithm that trains policies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from warehouse.claims.claim import (
    Claim,
    Finding,
    Optimised,
    Study,
    Table,
    pairs_of,
    resolved,
    sizes_of,
    tau,
    why_no_difference,
)
from warehouse.claims.verdict import NEGLIGIBLE, above
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.policies.best_of_n import best_of_n_own_values, best_of_n_picks
from warehouse.schema import RL_ALGORITHMS
from warehouse.study.comparison import without_noise
from warehouse.study.resolution import of_difference_without_noise


def better_for_best_of_n(study: Study) -> Claim:
    """Accuracy predicts best-of-n better than PPO."""
    claim = Claim(
        "best-of-n-against-ppo",
        "Accuracy predicts best-of-n better than PPO or other training",
        "Decided by the difference of the two Kendall τ on this test set, best-of-n minus the trained policies, of the "
        "same reward models and prompts; the noise of the policies’ values is taken off both. Best-of-n is taken at "
        "the n whose mean gain, in standard deviations within prompts, is nearest to theirs, and valued by as many "
        f"responses to a prompt: it holds above 0, not if the interval ends below {NEGLIGIBLE:g}.",
    )
    trained = [name for name in RL_ALGORITHMS if name in study.optimised]
    if "bon" not in study.optimised or not trained:
        return replace(claim, missing="the run does not have best-of-n and policies that were trained")
    parts = [_against(study, name) for name in trained]
    return replace(
        claim,
        findings=tuple(part.finding for part in parts),
        tables=tuple(part.table for part in parts),
        notes=tuple(dict.fromkeys(part.note for part in parts)),
    )


class _Part(NamedTuple):
    """What is said of one algorithm."""

    finding: Finding
    table: Table
    note: str


def _against(study: Study, algorithm: str) -> _Part:
    exact, ppo = (_of(study.optimised[name], study.optimised[algorithm]) for name in ("bon", algorithm))
    matched = _valued_as(exact, ppo, study.seed)
    bon = exact if matched is None else matched.policies
    (first,), (second,), (whole,) = (study.measured(policies) for policies in (bon, ppo, exact))
    difference = without_noise(first, second)
    why = "" if difference.value is not None else why_no_difference([first, second])
    finding = resolved(
        Finding(f"{bon.called} against {ppo.called}", "difference of τ", difference, above(difference), why),
        of_difference_without_noise(first, second),
        sizes_of(first, second),
    )
    responses = "" if matched is None else matched.responses
    rows = [
        (policies.called, valued, tau(side), tau(side).sample, *pairs_of(side.evaluation))
        for policies, valued, side in (
            *([(bon, responses, first)] if matched else []),
            (exact, "all samples", whole),
            (ppo, responses, second),
        )
    ]
    header = ("policies", "responses to a prompt", "τ, this test set", "the sample’s", "pairs", "undefined")
    table = Table(f"Of {len(ppo.curves.reward_models)} reward models", header, tuple(rows))
    note = (
        f"The run does not say how many responses the values of {ppo.title} come from, or lacks the samples that "
        "best-of-n picks from: best-of-n is valued by its expectation, at the largest n."
    )
    if matched is not None:
        note = (
            f"At n = {matched.n}, a policy’s own golden reward rises by {matched.gain:.2f} standard deviations; under "
            f"{ppo.title} by {matched.ppo_gain:.2f}. Which samples best-of-n picks from is drawn once, by the seed."
        )
    return _Part(finding, table, note)


@dataclass(frozen=True)
class _Matched:
    """Best-of-n at the n of equal gain, valued by this many responses; mean own gains in sd within prompts."""

    policies: Optimised
    n: int
    responses: int
    gain: float
    ppo_gain: float


def _of(policies: Optimised, trained: Optimised) -> Optimised:
    """Of the reward models that the trained policies have too."""
    names = [name for name in policies.curves.reward_models if name in trained.curves.reward_models]
    rows = [policies.curves.reward_models.index(name) for name in names]
    return replace(
        policies,
        cube=policies.cube.of_reward_models(names),
        curves=policies.curves.of_reward_models(names),
        spread_M=policies.spread_M[rows],
        samples=None if policies.samples is None else policies.samples.of_reward_models(names),
    )


def _valued_as(bon: Optimised, ppo: Optimised, seed: int) -> _Matched | None:
    """Best-of-n valued as PPO is; None if the samples, or the number of PPO's responses, are not known."""
    if bon.samples is None or ppo.responses is None:
        return None
    samples = _on_prompts(bon.samples, ppo.values.prompts)
    spread_M = bon.spread_M
    spread_out = spread_M > 0
    if samples is None or not spread_out.any():
        return None
    own_M = np.einsum("mmq->mq", ppo.values.optimised_MMQ).mean(axis=1) - ppo.values.initial_MQ.mean(axis=1)
    ppo_gain = float((own_M[spread_out] / spread_M[spread_out]).mean())
    scores_MQN = samples.scores_MPR
    N = scores_MQN.shape[2]
    gain_NM = best_of_n_own_values(scores_MQN) - scores_MQN.mean(axis=(1, 2), dtype=np.float64)
    gain_N = (gain_NM[:, spread_out] / spread_M[spread_out]).mean(axis=1)
    n = 2 + int(np.abs(gain_N[1:] - ppo_gain).argmin()) if N > 1 else 1
    optimised_MMQ = best_of_n_picks(scores_MQN, n, ppo.responses, reward_models=samples.reward_models, seed=seed)
    initial_MQ = scores_MQN.mean(axis=2, dtype=np.float64)
    values = replace(ppo.values, initial_MQ=initial_MQ, optimised_MMQ=optimised_MMQ, repeats=None)
    curves = replace(bon.curves, strengths=(float(n),), values=(values,), kl_SM=bon.curves.kl_SM[-1:])
    return _Matched(replace(bon, curves=curves), n, ppo.responses, float(gain_N[n - 1]), ppo_gain)


def _on_prompts(samples: ScoreCube, prompts: tuple[str, ...]) -> ScoreCube | None:
    """The samples of these prompts, of each as many as the one with the fewest has; None if some are missing."""
    places = {prompt: place for place, prompt in enumerate(samples.prompts)}
    if not set(prompts) <= set(places):
        return None
    part = samples.of_prompts(np.array([places[prompt] for prompt in prompts], dtype=np.int64))
    return replace(part.first_responses(int(part.counts_P.min())), responses_P=None)
