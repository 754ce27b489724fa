"""The frozen trunk that all reward models share: it reads each text once, whatever their number and depths.

With `trainable_layers = k` the trunk is everything below the top k blocks. At k = 0 a reward model needs one vector per
text, the decoder's output at the last token; above that, the trunk's output at every token. Reward models, policies
and critics train copies of the blocks above it (`copied_top`). With `trainable_layers = -1` the trunk is the token
embedding alone: its outputs would take some hundred times the memory of the text, and are computed on demand
(`Tokens`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel, distinct
from pipeline.models.performance.packing import pad_right
from pipeline.scoring.texts import Text


@dataclass(frozen=True)
class Features:
    """Trunk outputs of texts end to end: text i is rows `offsets[i]` to `offsets[i + 1]` of `values [rows, hidden]`."""

    values: Tensor
    offsets: Tensor
    at_once: ClassVar[int] = 256
    """Texts that are scored together."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        return self.offsets.diff()

    def padded(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen texts, `[texts, longest, hidden]`, padded with zeros on the right, and their lengths `[texts]`."""
        lengths = self.lengths[texts]
        columns = torch.arange(int(lengths.max()))
        rows = (self.offsets[texts][:, None] + columns).clamp(max=len(self.values) - 1)
        return self.values[rows] * (columns < lengths[:, None])[..., None], lengths


class Tokens:
    """(prompt, response) texts in the place of `Features`, whose trunk outputs are computed on demand and not stored.

    `at_once`: how many texts are scored together outside training.
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
        model, chosen = self._language_model, [self._texts[text] for text in texts.tolist()]
        rows = [[*model.prompt_ids(prompt), *model.response_ids(response)] for prompt, response in chosen]
        tokens_BT, lengths_B = pad_right(rows, model.device)
        hidden_BTD: Tensor = self._trunk(input_ids=tokens_BT, use_cache=False).last_hidden_state
        return hidden_BTD, lengths_B


def depth(language_model: LanguageModel, trainable_layers: int) -> int:
    """How many blocks belong to the trunk; -1 trains all of them."""
    if trainable_layers < 0:
        return 0
    return max(0, language_model.layers - trainable_layers)


def shared_layers(language_model: LanguageModel, *trainable_layers: int) -> int:
    """Number of top blocks above the trunk that models of these depths share; -1: all."""
    below = min(depth(language_model, layers) for layers in trainable_layers)
    return language_model.layers - below if below else -1


def trunk_of(language_model: LanguageModel, trainable_layers: int) -> Any:
    """The frozen part of the decoder; it shares its weights with the language model."""
    if trainable_layers == 0:
        return language_model.frozen_base
    below = depth(language_model, trainable_layers)
    trunk = blocks(language_model.frozen_base if below else language_model.base, 0, below)
    trunk.norm = nn.Identity()
    return trunk


def blocks(decoder: Any, start: int, stop: int | None = None) -> Any:
    """A decoder made of some of the decoder's own blocks, which are shared, not copied."""
    part = shallow(decoder)
    part.layers = decoder.layers[start:stop]
    kinds = getattr(decoder.config, "layer_types", None)
    if kinds is not None and start:  # a block looks up its kind of attention by its number
        part.config = copy.copy(decoder.config)
        part.config.layer_types = kinds[start:stop]
    return part


def shallow(module: nn.Module) -> Any:
    """A module with the same submodules, which can be replaced without changing the original."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def copied_top(language_model: LanguageModel, layers: int) -> Any:
    """A decoder of the top `layers` blocks (-1: all) and the final norm, copied and trainable.

    Weights are float32, as small steps vanish in bfloat16; the blocks compute in the trunk's precision (`run_top`).
    """
    trunk_depth = depth(language_model, layers)
    top = blocks(language_model.base, trunk_depth)
    top.layers = copy.deepcopy(top.layers).float().requires_grad_(True)
    for index, layer in enumerate(top.layers):
        layer.self_attn.layer_idx = index
    top.norm = copy.deepcopy(language_model.base.norm).float().requires_grad_(True)
    top.embed_tokens = nn.Identity()  # never called: the top is given hidden states
    return top


def run_top(top: Any, hidden_BTD: Tensor, **layout: Any) -> Tensor:
    """Outputs `[B, T, D]` of top blocks for trunk outputs `[B, T, D]`, on the device of the top.

    Texts are padded on the right, unless `layout`, further arguments of the decoder, packs them (`packing.TextBatch`).
    """
    device = top.norm.weight.device
    with torch.autocast(device.type, torch.bfloat16, enabled=hidden_BTD.dtype == torch.bfloat16):
        output_BTD: Tensor = top(
            inputs_embeds=hidden_BTD.to(device), **{"use_cache": False, **layout}
        ).last_hidden_state
    return output_BTD


@torch.no_grad()
def trunk_features(
    language_model: LanguageModel, trainable_layers: Collection[int], texts: Sequence[tuple[str, str]]
) -> dict[int, Features]:
    """Features of (prompt, response) texts for reward models of several depths, by their `trainable_layers`.

    One pass serves all depths, and shared prompts are read once. Runs as one batch: give texts of similar length, at
    most some hundreds at a time.
    """
    deepest = max(trainable_layers, key=lambda layers: depth(language_model, layers))
    trunk = trunk_of(language_model, deepest)
    taps = {depth(language_model, layers) for layers in trainable_layers if layers != 0}
    prompts, places = distinct(prompt for prompt, _ in texts)
    batch = language_model.text_batch(
        [language_model.prompt_ids(prompt) for prompt in prompts],
        [language_model.response_ids(response) for _, response in texts],
        places,
    )
    with tapped(trunk, taps) as seen:
        final = trunk(**batch.inputs).last_hidden_state
    features = {}
    for layers in trainable_layers:
        if layers == 0:
            last = batch.index[batch.offsets[1:].to(batch.index.device) - 1]
            features[layers] = Features(final.flatten(0, 1)[last].cpu(), torch.arange(len(texts) + 1))
        else:
            values = seen[depth(language_model, layers)].flatten(0, 1)[batch.index]
            features[layers] = Features(values.cpu(), batch.offsets)
    return features


@contextmanager
def tapped(trunk: Any, depths: Collection[int]) -> Iterator[dict[int, Tensor]]:
    """While open, every call of the decoder stores the output of its lowest d blocks as `seen[d]`, for each depth d."""
    seen: dict[int, Tensor] = {}
    hooks = []
    for number in depths:
        # the input of a block, or of the norm after the last one, is the output of the blocks below it
        above = trunk.layers[number] if number < len(trunk.layers) else trunk.norm
        store = partial(seen.__setitem__, number)
        hooks.append(above.register_forward_pre_hook(lambda _, inputs, store=store: store(inputs[0])))
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
        tensors[f"offsets.{layers}"] = of_depth.offsets.clone()  # depths share them, safetensors' files do not
    save_file(tensors, path)


def depths_in(path: Path) -> set[int]:
    """The depths, as `trainable_layers`, whose features the file has; empty if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return {int(name.removeprefix("values.")) for name in file.keys() if name.startswith("values.")}  # noqa: SIM118
    except (OSError, SafetensorError):
        return set()


def load_features(paths: Sequence[Path], trainable_layers: int) -> Features:
    """The features of one depth from several files, end to end."""
    values, lengths = [], [torch.zeros(1, dtype=torch.long)]
    for path in paths:
        with safe_open(path, framework="pt") as file:
            values.append(file.get_tensor(f"values.{trainable_layers}"))
            lengths.append(file.get_tensor(f"offsets.{trainable_layers}").diff())
    return Features(torch.cat(values), torch.cat(lengths).cumsum(0))


@dataclass(frozen=True)
class Reading:
    """Texts as the top blocks read them: every distinct token once, where the model can.

    `hidden`: the trunk's outputs; `layout`: how texts lie in them (`packing.TextBatch`). In the blocks' outputs, with
    their first two axes as one, `predicting_N` are those that predict the responses' sampled tokens, text after text,
    and `last_B` those of each text's last token.
    """

    hidden: Tensor
    layout: dict[str, Any]
    predicting_N: Tensor
    last_B: Tensor

    def through(self, top: Any) -> Tensor:
        """Outputs of top blocks, `[N, D]`."""
        return run_top(top, self.hidden, **self.layout).flatten(0, 1)
