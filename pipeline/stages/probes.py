"""Part of stage 7: some of the initial policy's responses are edited in five ways, to be scored like all others.

Of at most `MOST_PROMPTS` RM-test prompts, evenly from the categories, the first response that ended by itself is
edited (`pipeline/scoring/edits.py`). The edited responses are those of policies such as `probe-padding`, with the
number of the response that was edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from pipeline.context import Context, Parts
from pipeline.scoring.edits import can_be_edited, edited
from pipeline.stages.prompts import evenly
from pipeline.stages.responses import PlannedResponse, write_policies
from warehouse.schema import EDITS, INITIAL, ORIGINAL, PROBES

STAGE, UNIT = "scores", "probes"
MOST_PROMPTS = 96


def parts(context: Context) -> Parts:
    """One part."""
    run = context.run
    originals = chosen(run.read("prompt"), run.read("response", "test_responses"))
    total = len(EDITS) * originals.height if context.config.test.probes else 0

    def make(unit: str) -> None:
        write_policies(context, STAGE, unit, [{"policy_id": policy_id} for policy_id in PROBES.values()])
        run.write_rows("response", STAGE, unit, _rows(context, originals))  # last: it marks the part as made
        context.progress.advance(total)

    missing = {UNIT: total} if total and not run.has_part("response", STAGE, UNIT) else {}
    return Parts(total, "edited responses", missing, make, lambda: context.base_model)


def chosen(prompts: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """The responses to edit, with `number`, the place of their prompts: rows of table `response`, by prompt.

    Each category gives the same number of prompts, as long as it has some, and each of its subsets in turn.
    """
    first = (
        responses.filter(policy_id=INITIAL, prompt_form=ORIGINAL, finished=True)
        .filter(pl.col("text").map_elements(can_be_edited, return_dtype=pl.Boolean()))
        .join(prompts.filter(split="rm_test").select("prompt_id", "category", "subset"), on="prompt_id")
        .sort("prompt_id", "sample")
        .unique("prompt_id", keep="first", maintain_order=True)
    )
    return (
        evenly(first)
        .sort(pl.int_range(pl.len()).over("category"), maintain_order=True)
        .head(MOST_PROMPTS)
        .sort("prompt_id")
        .drop("category", "subset")
        .with_row_index("number")
    )


def _rows(context: Context, originals: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of table `response`; the tokens of an unfinished response are without the end token."""
    for original in originals.iter_rows(named=True):
        for edit, text in edited(original["text"], original["number"]).items():
            plan = PlannedResponse(PROBES[edit], original["prompt_id"], "", temperature=0.0, sample=original["sample"])
            finished = edit != "unfinished"
            yield plan.row(text, len(context.base_model.response_ids(text)) - (not finished), finished)
