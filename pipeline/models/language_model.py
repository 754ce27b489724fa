"""A causal language model with its tokenizer: the initial policy, and the trunk that reward models share.

Only this module decides how a model sees a prompt: in its own chat template, as the user's turn.
"""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pipeline.config import EMBEDDED_MODEL
from pipeline.errors import ModelUnavailable
from pipeline.models.embedded import provision
from pipeline.models.performance.kv_cache import ATTENTION
from pipeline.models.performance.packed_weights import has_bfloat16_products, packed
from pipeline.models.performance.packing import TextBatch, packs

T = TypeVar("T", bound=Hashable)


class LanguageModel:
    """A loaded causal model with its tokenizer; `name` is its name in the profile.

    `base` is the decoder without the language-model head. The token `end_id` ends a turn, and with it every text that a
    reward model scores.
    """

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name, self.model, self.tokenizer = name, model, tokenizer
        self.base: Any = model.get_decoder()
        self.device: torch.device = model.device
        self.layers = int(model.config.num_hidden_layers)
        self.hidden_size = int(model.config.hidden_size)
        self.end_id = int(tokenizer.eos_token_id)

    @cached_property
    def frozen_base(self) -> Any:
        """`base` for inference, its weights laid out once for all products (`performance.packed_weights`)."""
        return packed(self.base)

    @cached_property
    def frozen_head(self) -> Any:
        """The language-model head for inference, likewise."""
        return packed(self.model.lm_head)

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens at which sampling stops."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return tuple({self.end_id, *(int(token) for token in ids if token is not None)})

    def prompt_ids(self, prompt: str, system_prompt: str | None = None) -> list[int]:
        """Token ids of the prompt up to the start of the response; by default with the template's system prompt."""
        text = self.prompt_text(prompt, system_prompt)
        return list(self.tokenizer(text, add_special_tokens=self.tokenizer.chat_template is None)["input_ids"])

    def prompt_text(self, prompt: str, system_prompt: str | None = None) -> str:
        """The prompt in the model's chat template up to the start of the response, as text."""
        if self.tokenizer.chat_template is None:
            return f"{system_prompt}\n\n{prompt}\n" if system_prompt else f"{prompt}\n"
        render = partial(self.tokenizer.apply_chat_template, tokenize=False, add_generation_prompt=True)
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        try:
            return str(render([*system, {"role": "user", "content": prompt}]))
        except TemplateError:  # a template without a system turn
            return str(render([{"role": "user", "content": f"{system_prompt}\n\n{prompt}"}]))

    def response_ids(self, response: str) -> list[int]:
        """Token ids of a response as reward models see it: its text and the end of the turn."""
        return [*self.tokenizer(response, add_special_tokens=False)["input_ids"], self.end_id]

    def text_batch(
        self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], rows: Sequence[int]
    ) -> TextBatch:
        """A batch of texts (token ids), response i after prompt `rows[i]`, packed if the decoder supports it."""
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
        """The text of a response without special tokens and surrounding white space."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()


def model_source(name: str) -> str:
    """The folder of the embedded model, for any other model its name: a folder or a hub id."""
    return str(provision()) if name == EMBEDDED_MODEL else name


def load(
    name: str, threads: int = 0, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> LanguageModel:
    """Load the embedded model, a local folder or a hub id, by default on the GPU if there is one.

    Safetensors only, no remote code. `threads`: torch's number of threads; 0 does not change it. `dtype`: by default
    that of `precision`. Raises ModelUnavailable if the model does not exist or cannot be used.
    """
    if threads:
        torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    folder = model_source(name)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    options = {"dtype": dtype or precision(device), "attn_implementation": ATTENTION, "use_safetensors": True}
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
            f"model {name!r}, a {model.config.model_type} model, has no {' and no '.join(lacks)} in its decoder, where "
            "it would be split in two; give one with the layout of Llama, Qwen, Mistral, Gemma, Phi-3 or OLMo-2"
        )
    model.requires_grad_(False)
    return LanguageModel(name, model.eval().to(device), tokenizer)


def precision(device: torch.device) -> torch.dtype:
    """bfloat16, or float32 on a processor without AVX-512, where products in bfloat16 take seven times as long."""
    return torch.bfloat16 if device.type != "cpu" or has_bfloat16_products() else torch.float32


def load_fine_tuned(folder: Path, base: LanguageModel, threads: int = 0) -> LanguageModel:
    """The weights in a folder with the tokenizer and stop tokens of its base. Raises ModelUnavailable."""
    model = load(str(folder), threads).model
    model.generation_config = base.model.generation_config
    return LanguageModel(str(folder), model, base.tokenizer)


def distinct(items: Iterable[T]) -> tuple[list[T], list[int]]:
    """The distinct items in the order of their first appearance, and the number of each item among them."""
    items = list(items)
    numbers = {item: number for number, item in enumerate(dict.fromkeys(items))}
    return list(numbers), [numbers[item] for item in items]


def free_memory() -> None:
    """Release memory that nothing refers to any more, on a GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
