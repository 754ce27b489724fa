"""The terms a newcomer lacks, one line each: all of them behind a button in every sidebar, a few where a page starts.

The words of a measure, a correlation or an optimiser are in `warehouse.metrics.catalogue`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

TERMS: Mapping[str, str] = {
    "policy": "the language model that writes the responses.",
    "π₀": "the *initial* policy, as it is before it is optimised; all others are compared with it.",
    "reward model": "a model that scores a response; policies are optimised to get high scores.",
    "golden": "the reward model that plays ground truth: its scores count as the true quality of a response.",
    "proxy": "any other reward model: the policy is optimised against it and then judged by the golden.",
    "gain": "how much a policy's mean golden score rises above that of the initial policy.",
    "NDR": "normalised drop ratio: the golden gain from optimising the proxy, divided by the gain from optimising the "
    "golden itself. 1: nothing is lost; 0: no gain; below 0: worse than not optimising.",
    "regret": "1 − NDR: the share of the achievable gain that is lost.",
    "measure": "a way to judge a proxy on a test set of preferences, for example accuracy.",
    "accuracy": "share of response pairs that the proxy orders as the golden does. *Plain accuracy* asks about one "
    "pair per prompt, as benchmarks do.",
    "ξ": "Chatterjee's rank correlation: how nearly the golden score is a function of the proxy's; 0 if unrelated.",
    "Kendall τ": "agreement of two orders: pairs ordered alike minus pairs ordered differently, as a share; 1 is "
    "perfect agreement, 0 is none.",
    "best-of-n": "draw n responses and keep the one that the reward model scores highest.",
    "tilted": "the initial policy with every response's probability multiplied by exp(λ · score / sd): the best "
    "that a reward model allows at a given KL, computed exactly by weighting stored samples.",
    "PPO": "reinforcement learning that trains the policy's weights to raise its reward.",
    "RLOO": "like PPO, but a response is compared with the others to its prompt, not with a critic's estimate.",
    "GRPO": "like RLOO, with the rewards of a prompt's responses standardised and the KL penalty in the loss.",
    "SFT": "training on the response that the reward model prefers among several of the initial policy.",
    "strength": "how hard a policy is optimised: n for best-of-n, λ for tilted, training steps for others.",
    "KL": "distance of a policy from the initial one (Kullback–Leibler divergence, in nats); 0 means unchanged.",
    "efficiency": "gain² / (2 · KL), the gain in standard deviations within prompts: how much a policy reaches "
    "of what its KL allows; about 1 for a tilted policy.",
    "finished share": "share of a policy's responses that end by themselves, not cut off at the length limit.",
    "overoptimisation": "the proxy's score keeps rising while the golden's stops or falls (Goodhart's law).",
    "γ": "degree of overoptimisation: area between the golden gains of optimising the golden and the proxy, as a share "
    "of the former; 0 is none.",
    "RM-test prompts": "prompts on which reward models are measured.",
    "RL-test prompts": "other prompts, on which the optimised policies are judged.",
    "this test set": "how well the measure, on a test set of this size, predicts what policies are really worth. The "
    "noise of their values (few prompts, few samples) is taken off. This is the headline of every correlation.",
    "the measure itself": "how well the measure would predict with unlimited RM-test prompts: the noise of the test "
    "set is taken off as well.",
    "plain correlation": "of the figures as they are, with all their noise, which pulls it towards 0.",
    "noise ceiling": "the greatest plain correlation that any measure could reach here, because the values of policies "
    "are noisy too.",
    "p-value": "how often a correlation as strong appears when the names of the reward models are shuffled "
    "(permutation test); below 0.05, the measure predicts something.",
    "all at once": "corrected for many comparisons: the chance that even a single one of all the differences shown is "
    "a false alarm is 5% (Romano–Wolf).",
    "group": "measures with a letter in common cannot be told apart by this run; all pairs are compared at once.",
    "95% interval": "values that fit the data, found by leaving out reward models and resampling prompts; a wide one "
    "means little is known.",
    "jackknife+": "an interval for what a new reward model's policies would keep, from predictions of each known "
    "reward model without it; at 90%, it holds for 80% or more of reward models that are like the known ones.",
    "undefined": "left out: the golden's own gain cannot be distinguished from zero, so no share of it can be lost.",
}
"""Each term and its explanation in Markdown, in the order in which a reader needs them."""


_OPTIMISERS: Mapping[str, tuple[str, ...]] = {
    "bon": ("best-of-n",),
    "tilted": ("KL", "tilted"),
    "ppo": ("PPO",),
    "rloo": ("PPO", "RLOO"),
    "grpo": ("KL", "PPO", "RLOO", "GRPO"),
    "sft": ("SFT",),
}
"""What a reader has to know of each optimiser, and before it."""


def of_optimizers(names: Iterable[str]) -> tuple[str, ...]:
    """The terms of these optimisers, as far as the glossary has them."""
    return tuple(dict.fromkeys(term for name in names for term in _OPTIMISERS.get(name, ())))


def explain(*terms: str) -> str:
    """Markdown that explains these terms, each once, for the place where a page first uses them."""
    return " ".join(_line(term) for term in dict.fromkeys(terms))


def show() -> None:
    """Draw the button that opens the whole glossary."""
    with st.popover("Glossary", icon=":material/menu_book:", type="tertiary"):
        st.markdown("\n\n".join(_line(term) for term in TERMS))


def _line(term: str) -> str:
    first = term[:1].upper() if term.isascii() else term[:1]  # a Greek letter is a symbol
    return f"**{first}{term[1:]}**: {TERMS[term]}"
