"""(prompt, response) texts, and batches of them for the trunk: sorted by length of prompt, each prompt in one batch."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import polars as pl

from pipeline.runs import RunDirectory
from warehouse.schema import PARAPHRASE

Text = tuple[str, str]
"""(prompt, response)."""

BATCH_TEXTS = 48  # larger batches are no faster and need more memory for activations


def of_pairs(pairs: pl.DataFrame) -> list[Text]:
    """The texts of rows of table `preference`: all chosen ones, then all rejected ones."""
    return [text for side in ("chosen", "rejected") for text in pairs.select("prompt", side).iter_rows()]


def answered(run: RunDirectory, stage: str) -> pl.DataFrame:
    """The responses that a stage sampled, with `prompt`, the text they answer, and the prompt's `split`."""
    answered_text = pl.when(prompt_form=PARAPHRASE).then("paraphrase").otherwise("original")
    prompts = run.read("prompt").select("prompt_id", "split", "paraphrase", original="text")
    return run.read("response", stage).join(prompts, on="prompt_id").with_columns(prompt=answered_text)


def batches(texts: Iterable[Text], size: int = BATCH_TEXTS) -> list[list[Text]]:
    """The distinct texts in batches of about `size`; the same texts always give the same batches."""
    ordered = sorted(set(texts), key=lambda text: (len(text[0]), text[0], len(text[1]), text[1]))
    filled: list[list[Text]] = []
    for _, group in groupby(ordered, key=lambda text: text[0]):
        of_prompt = list(group)
        if not filled or len(filled[-1]) + len(of_prompt) > size:
            filled.append([])
        filled[-1] += of_prompt
    return filled
