"""Does it matter whose responses accuracy is measured on: the initial policy's, or those of other policies?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from warehouse.claims.claim import (
    AT_ONCE,
    Claim,
    Finding,
    Study,
    Table,
    pairs_of,
    resolved,
    sizes_of,
    tau,
    why_no_difference,
)
from warehouse.claims.verdict import NEGLIGIBLE, apart
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import contrast
from warehouse.study.evaluate import Replicated
from warehouse.study.resolution import of_contrast
from warehouse.study.together import all_at_once


def response_source(study: Study) -> Claim:
    """Accuracy on another policy's responses predicts NDR better or worse than accuracy on the initial policy's."""
    claim = Claim(
        "source",
        "It matters whose responses accuracy is measured on",
        "Each source of responses is compared with the initial policy’s, on the prompts that both answered and with "
        "as many responses of each. Decided by Kendall τ of accuracy with NDR on the other source minus that on the "
        "initial policy’s, averaged over the sources: it matters if the interval excludes 0, either way; not if it "
        f"lies within ±{NEGLIGIBLE:g}.",
        notes=(f"Sources may differ in opposite ways: see each one’s difference; {AT_ONCE}.",),
        beyond_paper=True,
    )
    if not study.sources:
        return replace(claim, missing="no other policy gave two responses or more to its RM-test prompts")
    compared = {name: both for name, cube in study.sources.items() if (both := _same_size(study.first.cube, cube))}
    if not compared:
        return replace(claim, missing=f"no other source shares {FEWEST_PROMPTS} prompts with the initial policy")
    findings, rows = [], []
    for policies in study.optimised.values():
        names = policies.curves.reward_models
        sides, parts, listed = [], [], []
        for source, cubes in compared.items():
            (initial,), (other,) = (
                study.measured(replace(policies, cube=cube.of_reward_models(names))) for cube in cubes
            )
            sides += [initial, other]
            if tau(initial).value is not None and tau(other).value is not None:
                parts += [(1.0, other), (-1.0, initial)]
            _, P, R = cubes[0].scores_MPR.shape
            pairs = pairs_of(other.evaluation)
            listed.append((policies.called, source, P, R, tau(initial), tau(other), *pairs))
        for row, difference_and_p in zip(listed, _at_once(sides, study.seed), strict=True):
            rows.append((*row[:-2], *difference_and_p, *row[-2:]))
        defined = len(parts) // 2
        weighted = [(sign / defined, part) for sign, part in parts]
        difference = contrast(weighted)
        figure = f"τ, other sources minus the initial policy’s, {defined} of {len(compared)} sources"
        why = "" if difference.value is not None else why_no_difference(sides)
        finding = Finding(policies.called, figure, difference, apart(difference), why)
        findings.append(resolved(finding, of_contrast(weighted), sizes_of(*sides)))
    header: tuple[str, ...] = ("policies", "source", "prompts", "responses", "τ, initial policy’s", "τ, the source’s")
    table = Table(
        "By source of the responses", (*header, "difference", "adjusted p", "pairs", "undefined"), tuple(rows)
    )
    return replace(claim, findings=tuple(findings), tables=(table,))


def _at_once(sides: Sequence[Replicated], seed: int) -> list[tuple[Estimate, float | None]]:
    """Each source’s τ minus the initial policy’s, and its adjusted p; `sides` are initial and other by turns."""
    figures = []
    for initial, other in zip(sides[::2], sides[1::2], strict=True):
        (value_B, defined_B), (other_B, other_defined_B) = initial.pooled["kendall"], other.pooled["kendall"]
        figures.append((other_B - value_B, defined_B & other_defined_B))
    together = all_at_once(sides[0].rows, figures, seed)
    return list(zip(together.differences, together.p_values, strict=True))


def _same_size(initial: ScoreCube, other: ScoreCube) -> tuple[ScoreCube, ScoreCube] | None:
    """Both on their common prompts with as many responses; None if there are too few."""
    places = {prompt: place for place, prompt in enumerate(other.prompts)}
    common = [(place, places[prompt]) for place, prompt in enumerate(initial.prompts) if prompt in places]
    R = min(initial.scores_MPR.shape[2], other.scores_MPR.shape[2])
    if len(common) < FEWEST_PROMPTS or R < FEWEST_RESPONSES:
        return None
    rows = np.array(common, dtype=np.int64).T
    first, second = (
        _responses(cube.of_prompts(chosen), R) for cube, chosen in zip((initial, other), rows, strict=True)
    )
    return first, second


def _responses(cube: ScoreCube, R: int) -> ScoreCube:
    """This many responses to each prompt, evenly spaced: those of several policies together come by turns."""
    chosen = np.linspace(0, cube.scores_MPR.shape[2] - 1, R).round().astype(np.int64)
    return replace(cube, scores_MPR=cube.scores_MPR[:, :, chosen])
