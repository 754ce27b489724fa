"""What an audit finds of planted faults, and what it flags by mistake: the table in docs/audit.md.

    python -m tests.warehouse.study.audit.power

simulates test sets of 500 items with `tests/helpers/faulty.py` and writes the table between the page's marks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.document import insert
from tests.helpers.faulty import faulty_set
from warehouse.study.audit.audit import audited
from warehouse.study.audit.items import REASONS

PAGE = Path(__file__).parents[4] / "docs" / "audit.md"
MODELS = (5, 10, 20, 50, 100)
SEEDS = 10

_EXACT = ("redundant", "same responses", "undefined")


def row(models: int, seeds: int = SEEDS) -> str:
    """A line of the table: means over simulated test sets of this many reward models."""
    hits, first, mistakes, contrary, without, accuracy, exact = [], [], [], [], [], [], []
    chance, saturated, wrong_verdicts = [], [], []
    for seed in range(seeds):
        faulty = faulty_set(models, seed=seed)
        audit = audited(faulty.cube(), texts=faulty.texts, replicates=20)
        named = {name: set(np.flatnonzero(audit.flags[name]).tolist()) for name in REASONS}
        planted = faulty.faults["suspect label"]
        accuracy.append(audit.right.mean_M.mean())
        first.append(len(set(np.argsort(audit.items.suspect_p_P, kind="stable")[: len(planted)].tolist()) & planted))
        hits.append(len(named["suspect label"] & planted))
        mistakes.append(len(named["suspect label"] - planted))
        contrary.append(len(named["contrary"] - planted))
        exact.append(all(named[name] == faulty.faults[name] for name in _EXACT))
        verdicts = {part.group.subset: part.verdicts for part in audit.subsets}
        chance.append("at chance" in verdicts["noise"])
        saturated.append("saturated" in verdicts["easy"])
        wrong_verdicts.append(bool(verdicts["plain"] or verdicts["hard"]))
        clean = faulty_set(models, seed=seed, flipped=0.0)
        without.append(int(audited(clean.cube(), replicates=20).flags["suspect label"].sum()))
    cells = [
        f"{models}",
        f"{np.mean(accuracy):.2f}",
        f"{np.mean(hits):.1f} of 25",
        f"{np.mean(mistakes):.1f}",
        f"{np.mean(first):.1f} of 25",
        f"{np.mean(without):.1f}",
        f"{np.mean(contrary):.1f}",
        f"{sum(exact)} of {seeds}",
        f"{sum(chance)} of {seeds}",
        f"{sum(saturated)} of {seeds}",
        f"{sum(wrong_verdicts)} of {seeds}",
    ]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The whole table in Markdown."""
    head = (
        "reward models",
        "mean accuracy",
        "flipped labels suspected",
        "others suspected",
        "flipped among the 25 of least p",
        "suspected where no label is flipped",
        "others called contrary",
        "all repeats, equal responses and undefined items named, and no others",
        "noise called at chance",
        "easy called saturated",
        "good subsets called bad",
    )
    lines = [f"| {' | '.join(head)} |", f"|{' --: |' * len(head)}", *(row(models) for models in MODELS)]
    return "\n".join(lines)


def main() -> None:
    insert("power", table(), PAGE)


if __name__ == "__main__":
    main()
