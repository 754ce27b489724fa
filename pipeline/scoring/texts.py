"""(prompt, response) texts, and batches of them for the trunk: by length, each prompt in one batch if it can."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import polars as pl

from pipeline.runs import RunDirectory
from warehouse.schema import PARAPHRASE

Text = tuple[str, str]
"""(prompt, response)."""

_MOST_OF_A_PROMPT = 128
"""Responses to one prompt that are read together: what attention needs grows with their number."""
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
        of_all = list(group)
        for start in range(0, len(of_all), _MOST_OF_A_PROMPT):
            of_prompt = of_all[start : start + _MOST_OF_A_PROMPT]
            if not filled or len(filled[-1]) + len(of_prompt) > size:
                filled.append([])
            filled[-1] += of_prompt
    return filled
