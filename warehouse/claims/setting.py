"""In which respect a run differs from the paper's study, for the claims of the paper that the run does not confirm.

Everything about the run is computed from its arrays; what is known of the paper's study is in `PAPER` and `TRAINED`
(arXiv 2410.05584).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from warehouse.claims.claim import Claim, Finding, Optimised, Study, tau
from warehouse.formats import count, number

PAPER = (
    "The paper has 10 reward models that differ in label noise alone, on Llama-3-8B-Instruct with all layers trained, "
    "and one pair of responses to each of 2,733 RewardBench prompts."
)
TRAINED = "The paper’s PPO trains all layers of such a policy, without a KL penalty."


def unconfirmed(claim: Claim) -> tuple[Finding, ...]:
    """The findings of a claim of the paper that are refuted or cannot be told; none of a claim beyond the paper."""
    if claim.beyond_paper:
        return ()
    return tuple(finding for finding in claim.findings if finding.verdict not in ("holds", "undefined"))


def difference(study: Study, claim: Claim) -> str:
    """A paragraph on how this run's setting differs, where the claim is not confirmed; empty otherwise."""
    open_findings = unconfirmed(claim)
    if not open_findings:
        return ""
    concerned = [policies for policies in study.optimised.values() if _is_about(policies, open_findings)]
    sentences = [f"Not confirmed here: {'; '.join(dict.fromkeys(finding.about for finding in open_findings))}."]
    sentences += [_reward_models(study), PAPER]
    sentences += [_policies(study, policies) for policies in concerned or study.optimised.values()]
    if any(policies.responses is not None for policies in concerned):
        sentences.append(TRAINED)
    return " ".join(sentences)


def _is_about(policies: Optimised, findings: Sequence[Finding]) -> bool:
    return any(policies.called in finding.about for finding in findings)


def _reward_models(study: Study) -> str:
    """How many reward models of which kinds, how accurate they are, and on how many prompts."""
    cube = study.first.cube
    kinds = Counter(
        study.kinds[name] for name, proxy in zip(cube.reward_models, cube.roles.proxies, strict=True) if proxy
    )
    (part,) = study.measured(study.first)
    accuracies = part.evaluation.value_MM[part.evaluation.value_defined_MM]
    middle = ""
    if len(accuracies):
        low, high = (number(float(end)) for end in np.quantile(accuracies, (0.05, 0.95)))
        truth = "one another" if cube.roles.same else "the goldens"
        middle = f", nine tenths of whose accuracies under {truth} are between {low} and {high}"
    of_kinds = f"{count(len(kinds), 'kind')}" if len(kinds) > 1 else f"one kind, {next(iter(kinds))}"
    responses = int(np.median(cube.counts_P))
    each = f"{responses} responses to each" if np.ptp(cube.counts_P) == 0 else f"{responses} responses (median) to each"
    return (
        f"This run has {count(sum(kinds.values()), 'reward model')} of {of_kinds}{middle}, and {each} of "
        f"{count(len(cube.prompts), 'prompt')}."
    )


def _policies(study: Study, policies: Optimised) -> str:
    """How far an optimiser gets, and how well its policies' values are known."""
    values, spread_M = policies.values, policies.spread_M
    M = len(policies.curves.reward_models)
    gain_M = (values.optimised_MMQ[np.arange(M), np.arange(M)] - values.initial_MQ).mean(axis=1)
    known_M = spread_M > 0
    known_M &= True if values.optimised_M is None else values.optimised_M
    called = policies.called[:1].upper() + policies.called[1:]
    if not known_M.any():
        return f"{called} has no gain that can be measured in standard deviations."
    kl_M = policies.curves.kl_SM[-1][known_M]
    gains = gain_M[known_M] / spread_M[known_M]
    kl = float(kl_M.mean())
    text = f"{called} gains {number(float(gains.mean()))} standard deviations of its own reward"
    if (kl_M > 0).all():
        efficiency = float((np.maximum(gains, 0.0) ** 2).mean() / (2 * kl))
        text += f" at {number(kl)} nats, an efficiency gain²/(2·KL) of {number(efficiency)} (1: an ideal tilt)"
    else:
        text += " at a KL that is not known of all its policies"
    (part,) = study.measured(policies)
    ceiling = tau(part).ceiling.value
    return f"{text}; the greatest τ that any measure could have with its values is {number(ceiling)}."
