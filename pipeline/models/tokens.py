"""Texts whose trunk outputs are made whenever they are asked for: `Features` of which nothing is kept.

For reward models that train all layers: below them there is only the token embedding, whose outputs would take some
hundred times the room of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel, pad_right
from pipeline.models.trunk import trunk_of
from pipeline.texts import Text


class Tokens:
    """(prompt, response) texts by their numbers, for reward models that train the top `trainable_layers` blocks.

    `at_once`: how many of them are scored together where nothing is learnt.
    """

    def __init__(
        self, language_model: LanguageModel, trainable_layers: int, texts: Sequence[Text], at_once: int
    ) -> None:
        self._language_model = language_model
        self._trunk = trunk_of(language_model, trainable_layers)
        self._texts = texts
        self.at_once = at_once

    def __len__(self) -> int:
        return len(self._texts)

    @torch.no_grad()
    def padded(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Trunk outputs of the chosen texts, `[texts, longest, hidden]`, padded on the right, and their lengths."""
        rows = [self._ids(self._texts[text]) for text in texts.tolist()]
        tokens_BT, lengths_B = pad_right(rows, max(map(len, rows)), self._language_model.device)
        hidden_BTD: Tensor = self._trunk(input_ids=tokens_BT, use_cache=False).last_hidden_state
        return hidden_BTD, lengths_B

    def _ids(self, text: Text) -> list[int]:
        prompt, response = text
        return [*self._language_model.prompt_ids(prompt), *self._language_model.response_ids(response)]
