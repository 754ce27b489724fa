"""The frozen trunk that all reward models share: run once per text, whatever their number and their depths.

With `trainable_layers = k` the trunk is everything below the top k blocks. At k = 0 what a reward model needs of a text
is one vector, the decoder's output at the last token; above that it is the trunk's output at every token.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
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
def trunk_features(
    language_model: LanguageModel, trainable_layers: Collection[int], texts: Sequence[tuple[str, str]]
) -> dict[int, Features]:
    """Features of (prompt, response) texts for reward models of several depths, by their `trainable_layers`.

    One pass over the texts, whatever the number of depths; texts with the same prompt share the work on it. Runs as one
    batch: give texts of like length, some hundreds at a time.
    """
    deepest = max(trainable_layers, key=lambda layers: depth(language_model, layers))
    trunk = trunk_of(language_model, deepest)
    taps = {depth(language_model, layers) for layers in trainable_layers if layers != 0}
    distinct = list(dict.fromkeys(prompt for prompt, _ in texts))
    place = {prompt: index for index, prompt in enumerate(distinct)}
    rows = torch.tensor([place[prompt] for prompt, _ in texts], device=language_model.device)
    prompts = [language_model.prompt_ids(prompt) for prompt in distinct]
    responses = [language_model.response_ids(response) for _, response in texts]
    with _tapped(trunk, taps) as seen:
        final_BTD, lengths_B = _run(language_model, trunk, prompts, responses, rows)
    found = {}
    for layers in trainable_layers:
        if layers == 0:
            values = final_BTD[torch.arange(len(texts), device=final_BTD.device), lengths_B - 1]
            found[layers] = Features(values.cpu(), torch.arange(len(texts) + 1))
        else:
            prompt_UTD, response_BTD = seen[depth(language_model, layers)]
            pieces = [
                piece
                for text, row in enumerate(rows.tolist())
                for piece in (prompt_UTD[row, : len(prompts[row])], response_BTD[text, : len(responses[text])])
            ]
            sizes = [len(prompts[row]) + len(response) for row, response in zip(rows.tolist(), responses, strict=True)]
            found[layers] = Features(torch.cat(pieces).cpu(), torch.tensor([0, *sizes]).cumsum(0))
    return found


def _run(
    language_model: LanguageModel,
    trunk: Any,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    rows: Tensor,
) -> tuple[Tensor, Tensor]:
    """The trunk's output at the responses' tokens `[texts, longest, hidden]`, and the responses' lengths `[texts]`.

    Response i continues prompt `rows[i]`; the trunk is called twice, for the prompts and for the responses.
    """
    device = language_model.device
    room = max(len(ids) for ids in responses)
    prefix = run_prefix(trunk, prompts, room, device)
    prefix.expand(rows)
    tokens_BT, lengths_B = pad_right(responses, room, device)
    columns = torch.arange(room, device=device)
    causal_TT = columns[:, None] >= columns
    mask_BTS = prefix.mask(room)[:, None, :].repeat(1, room, 1)
    mask_BTS[:, :, prefix.width :] = causal_TT
    output = trunk(
        input_ids=tokens_BT,
        position_ids=prefix.lengths_U[:, None] + columns,
        attention_mask=mask_BTS[:, None],
        past_key_values=prefix.cache,
        use_cache=True,
    )
    return output.last_hidden_state, lengths_B


@contextmanager
def _tapped(trunk: Any, depths: Collection[int]) -> Iterator[dict[int, list[Tensor]]]:
    """While it is open, every call of the trunk adds what leaves its first so many blocks to their list."""
    seen: dict[int, list[Tensor]] = {blocks: [] for blocks in depths}
    hooks = []
    for blocks, outputs in seen.items():
        # what enters a block, or the norm after the last one, is what left the blocks below it
        above = trunk.layers[blocks] if blocks < len(trunk.layers) else trunk.norm
        hooks.append(above.register_forward_pre_hook(lambda _, entering, outputs=outputs: outputs.append(entering[0])))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def save_features(features: Mapping[int, Features], path: Path) -> None:
    """Write the features of every depth into one safetensors file."""
    tensors = {}
    for layers, of_depth in features.items():
        tensors[f"values.{layers}"] = of_depth.values.contiguous()
        tensors[f"offsets.{layers}"] = of_depth.offsets
    save_file(tensors, path)


def load_features(paths: Sequence[Path], trainable_layers: int) -> Features:
    """The features of one depth from several files, end to end."""
    parts = []
    for path in paths:
        with safe_open(path, framework="pt") as file:
            parts.append(Features(*(file.get_tensor(f"{name}.{trainable_layers}") for name in ("values", "offsets"))))
    return Features.concatenate(parts)
