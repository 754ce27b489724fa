"""The sentences of the Overoptimisation page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.access.frames import MOST_DRAWN
from app.components.formats import count, escape, interval, number
from warehouse.claims.findings import CLOSE, follows_curve
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.stats.bootstrap import Estimate
from warehouse.study.curves.gain_curves import GainCurves
from warehouse.study.curves.strength_curves import NdrCurve
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.goodhart import GoodhartSlopes

_STOPPED_SHOWN = 4
NO_PPO = "This run has no policies trained by PPO or another algorithm; only those by weighting its samples are shown."
EMPTY = "(empty response)"

_METRICS = {
    "reward": "Proxy reward",
    "penalised_reward": "Proxy reward with the truncation score",
    "standardised_reward": "Proxy reward (SD of the initial policy)",
    "kl_k1": "KL from the initial policy, k1 (nats)",
    "kl_k3": "KL from the initial policy, k3 (nats)",
    "kl_per_token": "KL from the initial policy per token, OpenRLHF's estimate (nats)",
    "entropy": "Entropy (nats per token)",
    "clip_share": "Share of clipped tokens",
    "value_loss": "Value loss",
    "policy_loss": "Policy loss",
    "response_tokens": "Response length (tokens)",
    "test_kl_k1": "KL of the test responses, k1 (nats)",
    "test_kl_k3": "KL of the test responses, k3 (nats)",
    "test_response_tokens": "Length of the test responses (tokens)",
    "test_sampler_kl_k3": "Sampler against the weights it ran, k3 (nats)",
}


_FOLLOWS: Mapping[Verdict, str] = {
    "holds": f"the slopes are what accuracy predicts, to within {CLOSE:g} in every bin",
    "refuted": "accuracy alone does not explain the slopes",
    CANNOT_BE_TOLD: f"whether the slopes are what accuracy predicts {CANNOT_BE_TOLD}",
}
"""What the verdict on Goodhart's curve says."""


def metric(name: str) -> str:
    """Title of a metric of the policies' training; an unknown one keeps its name."""
    return _METRICS.get(name, name)


def stopped(rows: pl.DataFrame) -> str:
    """Which policies stopped early, when and why; empty if none did."""
    lines = [
        f"**{escape(row['ppo_id'])}** at step {row['steps_done']} of {row['steps']}: {escape(row['reason'])}"
        for row in rows.iter_rows(named=True)
    ]
    if not lines:
        return ""
    shown = "; ".join(lines[:_STOPPED_SHOWN])
    more = f"; and {len(lines) - _STOPPED_SHOWN} more" if len(lines) > _STOPPED_SHOWN else ""
    return f"{count(len(lines), 'policy')} stopped early and left out from there on: {shown}{more}."


def what_is_shown(run_id: str, golden: str | None, proxy: str | None) -> str:
    """One line: the run, and the pairs that the curves average over."""
    pairs = "averaged over all golden–proxy pairs"
    if golden or proxy:
        of_golden = f"golden **{escape(golden)}**" if golden else "averaged over goldens"
        pairs = f"{of_golden}, " + (f"proxy **{escape(proxy)}**" if proxy else "averaged over proxies")
    return f"Run **{escape(run_id)}** · {pairs} · 95% bootstrap intervals"


def distance(kl_estimator: str) -> str:
    """Title of the axis of distances, with how KL was estimated."""
    how = {
        "bound": "upper bound",
        "weights": "by weights",
        "k1": "estimated by k1",
        "k3": "estimated by k3",
    }
    return f"Distance, √KL (√nats; {how.get(kl_estimator, 'KL not recorded')})"


def on_prompts(values: PolicyValues, samples: ScoreCube) -> str:
    """On how many prompts policies by weighting are defined at the greatest strength; empty if on all."""
    if len(values.prompts) == len(samples.prompts):
        return ""
    return f"on the {len(values.prompts):,} of {count(len(samples.prompts), 'RL-test prompt')} where all are defined"


