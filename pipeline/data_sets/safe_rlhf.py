"""PKU-SafeRLHF (arXiv 2406.15513), hub id PKU-Alignment/PKU-SafeRLHF, `data/*/train.jsonl`; its `-single-dimension`.

`prompt, response_0, response_1, better_response_id` (helpfulness, or both in one), and `safer_response_id`
(harmlessness) where the two are judged apart. A reward model has one score: pairs on which they disagree are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.pair import Candidate, Pair, Reason, Row, WrongCell


def safe_rlhf(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair, of category Safety."""
    better = _side(row, "better_response_id")
    if row.get("safer_response_id") is not None and _side(row, "safer_response_id") != better:
        yield Reason.LABELS_DISAGREE
    else:
        yield Pair(row["prompt"], row[f"response_{better}"], row[f"response_{1 - better}"], "Safety")


def _side(row: Row, column: str) -> int:
    if row[column] not in (0, 1, "0", "1"):
        raise WrongCell(column, row[column], "0 or 1, the response that was preferred")
    return int(row[column])
