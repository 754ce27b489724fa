"""Texts whose trunk outputs are at hand, as top blocks read them: every distinct token once, if the model can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel
from pipeline.models.trunk import Features, run_top


@dataclass(frozen=True)
class Reading:
    """`hidden`: the trunk's outputs; `layout`: how texts lie in them (`packing.TextBatch`).

    Of the blocks' outputs, with their first two axes as one, `predicting_N` are those that predict the responses'
    sampled tokens, text after text, and `last_B` those of each text's last token.
    """

    hidden: Tensor
    layout: dict[str, Any]
    predicting_N: Tensor
    last_B: Tensor

    @classmethod
    def of(
        cls,
        language_model: LanguageModel,
        features: Features,
        texts: Sequence[int],
        prompts: Sequence[int],
        starts: Sequence[int],
        lengths: Sequence[int],
    ) -> Self:
        """Texts by their numbers; for each which prompt it has, of how many tokens, and its sampled tokens.

        Prompts that texts share are read once.
        """
        offsets = features.offsets.tolist()
        first: dict[int, int] = {}
        for number, prompt in enumerate(prompts):
            first.setdefault(prompt, number)
        place = {prompt: number for number, prompt in enumerate(first)}
        batch = language_model.text_batch(  # of rows of the features in the place of tokens
            [range(offsets[texts[number]], offsets[texts[number]] + starts[number]) for number in first.values()],
            [range(offsets[text] + start, offsets[text + 1]) for text, start in zip(texts, starts, strict=True)],
            [place[prompt] for prompt in prompts],
        )
        layout = dict(batch.inputs)
        hidden = features.values[layout.pop("input_ids").cpu()]
        begins, ends = batch.offsets[:-1].tolist(), batch.offsets[1:]
        predicting = [
            torch.arange(begin + start - 1, begin + start - 1 + length)
            for begin, start, length in zip(begins, starts, lengths, strict=True)
        ]
        return cls(hidden, layout, batch.index[torch.cat(predicting)], batch.index[ends - 1])

    def through(self, top: Any) -> Tensor:
        """Outputs of top blocks, `[·, D]`."""
        return run_top(top, self.hidden, **self.layout).flatten(0, 1)
