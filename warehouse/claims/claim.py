"""What claims are examined on, one run's scores and policies as arrays, and what a claim holds: findings and tables.

A finding is a figure with its interval and verdict. Which figure decides a claim is fixed in the claims' modules,
before any run is looked at; `verdict` has the rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from warehouse.claims.verdict import CANNOT_BE_TOLD, NEGLIGIBLE, Verdict, above
from warehouse.metrics.catalogue import optimizer_words
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.test_set import TestSet
from warehouse.stats.across_pairs import Selected
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import paired, shared_rows
from warehouse.study.correlation import Correlation
from warehouse.study.curves.length_features import PolicyFeatures
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.evaluate import RESAMPLED, Evaluation, Replicated, replicated
from warehouse.study.reactions import Drift, Reactions
from warehouse.study.resolution import Resolution, Sizes, Variances, of_contrast, of_interval, resolution
from warehouse.study.together import simultaneous

KENDALL: Selected = (("kendall", "pooled"),)
"""The one correlation that decides claims."""

AT_ONCE = "intervals hold for all of them at once, and p is adjusted for looking at all (stepdown max-t)"
"""What is said of several differences."""

SHARED = (
    "The same prompts are on both sides: accuracy and the policies’ values share the noise of each prompt, which this "
    "figure does not take off, so it decides nothing."
)
"""What is said of figures that are not cross-fitted where prompts are on both sides."""

Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Optimised:
    """The policies of one optimiser, and the scores of the reward models that they were optimised against.

    - `cube`: scores on the RM-test prompts; `paraphrased`: on all of them in other words, None without paraphrases.
    - `spread_M`: `spread_within_prompts` under the initial policy.
    - `tokens_SMQ`: mean lengths along the strengths, `initial_tokens_Q` the initial policy's; None if not recorded.
    - `features`: length and finishing of π_0's responses and of the policies; None if not recorded.
    - `samples`: scores of the RL-test samples that best-of-n picks from; None if not stored.
    - `responses`: how many responses to a prompt each value is the mean of; None for expectations, or if not known.
    - `drift`: how the features that edits change drift from π_0 to the policies; None if their texts are not stored.
    - `penalised`: values at the last strength, with KL coefficients in the place of strengths, the default one first;
      of the reward models of the sweep. `at_kl`: the same where all have diverged by `matched_kl` nats.
    """

    curves: ValueCurves
    cube: ScoreCube
    paraphrased: ScoreCube | None
    spread_M: NDArray[np.float64]
    tokens_SMQ: NDArray[np.float64] | None = None
    initial_tokens_Q: NDArray[np.float64] | None = None
    features: PolicyFeatures | None = None
    samples: ScoreCube | None = None
    responses: int | None = None
    drift: Drift | None = None
    penalised: ValueCurves | None = None
    at_kl: ValueCurves | None = None
    matched_kl: float | None = None

    @property
    def values(self) -> PolicyValues:
        """The values at the greatest strength, which claims are about."""
        return self.curves.values[-1]

    @property
    def sizes(self) -> Sizes:
        """How many reward models, RM-test prompts and RL-test prompts."""
        return Sizes(len(self.curves.reward_models), len(self.cube.prompts), len(self.values.prompts))

    @property
    def called(self) -> str:
        """What these policies are called: `best-of-16`, `PPO at step 4`."""
        return optimizer_words(self.curves.optimizer).at.format(f"{self.curves.strengths[-1]:g}")

    @property
    def title(self) -> str:
        """The optimiser's name: `Best-of-n`, `PPO`."""
        return optimizer_words(self.curves.optimizer).title


@dataclass(frozen=True)
class Study:
    """A run's optimisers by name, the kinds of its reward models, how many altered studies, and the seed.

    - `flip_rates`: share of the training labels flipped, of the reward models of which it is known.
    - `sources`: scores of other policies' responses to the RM-test prompts, two or more to each, by the source's name.
    - `reactions`: how the reward models react to edited responses; None if none were scored.
    """

    optimised: Mapping[str, Optimised]
    kinds: Mapping[str, str]
    replicates: int = 1000
    seed: int = 0
    flip_rates: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, ScoreCube] = field(default_factory=dict)
    reactions: Reactions | None = None

    @property
    def first(self) -> Optimised:
        """The first optimiser; all have the same RM-test prompts."""
        return next(iter(self.optimised.values()))

    def measured(
        self,
        policies: Optimised,
        test_sets: Sequence[TestSet] = (TestSet(),),
        *,
        measures: Sequence[str] = ("accuracy",),
        rl_categories: tuple[str, ...] | None = None,
        among: NDArray[np.bool_] | None = None,
        selected: Selected = KENDALL,
    ) -> list[Replicated]:
        """The measures on these test sets against NDR, all on the same altered studies.

        `among` `[M]` restricts the pairs to these reward models.
        """
        return replicated(
            policies.cube,
            policies.values,
            list(product(measures, test_sets)),
            rl_categories=rl_categories,
            replicates=self.replicates,
            seed=self.seed,
            selected=selected,
            among=among,
        )


