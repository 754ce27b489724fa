"""Rollouts: responses sampled from a policy, with the frozen trunk's outputs that the sampler came by on the way.

So nothing below the trained blocks is run twice: log-probabilities, values, KL and reward model scores are all had from
these outputs by running the top blocks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.policy import SamplingDecoder
from pipeline.models.reading import Reading
from pipeline.models.sampler import Trace, decode
from pipeline.models.trunk import Features, depth


@dataclass(frozen=True)
class Rollout:
    """B responses.

    `features`: trunk outputs of prompt and response up to its end token; a response that was cut off is closed with
    one, as reward models read it. `deeper`: the same of deeper trunks, by their number of top blocks.
    `prompts_B`: which prompt, `starts_B`: its tokens. `tokens_BT`: sampled tokens,
    `lengths_B` of them real, the end token counted; `finished_B`: it ended by itself.
    """

    features: Features
    prompts_B: Tensor
    starts_B: Tensor
    tokens_BT: Tensor
    lengths_B: Tensor
    finished_B: Tensor
    texts: tuple[str, ...]
    deeper: Mapping[int, Features]

    def __len__(self) -> int:
        return len(self.starts_B)

    @property
    def shape(self) -> torch.Size:
        """`[B, T]`"""
        return self.tokens_BT.shape

    def mask(self, rows: Tensor | None = None) -> Tensor:
        """Which of the tokens `[rows, T]` are real; of all rows, if none are named."""
        lengths = self.lengths_B if rows is None else self.lengths_B[rows]
        return torch.arange(self.shape[1]) < lengths[:, None]

    def is_of_text(self, language_model: LanguageModel) -> list[bool]:
        """Of each response, whether its text, cut into tokens again, gives the tokens that `features` are of."""
        return [
            language_model.response_ids(text) == [*ids[:length], *(() if finished else (language_model.end_id,))]
            for text, ids, length, finished in zip(
                self.texts, self.tokens_BT.tolist(), self.lengths_B.tolist(), self.finished_B.tolist(), strict=True
            )
        ]

    def reading(self, language_model: LanguageModel, rows: Tensor, layers: int | None = None) -> Reading:
        """These rows for the top blocks; `layers`: for so many, if that is one of the `deeper`."""
        of_rows = (part[rows].tolist() for part in (self.prompts_B, self.starts_B, self.lengths_B))
        features = self.features if layers is None else self.deeper.get(layers, self.features)
        return Reading.of(language_model, features, rows.tolist(), *of_rows)

    def spread(self, rows: Tensor, values_N: Tensor) -> Tensor:
        """Values of the real tokens of these rows, back as `[rows, T]`, 0 elsewhere; on the CPU."""
        mask = self.mask(rows)
        return torch.zeros(mask.shape).masked_scatter(mask, values_N.float().cpu())

    def tokens(self, rows: Tensor) -> Tensor:
        """The real tokens `[N]` of these rows, row after row."""
        return self.tokens_BT[rows][self.mask(rows)]


@torch.no_grad()
def roll_out(
    language_model: LanguageModel,
    sampling: SamplingDecoder,
    states: PromptStates,
    prompts: Sequence[str],
    temperature: float,
    max_new_tokens: int,
    seed: int,
    deeper: bool = False,
) -> Rollout:
    """One response to each prompt, all in one batch; equal prompts share their prefix.

    `deeper`: whether what the deeper trunks of `states` give is wanted too.
    """
    distinct = list(dict.fromkeys(prompts))
    place = {prompt: index for index, prompt in enumerate(distinct)}
    of_prompts = states.of([language_model.prompt_ids(prompt) for prompt in distinct])
    device = language_model.device
    rows = torch.tensor([place[prompt] for prompt in prompts], device=device)
    B, T = len(prompts), max_new_tokens
    kept = states.deeper if deeper else ()
    blocks = [sampling.first_trained, *(language_model.base.layers[depth(language_model, layers)] for layers in kept)]
    trace = Trace(blocks, B, T + 1, language_model.hidden_size)
    try:
        prefix = states.prefix(sampling, of_prompts, T + 1)
        lengths_U = prefix.lengths_U
        hidden_BD = prefix.hidden_UTD[rows, lengths_U[rows] - 1]
        prefix.expand(rows)
        temperatures_B = torch.full((B,), temperature, device=device)
        uniform_BT = torch.rand(B, T, generator=torch.Generator().manual_seed(seed)).to(device)
        drawn = decode(language_model, sampling.decoder, prefix, hidden_BD, temperatures_B, uniform_BT, trace)
    finally:
        trace.close()
    starts_B, lengths_B = lengths_U[rows].cpu(), drawn.lengths_B.cpu()
    read_B = lengths_B + ~drawn.finished_B.cpu()
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), (starts_B + read_B).cumsum(0)])
    outputs = [(state.outputs_SD, *state.deeper_SD) for state in of_prompts]
    features, *of_deeper = (
        Features(
            torch.cat(
                [
                    piece
                    for row, place in enumerate(rows.tolist())
                    for piece in (outputs[place][number], states_BSD[row, : read_B[row]])
                ]
            ).cpu(),
            offsets,
        )
        for number, states_BSD in enumerate(trace.states_BSD)
    )
    tokens_BT = drawn.tokens_BT.cpu()
    return Rollout(
        features,
        rows.cpu(),
        starts_B,
        tokens_BT,
        lengths_B,
        drawn.finished_B.cpu(),
        tuple(language_model.decode(row[:length]) for row, length in zip(tokens_BT.tolist(), lengths_B, strict=True)),
        dict(zip(kept, of_deeper, strict=True)),
    )
