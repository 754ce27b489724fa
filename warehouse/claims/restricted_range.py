"""Does accuracy predict among reward models such as people train, and how much does it depend on single ones?

A run spreads its reward models wide, up to labels that are nearly random. Real preference data have fewer errors, so
that a correlation that rests on the worst reward models says little about a choice between real ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from warehouse.claims.claim import (
    Cell,
    Claim,
    Finding,
    Optimised,
    Study,
    Table,
    pairs_of,
    resolved,
    sizes_of,
    tau,
    tau_difference,
)
from warehouse.claims.verdict import CANNOT_BE_TOLD, FEWEST_RESAMPLED, NEGLIGIBLE, SIGNIFICANT, predicting
from warehouse.formats import count
from warehouse.schema import LABEL_NOISE
from warehouse.stats.bootstrap import Bools
from warehouse.study.correlation import Correlation
from warehouse.study.evaluate import Replicated
from warehouse.study.resolution import of_correlation

RANGES = (0.3, 0.2)
"""The most flipped labels of a range: annotators of real preference data disagree on one label in five to three."""

MOST_FLIPPED = "most flipped"
"""The fact of a finding that names its range."""

_FEWEST = 3
_ROUNDING = 1e-9
"""Of rates such as 3 × 0.1, which are within 30 %."""


def restricted_range(study: Study) -> Claim:
    """Accuracy predicts NDR among the reward models in whose range real ones lie."""
    claim = Claim(
        "range",
        "Accuracy predicts among reward models with few flipped labels",
        "Decided by Kendall τ of accuracy with NDR over the pairs of reward models that differ in label noise alone, "
        f"with at most {RANGES[0]:.0%}, and at most {RANGES[1]:.0%}, of their labels flipped, the range in which real "
        "reward models lie: it holds if the permutation test rejects that nothing predicts (p below "
        f"{SIGNIFICANT:g}) and τ is above 0, not if the interval ends below {NEGLIGIBLE:g}; of fewer than "
        f"{FEWEST_RESAMPLED} reward models it {CANNOT_BE_TOLD}. Those trained elsewhere, whose flip rate is unknown, "
        "count as within the range.",
        notes=(
            "Within a narrow range accuracies differ less, so that the noise of few RM-test prompts weighs more; that "
            "of the policies’ values is taken off. Several reward models together may carry what none of them carries "
            "alone.",
        ),
        beyond_paper=True,
    )
    limits = [limit for limit in RANGES if any(rate > limit + _ROUNDING for rate in study.flip_rates.values())]
    ranges = {"any flip rate": 1.0} | {f"flip rates up to {limit:.0%}": limit for limit in limits}
    findings, influences = [], []
    rows: list[tuple[Cell, ...]] = []
    for policies in study.optimised.values():
        (whole,) = study.measured(policies)
        rows.append(
            (
                policies.called,
                "all reward models",
                whole.evaluation.proxies,
                tau(whole),
                "",
                *pairs_of(whole.evaluation),
            )
        )
        for among, limit in ranges.items():
            within_M = _within(study, policies, limit)
            (part,) = study.measured(policies, among=within_M)
            M = part.evaluation.proxies
            pairs = pairs_of(part.evaluation)
            rows.append((policies.called, among, M, tau(part), tau_difference(part, whole), *pairs))
            if limit in limits:
                finding = _finding(f"{policies.called}, {among}", M, tau(part))
                finding = replace(finding, facts={MOST_FLIPPED: limit})
                findings.append(resolved(finding, of_correlation(part), sizes_of(part)))
        influences.append(_influence(study, policies, whole))
    header = ("policies", "among", "reward models", "τ", "minus that of all", "pairs", "undefined")
    return replace(
        claim,
        findings=tuple(findings),
        tables=(Table("By range", header, tuple(rows)), *influences),
        missing="" if limits else f"it has no reward model with more than {min(RANGES):.0%} of its labels flipped",
    )


def _within(study: Study, policies: Optimised, limit: float) -> Bools:
    """Which reward models `[M]` differ in label noise alone, with no more than this share of flipped labels."""
    names = policies.curves.reward_models
    flips_M = [
        study.kinds[name] in LABEL_NOISE or (name not in study.flip_rates and study.kinds[name] != "ensemble")
        for name in names
    ]
    return np.array(flips_M) & np.array([study.flip_rates.get(name, 0.0) <= limit + _ROUNDING for name in names])


def _finding(about: str, M: int, kendall: Correlation) -> Finding:
    verdict, why = predicting(kendall, kendall.p_value), ""
    if kendall.value is not None and M < FEWEST_RESAMPLED:
        verdict, why = CANNOT_BE_TOLD, f"{count(M, 'reward model')} say little about others"
    if kendall.value is None:
        fewer = f"{M} reward models: a correlation over golden–proxy pairs takes three"
        why = fewer if M < _FEWEST else "no defined pairs among them differ"
    return Finding(about, f"Kendall τ, {M} reward models", kendall, verdict, why)


def _influence(study: Study, policies: Optimised, whole: Replicated) -> Table:
    """τ of the sample without each reward model in turn, the one that moves it most first."""
    value, defined = whole.pooled["kendall"]
    left_out = whole.rows.left_out
    tau_of_all = float(value[0]) if defined[0] else None
    rows: list[tuple[Cell, ...]] = []
    for name, tau_M, is_defined in zip(policies.curves.reward_models, value[left_out], defined[left_out], strict=True):
        without = float(tau_M) if is_defined else None
        moves = None if without is None or tau_of_all is None else without - tau_of_all
        rows.append((name, study.flip_rates.get(name), without, moves))
    rows.sort(key=lambda row: -abs(row[-1]) if isinstance(row[-1], float) else 1.0)
    header = ("without", "its flip rate", "τ of the sample", "minus that of all")
    return Table(
        f"Without each reward model, {policies.called}", header, (("none left out", "", tau_of_all, ""), *rows)
    )
