"""Rollouts: responses sampled from a policy, with the frozen trunk's outputs that were computed while sampling.

Nothing below the trained blocks runs twice: log-probabilities, values, KL and reward model scores are computed from
these outputs by the top blocks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel, distinct
from pipeline.models.sampler import decode
from pipeline.models.trunk import Features, Reading, depth, tapped, trunk_features
from pipeline.scoring.texts import Text, batches

if TYPE_CHECKING:
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.policy import SamplingDecoder


@dataclass(frozen=True)
class Rollout:
    """B responses.

    `features`: trunk outputs of prompt and response up to its end token; a cut-off response is closed with one, as
    reward models read it. `deeper`: the same for deeper trunks, by their number of top blocks. `prompts_B`: the number
    of the prompt, `starts_B`: its length in tokens. `tokens_BT`: sampled tokens, `lengths_B` of them real, end token
    included; `finished_B`: it ended by itself.
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
        """Which of the tokens `[rows, T]` are real; by default of all rows."""
        lengths = self.lengths_B if rows is None else self.lengths_B[rows]
        return torch.arange(self.shape[1]) < lengths[:, None]

    def is_of_text(self, language_model: LanguageModel) -> list[bool]:
        """For each response, whether its text, tokenised again, gives the tokens that `features` were computed from."""
        return [
            language_model.response_ids(text) == [*ids[:length], *(() if finished else (language_model.end_id,))]
            for text, ids, length, finished in zip(
                self.texts, self.tokens_BT.tolist(), self.lengths_B.tolist(), self.finished_B.tolist(), strict=True
            )
        ]

    def reading(self, language_model: LanguageModel, rows: Tensor, layers: int | None = None) -> Reading:
        """These rows `[rows]` for the top blocks; `layers` chooses one of the `deeper` trunks.

        Shared prompts are read once.
        """
        features = self.features if layers is None else self.deeper.get(layers, self.features)
        begins, ends = features.offsets[:-1][rows].tolist(), features.offsets[1:][rows].tolist()
        starts, lengths = self.starts_B[rows].tolist(), self.lengths_B[rows].tolist()
        prompts, places = distinct(self.prompts_B[rows].tolist())
        firsts = [places.index(place) for place in range(len(prompts))]
        batch = language_model.text_batch(  # of row numbers of the features, in the place of token ids
            [range(begins[row], begins[row] + starts[row]) for row in firsts],
            [range(begin + start, end) for begin, start, end in zip(begins, starts, ends, strict=True)],
            places,
        )
        layout = dict(batch.inputs)
        hidden = features.values[layout.pop("input_ids").cpu()]
        predicting = [
            torch.arange(begin + start - 1, begin + start - 1 + length)
            for begin, start, length in zip(batch.offsets[:-1].tolist(), starts, lengths, strict=True)
        ]
        return Reading(hidden, layout, batch.index[torch.cat(predicting)], batch.index[batch.offsets[1:] - 1])

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
    *,
    temperature: float,
    max_new_tokens: int,
    seed: int,
    deeper: bool = False,
) -> Rollout:
    """One response to each prompt in one batch; `deeper`: with the outputs of the deeper trunks of `states` too."""
    unique, places = distinct(prompts)
    of_prompts = states.of([language_model.prompt_ids(prompt) for prompt in unique])
    device = language_model.device
    rows_B = torch.tensor(places, device=device)
    layers_read = states.deeper if deeper else ()
    depths = [sampling.trunk_depth, *(depth(language_model, layers) for layers in layers_read)]
    prefix = states.prefix(sampling, of_prompts)
    starts_B = prefix.lengths_U[rows_B].cpu()
    outputs_BSD = [
        prefix.hidden_UTD.new_zeros(len(places), max_new_tokens + 1, language_model.hidden_size) for _ in depths
    ]
    temperatures_B = torch.full((len(places),), temperature, device=device)
    with tapped(sampling.decoder, depths) as seen:

        def keep_trunk_outputs(rows: Tensor, position: int) -> None:
            for outputs, blocks in zip(outputs_BSD, depths, strict=True):
                outputs[rows, position] = seen[blocks][:, 0]

        sampled = decode(
            language_model,
            sampling.decoder,
            prefix,
            rows_B,
            temperatures_B,
            max_new_tokens=max_new_tokens,
            seed=seed,
            on_read=keep_trunk_outputs,
        )
    tokens_BT, lengths_B, finished_B = sampled.tokens_BT.cpu(), sampled.lengths_B.cpu(), sampled.finished_B.cpu()
    read_B = lengths_B + ~finished_B
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), (starts_B + read_B).cumsum(0)])

    def features(number: int) -> Features:
        """Of one trunk: what it gave for the prompt, then for the response, row after row."""
        pieces: list[Tensor] = []
        for row, place in enumerate(places):
            state = of_prompts[place]
            pieces += [(state.outputs_SD, *state.deeper_SD)[number], outputs_BSD[number][row, : read_B[row]]]
        return Features(torch.cat(pieces).cpu(), offsets)

    return Rollout(
        features(0),
        prompts_B=rows_B.cpu(),
        starts_B=starts_B,
        tokens_BT=tokens_BT,
        lengths_B=lengths_B,
        finished_B=finished_B,
        texts=tuple(
            language_model.decode(row[:length]) for row, length in zip(tokens_BT.tolist(), lengths_B, strict=True)
        ),
        deeper={layers: features(1 + number) for number, layers in enumerate(layers_read)},
    )


@torch.no_grad()
def rollout_of_texts(
    language_model: LanguageModel, layers: int, texts: Sequence[Text], finished: Sequence[bool]
) -> Rollout:
    """Stored responses as a rollout: (prompt, response) texts, and which of them ended by themselves.

    Texts are tokenised again; a cut-off one has no end token among its sampled ones.
    """
    prompts, places = distinct(prompt for prompt, _ in texts)
    prompt_ids = [language_model.prompt_ids(prompt) for prompt in prompts]
    response_ids = [language_model.response_ids(response) for _, response in texts]
    finished_B = torch.tensor(finished)
    lengths_B = torch.tensor([len(ids) for ids in response_ids]) - (~finished_B).long()
    tokens_BT = torch.zeros(len(texts), int(lengths_B.max()), dtype=torch.long)
    pieces: dict[Text, Tensor] = {}
    for batch in batches(texts):
        features = trunk_features(language_model, [layers], batch)[layers]
        pieces |= dict(zip(batch, features.values.split(features.lengths.tolist()), strict=True))
    values = [pieces[text] for text in texts]
    for row, ids in enumerate(response_ids):
        tokens_BT[row, : lengths_B[row]] = torch.tensor(ids[: lengths_B[row]])
    offsets = torch.tensor([0, *(len(value) for value in values)]).cumsum(0)
    return Rollout(
        Features(torch.cat(values), offsets),
        prompts_B=torch.tensor(places),
        starts_B=torch.tensor([len(prompt_ids[place]) for place in places]),
        tokens_BT=tokens_BT,
        lengths_B=lengths_B,
        finished_B=finished_B,
        texts=tuple(response for _, response in texts),
        deeper={},
    )
