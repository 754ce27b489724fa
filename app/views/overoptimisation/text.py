"""The sentences of the Overoptimisation page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.components import words
from app.components.formats import count, escape, interval, number
from warehouse.stats.bootstrap import Estimate
from warehouse.study import GoodhartSlopes
from warehouse.study.gain_curves import DegreeMap, GainCurves
from warehouse.study.strength_curves import NdrCurve

_STOPPED_SHOWN = 4
NO_PPO = "This run has no policies of PPO or another algorithm; what is shown is best-of-n alone."
EMPTY = "(an empty response)"


_METRICS = {
    "reward": "Reward",
    "kl_k1": "KL, k1 (nats)",
    "kl_k3": "KL, k3 (nats)",
    "entropy": "Entropy (nats per token)",
    "clip_share": "Share of clipped ratios",
    "value_loss": "Value loss",
    "policy_loss": "Policy loss",
    "response_tokens": "Response length (tokens)",
    "test_kl_k1": "KL of the test responses, k1 (nats)",
    "test_kl_k3": "KL of the test responses, k3 (nats)",
    "test_response_tokens": "Length of the test responses (tokens)",
    "test_sampler_kl_k3": "Sampler against the weights it ran, k3 (nats)",
}


def metric(name: str) -> str:
    """How a figure of PPO's training is called; an unknown one by its own name."""
    return _METRICS.get(name, name)


def stopped(rows: pl.DataFrame) -> str:
    """Which PPO went wrong, when and why; empty if none."""
    lines = [
        f"**{escape(row['ppo_id'])}** at step {row['steps_done']} of {row['steps']}: {escape(row['reason'])}"
        for row in rows.iter_rows(named=True)
    ]
    if not lines:
        return ""
    shown = "; ".join(lines[:_STOPPED_SHOWN])
    more = f"; and {len(lines) - _STOPPED_SHOWN} more" if len(lines) > _STOPPED_SHOWN else ""
    return f"{count(len(lines), 'policy')} stopped early and left out from there on: {shown}{more}."


def whose(golden: str | None, proxy: str | None) -> str:
    """The pairs that curves are of: `golden a, proxy b`, or what is averaged over."""
    if golden is None and proxy is None:
        return "averaged over all golden–proxy pairs"
    of_golden = f"golden **{escape(golden)}**" if golden else "averaged over goldens"
    of_proxy = f"proxy **{escape(proxy)}**" if proxy else "averaged over proxies"
    return f"{of_golden}, {of_proxy}"


def what_is_shown(run_id: str, golden: str | None, proxy: str | None) -> str:
    """One line: run, and whose curves."""
    return f"Run **{escape(run_id)}** · {whose(golden, proxy)} · 95% bootstrap intervals"


def distance(kl_estimator: str) -> str:
    """The axis of distances, and how KL was had."""
    how = {"bound": "KL: upper bound", "k1": "KL: sampled, k1", "k3": "KL: sampled, k3"}.get(
        kl_estimator, "KL not recorded"
    )
    return f"Distance from the initial policy, √KL (√nats; {how})"


def below_zero(optimizer: str, found: GainCurves | DegreeMap) -> str:
    """How many policies have a negative estimate of KL; empty if none has."""
    if not found.below_zero:
        return ""
    title = words.optimizer(optimizer).title
    return f"{title}: {count(found.below_zero, 'policy')} with a KL estimated below 0, taken to be at distance 0"


def resampled(optimizer: str, found: GainCurves | NdrCurve) -> str:
    """What intervals of an optimiser's curves resample."""
    title = words.optimizer(optimizer).title
    return f"{title}: {count(found.pairs, 'pair')}, resampling {escape(found.resampled)}"


def degree(optimizer: str, found: GainCurves) -> str:
    """γ of the curves shown."""
    title = words.optimizer(optimizer).title
    if found.degree.value is None:
        return f"{title}: the degree γ is undefined, for want of strengths to fit or of a gain of the golden's own."
    return (
        f"{title}: degree of overoptimisation γ = **{number(found.degree.value)}** "
        f"(95% interval {interval(found.degree.low, found.degree.high)}; 0 = nothing lost on the way)."
    )


def peak(row: Mapping[str, Any]) -> str:
    """Where a fit peaks, told beside how far was optimised: `1.28 (0.81 to beyond 2.00)`."""
    farthest = row["farthest"]

    def at(value: float | None) -> str:
        return f"beyond {number(farthest)}" if value is None or value > farthest else number(value)

    if row["peak"] is None:
        return f"none in sight (bends down in {row['bends']:.0%} of replicates)"
    if row["peak"] > farthest and row["peak_low"] > farthest:
        return f"beyond {number(farthest)}"
    return f"{at(row['peak'])} ({at(row['peak_low'])} to {at(row['peak_high'])})"


def goodhart(optimizer: str, found: GoodhartSlopes) -> str:
    """The test of the curve in a sentence."""
    title = words.optimizer(optimizer).title
    if found.p_value is None or found.chi2 is None:
        return f"{title}: too few pairs or replicates for a test of the curve."
    said = f"Wald χ² = {number(found.chi2, 1)}, {found.degrees} degrees of freedom, p = {_p(found.p_value)}"
    if found.p_value < 0.05:
        return f"{title}: accuracy alone does not account for the slopes ({said})."
    return f"{title}: the slopes cannot be told from what accuracy predicts ({said})."


def undefined_ndr(optimizer: str, found: NdrCurve) -> str:
    """At which strengths pairs are undefined; empty if at none."""
    missing = [
        f"{amount:,} at {strength:g}"
        for strength, amount in zip(found.strengths, found.undefined, strict=True)
        if amount
    ]
    if not missing:
        return ""
    return f"{words.optimizer(optimizer).title}, pairs undefined of {found.pairs:,}: {', '.join(missing)}"


def cut(most: int, reward_models: int) -> str:
    """That only the pairs of some reward models are drawn, a sentence after others; empty where all are."""
    return f" Drawn are pairs of the first {most} of {reward_models} reward models." if reward_models > most else ""


def hacked(golden: str, proxy: str, share: Estimate, chance: float, counted: int, prompts: int) -> str:
    """How often the proxy's favourite is the golden's worst."""
    if share.value is None:
        return "No prompt on which both reward models have a clear favourite and a clear worst: nothing can be counted."
    return (
        f"On {counted:,} of {count(prompts, 'RL-test prompt')} the response that **{escape(proxy)}** likes best is the "
        f"one that **{escape(golden)}** likes least: a share of **{number(share.value)}** "
        f"(Wilson's 95% interval {interval(share.low, share.high)}); by chance it would be {number(chance)}."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, 3)
