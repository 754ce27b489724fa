"""Whether `righttree choose` keeps its promises, on simulated studies whose truth is computed: docs/choose.md.

    python -m tests.benchmarks.choice.figures [--studies 400] [--write]

prints the table, and with `--write` puts it into the page.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tests.helpers.planted_choice import Choice, calibrated

PAGE = Path(__file__).parents[3] / "docs" / "choose.md"
CHOICES = (
    Choice("all equal", M=8, Q=120),
    Choice("all equal", M=20, Q=500),
    Choice("one better", M=8, Q=120),
    Choice("two best", M=8, Q=120),
    Choice("two best", M=8, Q=40, labels=True),
    Choice("a ladder", M=8, Q=120, labels=True),
    Choice("drawn", M=8, Q=120),
)
_BEGIN, _END = "<!-- calibration: python -m tests.benchmarks.choice.figures --write -->", "<!-- end of calibration -->"


def table(studies: int) -> str:
    """The table in Markdown, with how many studies it is of."""
    lines = [
        f"Of {studies} studies a row; the standard error of 95% is {100 * (0.95 * 0.05 / studies) ** 0.5:.1f} points.",
        "",
        "| reward models | truth | prompts | intervals hold for all at once | own intervals hold "
        "| best in the first group | no false claim | size of the first group | P(A beats B) says / is right |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for choice in CHOICES:
        kept = calibrated(choice, studies)
        golden = "labels" if choice.labels else "scores"
        beats = f"{kept.sure:.2f} / {kept.right:.2f}" if choice.kind == "drawn" else ""
        lines.append(
            f"| {choice.M}, {choice.kind} | {golden} | {choice.Q} | {kept.together:.1%} | {kept.alone:.1%} "
            f"| {kept.best_in_first:.1%} | {kept.no_false_pair:.1%} | {kept.first_group:.1f} | {beats} |"
        )
    return "\n".join(lines)


def written(page: str, text: str) -> str:
    """The page with this table in its place."""
    return re.sub(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", f"{_BEGIN}\n{text}\n{_END}", page, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--write", action="store_true", help="into docs/choose.md")
    arguments = parser.parse_args()
    text = table(arguments.studies)
    print(text)
    if arguments.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