@dataclass(frozen=True)
class Finding:
    """A figure with its interval and the verdict that follows from it.

    `about` says which question or policies it answers for, `why` what makes it undefined or keeps it from being told,
    `facts` has numbers for the sentence about it. `opposite`: it is refuted, and the opposite holds.
    `resolution`: what would decide it, where it cannot be told at this size.
    """

    about: str
    figure: str
    estimate: Estimate
    verdict: Verdict
    why: str = ""
    resampled: str = RESAMPLED
    facts: Mapping[str, object] = field(default_factory=dict)
    opposite: bool = False
    resolution: Resolution | None = None


@dataclass(frozen=True)
class Table:
    """Figures beside the one that decides."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Claim:
    """One claim, how it is decided, and its findings; `missing` says why a run cannot answer it.

    `setting`: how the run's setting differs from the paper's, where it does not confirm the paper.
    """

    name: str
    title: str
    rule: str
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    resampled: str = RESAMPLED
    notes: tuple[str, ...] = ()
    missing: str = ""
    beyond_paper: bool = False
    setting: str = ""


def tau(part: Replicated) -> Correlation:
    """Kendall τ of the measure with NDR, on this test set."""
    return part.evaluation.correlations["kendall"]


def tau_difference(first: Replicated, second: Replicated) -> Estimate:
    """The paired difference of two Kendall τ, first minus second."""
    return paired(first, second).correlations["kendall"]


def differences_at_once(parts: Sequence[Replicated], second: Replicated, seed: int) -> list[tuple[Estimate, Cell]]:
    """Each τ minus the second's, with intervals that hold for all at once, and its adjusted p: cells of a table."""
    together = simultaneous(parts, second, seed)
    return list(zip(together.differences, together.p_values, strict=True))


def predicts_better(about: str, figure: str, first: Replicated, second: Replicated) -> Finding:
    """Does the first way of measuring predict better than the second?"""
    difference = tau_difference(first, second)
    why = "" if difference.value is not None else why_no_difference([first, second])
    finding = Finding(about, figure, difference, above(difference), why)
    return resolved(finding, of_contrast([(1.0, first), (-1.0, second)]), sizes_of(first, second))


def sizes_of(*parts: Replicated) -> Sizes:
    """The sizes of what these compare: the most of any, as some may be of a part of the run."""
    evaluations = [part.evaluation for part in parts]
    return Sizes(
        int(shared_rows(parts).inside.sum()),
        max(evaluation.prompts_used for evaluation in evaluations),
        max(evaluation.rl_prompts_used for evaluation in evaluations),
    )


def resolved(finding: Finding, parts: Variances | None, sizes: Sizes, bound: float = 0.0) -> Finding:
    """With what would decide it, if it cannot be told: the effect is as great as it looks, or as what matters."""
    value = finding.estimate.value
    if finding.verdict != CANNOT_BE_TOLD or parts is None or value is None:
        return finding
    return replace(finding, resolution=resolution(parts, sizes, max(abs(value - bound), NEGLIGIBLE)))


def resolved_by_interval(finding: Finding, sizes: Sizes, bound: float = 0.0) -> Finding:
    """The same of a figure whose variance is known by its interval alone."""
    value = finding.estimate.value
    if finding.verdict != CANNOT_BE_TOLD or value is None:
        return finding
    return replace(finding, resolution=of_interval(finding.estimate, sizes, max(abs(value - bound), NEGLIGIBLE)))


def why_no_difference(parts: Sequence[Replicated]) -> str:
    """Why the first of these without a correlation has none."""
    return next(
        (why_undefined(part.evaluation) for part in parts if tau(part).value is None),
        "too few altered studies have both",
    )


def why_undefined(evaluation: Evaluation) -> str:
    """Why there is no correlation."""
    M = evaluation.proxies
    pairs, undefined = pairs_of(evaluation)
    if M < 3:
        return f"{M} reward models: a correlation over golden–proxy pairs takes three"
    if undefined == pairs:
        if not evaluation.value_defined_MM.any():
            why = "the measure is undefined on each of these prompts"
        elif evaluation.quantity == "gain":
            why = "no golden tells responses to these prompts apart"
        else:
            why = "no golden's own gain can be told from zero on these prompts"
        return f"all {pairs} pairs are undefined: {why}"
    return f"the figures of the {pairs - undefined} defined pairs do not differ, or those are of two reward models"


def pairs_of(evaluation: Evaluation) -> tuple[int, int]:
    """How many golden–proxy pairs an evaluation is of, and how many of them are undefined."""
    return int(evaluation.pair_MM.sum()), evaluation.undefined_pairs