def below_zero(policies: int) -> str:
    """How many policies have a negative estimate of KL; empty if none has."""
    if not policies:
        return ""
    return f"{count(policies, 'policy')} with a KL estimated below 0, placed at distance 0"


def resampled(result: GainCurves | NdrCurve) -> str:
    """What the intervals of an optimiser's curves resample."""
    return f"{count(result.pairs, 'pair')}, resampling {escape(result.resampled)}"


def seeds(curves: ValueCurves) -> str:
    """How many seeds the values are means of; empty if each policy was optimised once."""
    repeats = curves.values[-1].repeats_M
    most = int(repeats.max())
    fewest = int(repeats[repeats > 0].min(initial=most))
    if most < 2:
        return ""
    return f"mean of {most} seeds" if fewest == most else f"mean of up to {most} seeds"


def degree(result: GainCurves) -> str:
    """γ of an optimiser's curves, in a sentence."""
    gamma = result.degree
    if gamma.value is None:
        return (
            "the degree γ is undefined: there are too few strengths to fit, or optimising the "
            "golden itself gains nothing."
        )
    return (
        f"degree of overoptimisation γ = **{number(gamma.value)}** "
        f"(95% interval {interval(gamma.low, gamma.high)}; 0 = nothing lost on the way)."
    )


def peak(row: Mapping[str, Any]) -> str:
    """Where a fit peaks, capped at the greatest distance reached: `1.28 (0.81 to beyond 2.00)`."""
    farthest = row["farthest"]

    def at(value: float | None) -> str:
        return f"beyond {number(farthest)}" if value is None or value > farthest else number(value)

    if row["peak"] is None:
        return f"none in sight (bends down in {row['bends']:.0%} of replicates)"
    if row["peak"] > farthest and row["peak_low"] > farthest:
        return f"beyond {number(farthest)}"
    return f"{at(row['peak'])} ({at(row['peak_low'])} to {at(row['peak_high'])})"


def goodhart(result: GoodhartSlopes) -> str:
    """The verdict on the curve in a sentence, with its test."""
    fit, verdict = result.test, follows_curve(result).verdict
    if verdict == "undefined" or fit.p_value is None or fit.t2 is None:
        return "too few pairs, prompts or replicates to test the curve."
    p_value = "p < 0.001" if fit.p_value < 0.001 else f"p = {number(fit.p_value, 3)}"
    test = f"Hotelling's T² = {number(fit.t2, 1)} over {count(fit.bins, 'bin')}, {p_value}"
    return f"{_FOLLOWS[verdict]} ({test})."


def undefined_ndr(result: NdrCurve) -> str:
    """At which strengths pairs are undefined; empty if at none."""
    at_strengths = zip(result.strengths, result.undefined, strict=True)
    missing = ", ".join(f"{pairs:,} at {strength:g}" for strength, pairs in at_strengths if pairs)
    return f"pairs undefined of {result.pairs:,}: {missing}" if missing else ""


def in_place_of_ndr(result: NdrCurve) -> str:
    """What the curve is of where a golden has no policy of its own; empty for NDR."""
    if result.quantity == "ndr":
        return ""
    return (
        "no policy was optimised against the golden, so this is the golden gain of the proxy's policy, in the golden's "
        "standard deviations within prompts"
    )


def not_drawn(reward_models: int) -> str:
    """That a chart shows the pairs of some reward models only; empty where it shows all."""
    if reward_models <= MOST_DRAWN:
        return ""
    return f"The chart shows pairs of the first {MOST_DRAWN} of {reward_models} reward models."


def hacked(golden: str, proxy: str, share: Estimate, *, chance: float, counted: int, prompts: int) -> str:
    """How often the proxy's favourite is the golden's worst."""
    if share.value is None:
        return "On no prompt do both reward models have a clear favourite and a clear worst: nothing can be counted."
    return (
        f"On {counted:,} of {count(prompts, 'RL-test prompt')} the response that **{escape(proxy)}** likes best is the "
        f"one that **{escape(golden)}** likes least: a share of **{number(share.value)}** "
        f"(95% interval {interval(share.low, share.high)}, Wilson); by chance it would be {number(chance)}."
    )
