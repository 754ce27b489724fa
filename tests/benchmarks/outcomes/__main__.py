"""Do intervals against outcomes cover what they claim? `python -m tests.benchmarks.outcomes [--write]`.

Simulates reward models with outcomes whose truth is known (`tests.helpers.planted_outcomes`) over sizes, strengths and
reliabilities; about three minutes on two cores. `--write` puts the table into docs/outcomes.md.
"""

from __future__ import annotations

import argparse
import re
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.helpers.planted_outcomes import PlantedOutcomes
from warehouse.study.outcomes import CORRELATIONS, predict

PAGE = Path("docs/outcomes.md")
MODELS, STRENGTHS, RELIABILITIES = (10, 20, 40), (0.0, 0.5, 0.8, 0.95), (1.0, 0.9, 0.7)
STUDIES = 400
_PLACE = re.compile(r"(<!-- coverage: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)


class Cell(NamedTuple):
    """One kind and size of study, the truth, and for each correlation coverage, mean error and mean width."""

    planted: PlantedOutcomes
    truth: dict[str, float]
    coverage: dict[str, float]
    bias: dict[str, float]
    width: dict[str, float]


def cell(planted: PlantedOutcomes, studies: int = STUDIES) -> Cell:
    """Simulate studies of one kind."""
    truth = planted.truth()
    covered: dict[str, list[bool]] = {name: [] for name in CORRELATIONS}
    errors: dict[str, list[float]] = {name: [] for name in CORRELATIONS}
    widths: dict[str, list[float]] = {name: [] for name in CORRELATIONS}
    for seed in range(studies):
        prediction = predict(*planted.study(seed), seed=seed)
        for name in CORRELATIONS:
            own = prediction.correlations[name]
            assert own.value is not None
            assert own.low is not None
            assert own.high is not None
            covered[name].append(own.low <= truth[name] <= own.high)
            errors[name].append(own.value - truth[name])
            widths[name].append(own.high - own.low)
    coverage, bias, width = (
        {name: float(np.mean(values[name])) for name in CORRELATIONS} for values in (covered, errors, widths)
    )
    return Cell(planted, truth, coverage, bias, width)


def table(cells: list[Cell]) -> str:
    """A Markdown table: a row for each cell, for each correlation its truth, coverage, mean error and width."""
    names = ("Kendall τ", "Spearman ρ", "Pearson r")
    lines = [
        "| M | strength | reliability | " + " | ".join(f"{name}: covers (true, error, width)" for name in names) + " |"
    ]
    lines.append("| --- " * (3 + len(names)) + "|")
    for of in cells:
        figures = [
            f"{of.coverage[name]:.1%} ({of.truth[name]:.2f}, {of.bias[name]:+.2f}, {of.width[name]:.2f})"
            for name in CORRELATIONS
        ]
        lines.append(f"| {of.planted.M} | {of.planted.strength} | {of.planted.reliability} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/outcomes.md")
    arguments = parser.parse_args()
    grid = [
        PlantedOutcomes(M=M, strength=strength, reliability=reliability)
        for M, strength, reliability in product(MODELS, STRENGTHS, RELIABILITIES)
    ]
    with ProcessPoolExecutor(2) as pool:
        text = table(list(pool.map(cell, grid)))
    print(text)
    if arguments.write:
        PAGE.write_text(_PLACE.sub(lambda found: f"{found[1]}{text}\n{found[2]}", PAGE.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
