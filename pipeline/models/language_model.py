"""A causal language model with its tokenizer: the initial policy, and the trunk that reward models share.

What a model sees of a prompt is decided here alone: its own chat template with the prompt as the user's turn.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pipeline.config import EMBEDDED_MODEL
from pipeline.errors import ModelUnavailable
from pipeline.models.embedded import provision
from pipeline.models.performance.kv_cache import ATTENTION, PreallocatedCache
from pipeline.models.performance.packing import TextBatch, packs


class LanguageModel:
    """A loaded decoder; `name` is what the profile calls it."""

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.device: torch.device = model.device

    @property
    def base(self) -> Any:
        """The decoder without its language-model head."""
        return self.model.get_decoder()

    @property
    def layers(self) -> int:
        return int(self.model.config.num_hidden_layers)

    @property
    def hidden_size(self) -> int:
        return int(self.model.config.hidden_size)

    @property
    def end_id(self) -> int:
        """The token that ends a turn; it closes every text that a reward model scores."""
        return int(self.tokenizer.eos_token_id)

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens at which sampling stops."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return tuple({self.end_id, *(int(token) for token in ids if token is not None)})

    def prompt_ids(self, prompt: str, system_prompt: str | None = None) -> list[int]:
        """Token ids of the prompt up to where the response starts; None: the template's own system prompt."""
        text = self.prompt_text(prompt, system_prompt)
        return list(self.tokenizer(text, add_special_tokens=self.tokenizer.chat_template is None)["input_ids"])

    def prompt_text(self, prompt: str, system_prompt: str | None = None) -> str:
        """The prompt in the model's chat template up to where the response starts, before it is cut into tokens."""
        if self.tokenizer.chat_template is None:
            return f"{system_prompt}\n\n{prompt}\n" if system_prompt else f"{prompt}\n"
        user = {"role": "user", "content": prompt}
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        try:
            return self._render([*system, user])
        except TemplateError:  # a template without a system turn
            return self._render([{"role": "user", "content": f"{system_prompt}\n\n{prompt}"}])

    def response_ids(self, response: str) -> list[int]:
        """Token ids of a response as reward models see it: its text, then the end of the turn."""
        return [*self.tokenizer(response, add_special_tokens=False)["input_ids"], self.end_id]

    def text_batch(
        self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], rows: Sequence[int]
    ) -> TextBatch:
        """Texts, response i after prompt `rows[i]`, as token ids for the decoder: packed, if it can read them so."""
        longest = max(len(prompts[row]) + len(ids) for row, ids in zip(rows, responses, strict=True))
        window = getattr(self.model.config, "sliding_window", None)
        packed = self._packs and (window is None or longest <= window)
        make = TextBatch.packed if packed else TextBatch.padded
        return make(prompts, responses, rows, self.base.get_input_embeddings().weight)

    @cached_property
    def _packs(self) -> bool:
        prompts = [self.prompt_ids(prompt) for prompt in ("Name a colour.", "What is the capital of France?")]
        responses = [self.response_ids(response) for response in ("It is Paris.", "Blue", "I do not know that.")]
        return packs(self.base, prompts, responses, [1, 0, 1])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of a response without special tokens and outer white space."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _render(self, messages: list[dict[str, str]]) -> str:
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def model_source(name: str) -> str:
    """Where a model's files are: the folder of the embedded model, else the name itself, a folder or a hub id."""
    return str(provision()) if name == EMBEDDED_MODEL else name


def load(
    name: str, threads: int = 0, dtype: torch.dtype = torch.bfloat16, device: torch.device | str | None = None
) -> LanguageModel:
    """Load the embedded model, a local folder or a hub id, on a device (None: the GPU if there is one).

    Safetensors only and no remote code. `threads` is torch's number of threads; 0 leaves it as it is.
    Raises ModelUnavailable if there is no such model.
    """
    if threads:
        torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    folder = model_source(name)
    options = {"dtype": dtype, "attn_implementation": ATTENTION, "use_safetensors": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, **options)
    except (OSError, ValueError) as error:
        kind = "folder" if Path(folder).exists() else "hub id"
        raise ModelUnavailable(
            f"model {name!r} cannot be loaded as a {kind} ({str(error).splitlines()[0]}); give a local Hugging Face "
            f"folder with safetensors, a hub id that is reachable, or {EMBEDDED_MODEL!r}"
        ) from error
    lacks = [part for part in ("layers", "norm") if not hasattr(model.get_decoder(), part)]
    if lacks:
        raise ModelUnavailable(
            f"model {name!r}, a {model.config.model_type} model, has no {' and no '.join(lacks)} in its decoder, which "
            "is cut in two there; give one that is laid out as Llama, Qwen, Mistral, Gemma, Phi-3 or OLMo-2 are"
        )
    model.requires_grad_(False)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return LanguageModel(name, model.eval().to(device), tokenizer)


@dataclass
class Prefix:
    """Prompts run once through a decoder, for any number of continuations.

    `cache` holds `width` positions a row, the first `lengths_U` of which are real (the rest is padding, on the right);
    `hidden_UTD` are the decoder's outputs at all of them.
    """

    cache: PreallocatedCache
    width: int
    lengths_U: Tensor
    hidden_UTD: Tensor

    def expand(self, rows: Tensor) -> None:
        """Give every continuation its own row: row i continues prompt `rows[i]`."""
        self.cache.select(rows)
        self.lengths_U = self.lengths_U[rows]

    def mask(self, columns: int) -> Tensor:
        """What to add to the scores of a row's newest token, the last of `columns`: `[rows, 1, 1, positions]`.

        It is 0 for its prompt and the columns, and −∞ for padding and the part of the cache that is not written yet.
        """
        positions = torch.arange(self.cache.positions, device=self.lengths_U.device)
        written = (positions >= self.width) & (positions < self.width + columns)
        seen = (positions < self.lengths_U[:, None]) | written
        added = torch.zeros(seen.shape, dtype=self.hidden_UTD.dtype, device=seen.device).masked_fill_(~seen, -torch.inf)
        return added[:, None, None]


def run_prefix(decoder: Any, prompts: Sequence[Sequence[int]], room: int, device: torch.device) -> Prefix:
    """Run prompts (token ids) through a decoder, leaving `room` further positions in the cache.

    Padding is on the right, so that no position is without something to attend to.
    """
    width = max(len(ids) for ids in prompts)
    tokens_UT, lengths_U = pad_right(prompts, width, device)
    cache = PreallocatedCache(len(decoder.layers), width + room)
    hidden_UTD = decoder(input_ids=tokens_UT, past_key_values=cache, use_cache=True).last_hidden_state
    return Prefix(cache, width, lengths_U, hidden_UTD)


def pad_right(rows: Sequence[Sequence[int]], width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids as one `[rows, width]` tensor, padded with 0 on the right, and the lengths `[rows]`."""
    tokens = torch.zeros(len(rows), width, dtype=torch.long)
    for index, ids in enumerate(rows):
        tokens[index, : len(ids)] = torch.tensor(ids)
    return tokens.to(device), torch.tensor([len(ids) for ids in rows], device=device)


def load_fine_tuned(folder: Path, base: LanguageModel, threads: int = 0) -> LanguageModel:
    """The weights in a Hugging Face folder with the base's tokenizer and stop tokens, so that it sees what π_0 sees.

    Raises ModelUnavailable if they cannot be loaded.
    """
    model = load(str(folder), threads).model
    model.generation_config = base.model.generation_config
    return LanguageModel(str(folder), model, base.tokenizer)


def free_memory() -> None:
    """Give back what nothing refers to any more, on a GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
