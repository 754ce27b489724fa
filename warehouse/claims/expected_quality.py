"""Does accuracy predict a policy's expected quality better than one set of values of the policy does?

Values of policies come from few prompts and responses, and few training seeds of each: they are themselves an estimate.
The ceiling is how well they correlate with what policies are really worth, so accuracy that correlates better with that
is the better guide to it.
"""

from __future__ import annotations

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
    why_undefined,
)
from warehouse.claims.verdict import NEGLIGIBLE, above
from warehouse.schema import BY_WEIGHTING
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.evaluate import Evaluation
from warehouse.study.regret import drawn_regret, unit_of
from warehouse.study.resolution import of_correlation


def better_than_values(study: Study) -> Claim:
    """Accuracy correlates better with the true NDR than the NDR of the run's values of policies does."""
    findings, rows, noise = [], [], []
    for policies in study.optimised.values():
        (part,) = study.measured(policies)
        kendall = tau(part)
        difference = independent_difference(kendall, kendall.ceiling)
        why = "" if difference.value is not None else why_undefined(part.evaluation)
        finding = Finding(policies.called, "τ minus ceiling", difference, above(difference), why)
        findings.append(resolved(finding, of_correlation(part), sizes_of(part)))
        valued = f"{len(policies.values.prompts)} × {policies.responses or 'expectation'}"
        rows.append((policies.called, kendall, kendall.ceiling, valued, *pairs_of(part.evaluation)))
        noise.append(_noise(study, policies, part.evaluation))
    header = ("policies", "τ of accuracy", "τ of the values", "RL-test prompts × responses", "pairs", "undefined")
    return Claim(
        "expected-quality",
        "Accuracy predicts a policy’s expected quality better than one set of values of the policy does",
        "Decided by Kendall τ of accuracy with the NDR that policies really have, minus the ceiling: Kendall τ of the "
        "run’s own values with that. Both are without the noise of the values they are compared with. It holds above "
        f"0, not if the interval ends below {NEGLIGIBLE:g}.",
        tuple(findings),
        (
            Table("With the true NDR", header, tuple(rows)),
            Table(
                "How much of the variance of NDR between pairs is noise",
                ("policies", "seeds", "training noise", "noise of the RL-test prompts"),
                tuple(noise),
            ),
        ),
        notes=(
            "Where it holds, a policy of this run is better chosen by its reward model’s accuracy than by what the few "
            "responses to the RL-test prompts scored. The interval joins those of both (MOVER), as if they were "
            "independent.",
            "Where each policy was trained with one seed, that seed is part of what the policy is worth here; where "
            "policies are means over seeds, what is left of the noise of training is in the ceiling.",
        ),
        beyond_paper=True,
    )


def _noise(study: Study, policies: Optimised, evaluation: Evaluation) -> tuple[Cell, ...]:
    """The shares of both kinds of noise, as far as they are known."""
    values, optimizer = policies.values, policies.curves.optimizer
    prompts, unit = np.arange(len(values.prompts)), unit_of(values, policies.cube.roles)
    shares = drawn_regret(values, prompts, study.replicates, study.seed, unit).noise_shares(evaluation.pair_MM)
    of_training: Cell = None if shares is None else shares.training
    if optimizer in BY_WEIGHTING:
        return policies.called, "no training", "none", None if shares is None else shares.prompts
    if evaluation.repeats < 2:
        of_training = "unknown: counts as regret"
    several = evaluation.repeats > 1 and evaluation.single_repeats > 0
    return (
        policies.called,
        f"{'up to ' if several else ''}{evaluation.repeats}",
        of_training,
        None if shares is None else shares.prompts,
    )


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """First minus second, its interval from both their own (MOVER; Zou and Donner 2008); too wide if they go together.

    Undefined if one of them has no interval.
    """
    ends = first.value, first.low, first.high, second.value, second.low, second.high
    if any(end is None for end in ends):
        return NOTHING
    value, low, high, other, other_low, other_high = (float(end) for end in ends if end is not None)
    difference = value - other
    return Estimate(
        difference,
        difference - float(np.hypot(value - low, other_high - other)),
        difference + float(np.hypot(high - value, other - other_low)),
        min(first.replicates, second.replicates),
    )
