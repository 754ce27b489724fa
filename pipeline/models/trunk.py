"""The frozen trunk that all reward models share: run once per text, whatever their number.

With `trainable_layers = k` the trunk is everything below the top k blocks. At k = 0 what a reward model needs of a text
is one vector, the decoder's output at the last token; above that it is the trunk's output at every token.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel, pad_right, run_prefix


@dataclass(frozen=True)
class Features:
    """Trunk outputs of texts end to end: text i is rows `offsets[i]` to `offsets[i + 1]` of `values [rows, hidden]`."""

    values: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        return self.offsets.diff()

    def padded(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen texts as `[texts, longest, hidden]`, padded with zeros on the right, and their lengths."""
        lengths = self.lengths[texts]
        columns = torch.arange(int(lengths.max()))
        rows = (self.offsets[texts][:, None] + columns).clamp(max=len(self.values) - 1)
        return self.values[rows] * (columns < lengths[:, None])[..., None], lengths

    @staticmethod
    def concatenate(parts: Sequence[Features]) -> Features:
        lengths = torch.cat([part.lengths for part in parts])
        offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
        return Features(torch.cat([part.values for part in parts]), offsets)


def depth(language_model: LanguageModel, trainable_layers: int) -> int:
    """How many blocks belong to the trunk; -1 trains all of them."""
    if trainable_layers < 0:
        return 0
    return max(0, language_model.layers - trainable_layers)


def trunk_of(language_model: LanguageModel, trainable_layers: int) -> Any:
    """The frozen part of the decoder; it shares its weights with the language model."""
    if trainable_layers == 0:
        return language_model.base
    trunk = shallow(language_model.base)
    trunk.layers = language_model.base.layers[: depth(language_model, trainable_layers)]
    trunk.norm = nn.Identity()
    return trunk


def shallow(module: nn.Module) -> Any:
    """A module with the same submodules, which can be exchanged without touching the original."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


@torch.no_grad()
def trunk_features(language_model: LanguageModel, trainable_layers: int, texts: Sequence[tuple[str, str]]) -> Features:
    """Features of (prompt, response) texts; texts with the same prompt share the work on it.

    Runs as one batch: give texts of like length, some hundreds at a time.
    """
    distinct = list(dict.fromkeys(prompt for prompt, _ in texts))
    place = {prompt: index for index, prompt in enumerate(distinct)}
    responses = [language_model.response_ids(response) for _, response in texts]
    room = max(len(ids) for ids in responses)
    device = language_model.device
    trunk = trunk_of(language_model, trainable_layers)
    prefix = run_prefix(trunk, [language_model.prompt_ids(prompt) for prompt in distinct], room, device)
    rows = torch.tensor([place[prompt] for prompt, _ in texts], device=device)
    prefix.expand(rows)
    tokens_BT, lengths_B = pad_right(responses, room, device)
    columns = torch.arange(room, device=device)
    causal_TT = columns[:, None] >= columns
    mask_BTS = prefix.mask(room)[:, None, :].repeat(1, room, 1)
    mask_BTS[:, :, prefix.width :] = causal_TT
    hidden_BTD = trunk(
        input_ids=tokens_BT,
        position_ids=prefix.lengths_U[:, None] + columns,
        attention_mask=mask_BTS[:, None],
        past_key_values=prefix.cache,
        use_cache=True,
    ).last_hidden_state
    if trainable_layers == 0:
        values = hidden_BTD[torch.arange(len(texts), device=device), lengths_B - 1]
        return Features(values.cpu(), torch.arange(len(texts) + 1))
    pieces, sizes = [], []
    for text, row in enumerate(rows.tolist()):
        pieces.append(prefix.hidden_UTD[row, : prefix.lengths_U[text]])
        pieces.append(hidden_BTD[text, : lengths_B[text]])
        sizes.append(int(prefix.lengths_U[text] + lengths_B[text]))
    offsets = torch.tensor([0, *sizes]).cumsum(0)
    return Features(torch.cat(pieces).cpu(), offsets)


def save_features(features: Features, path: Path) -> None:
    save_file({"values": features.values.contiguous(), "offsets": features.offsets}, path)


def load_features(paths: Sequence[Path]) -> Features:
    """The features of several files, end to end."""
    loaded = [load_file(path) for path in paths]
    return Features.concatenate([Features(part["values"], part["offsets"]) for part in loaded])
