"""A reward model as a Hugging Face folder for other tools: config, safetensors, tokenizer and chat template.

`AutoModelForSequenceClassification` loads it with one label; OpenRLHF's reward model uses the same names, its head
under `score`. Such a model scores a text at its last token that is not padding. Hence two precautions:

- No text ends with the padding token: where the base pads with the end of a turn, as SmolLM2 does, another special
  token is used.
- The chat template renders a conversation that ends with a response exactly as this project scores it: the prompt as
  the policy sees it, the response, the end of the turn, and nothing more.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from pipeline.errors import ModelUnavailable
from pipeline.models.classifier import templated_ids
from pipeline.models.language_model import LanguageModel
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import depth
from pipeline.scoring.texts import Text

_PADDING = "<|padding|>"
_PROMPT_ALONE = (
    "{% if messages[-1]['role'] == 'assistant' %}"
    "{% set scored = messages[-1]['content'] ~ eos_token %}"
    "{% set messages = messages[:-1] %}"
    "{% set add_generation_prompt = true %}"
    "{% endif %}"
)
_THEN_THE_RESPONSE = "{{ scored | default('') }}"


def save(
    language_model: LanguageModel, reward_model: RewardModel, folder: Path, dtype_name: str, texts: Sequence[Text]
) -> None:
    """Write a reward model and its base into an existing folder, weights in `float32` or `bfloat16`.

    The exported tokenizer is tried on some (prompt, response) `texts`. Raises ModelUnavailable if it tokenises them
    differently, or if transformers has no sequence classifier with a head `score` for the base.
    """
    tokenizer = copy.deepcopy(language_model.tokenizer)
    tokenizer.chat_template = _template(language_model)
    tokenizer.padding_side = "right"
    _check(language_model, tokenizer, texts)
    tokenizer.pad_token = _padding(tokenizer, language_model.end_id)
    config = copy.deepcopy(language_model.model.config)
    config.num_labels = 1
    config.pad_token_id = tokenizer.pad_token_id
    config.dtype = dtype = getattr(torch, dtype_name)
    weights = _weights(language_model, reward_model, tokenizer.pad_token_id + 1)
    config.vocab_size = max(config.vocab_size, tokenizer.pad_token_id + 1)
    model = _empty(config, language_model.name)
    state = {f"{model.base_model_prefix}.{name}": weight.to("cpu", dtype) for name, weight in weights.items()}
    state["score.weight"] = reward_model.head.weight.detach().to("cpu", dtype)
    model.load_state_dict(state, assign=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _empty(config: Any, name: str) -> Any:
    """A classifier of the base's family, without weights."""
    try:
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise ModelUnavailable(
            f"transformers has no sequence classifier for {name!r}, a {config.model_type} model "
            f"({str(error).splitlines()[0]:.120}); export a reward model on another base"
        ) from error
    if not isinstance(getattr(model, "score", None), torch.nn.Linear) or model.score.bias is not None:
        raise ModelUnavailable(
            f"transformers' sequence classifier for {name!r}, a {config.model_type} model, has no head `score` without "
            "bias; export a reward model on another base"
        )
    return model


def _weights(language_model: LanguageModel, reward_model: RewardModel, tokens: int) -> dict[str, Tensor]:
    """The decoder's weights by name, replaced by the reward model's where it has its own.

    The embedding is extended to at least `tokens` tokens; the new one is padding, which no text attends to.
    """
    weights: dict[str, Tensor] = dict(language_model.base.state_dict())
    embedding_VD = language_model.base.get_input_embeddings().weight
    if len(embedding_VD) < tokens:
        name = next(name for name, weight in language_model.base.named_parameters() if weight is embedding_VD)
        new = embedding_VD.new_zeros(tokens - len(embedding_VD), embedding_VD.shape[1])
        weights[name] = torch.cat([embedding_VD, new])
    if reward_model.top is not None:
        below = depth(language_model, reward_model.trainable_layers)
        for name, weight in reward_model.top.layers.state_dict().items():
            number, _, rest = name.partition(".")
            weights[f"layers.{below + int(number)}.{rest}"] = weight
        weights |= {f"norm.{name}": weight for name, weight in reward_model.top.norm.state_dict().items()}
    return weights


def _padding(tokenizer: Any, end_id: int) -> str:
    """A special token that is not the end of a turn; a new one if necessary."""
    for token in (tokenizer.pad_token, tokenizer.unk_token, *tokenizer.all_special_tokens):
        if token is not None and tokenizer.convert_tokens_to_ids(token) != end_id:
            return str(token)
    tokenizer.add_special_tokens({"pad_token": _PADDING})
    return _PADDING


def _template(language_model: LanguageModel) -> str:
    tokenizer = language_model.tokenizer
    if tokenizer.chat_template is None:
        begins = tokenizer.decode(tokenizer("")["input_ids"]).replace("'", "\\'")
        own = f"{{{{ '{begins}' ~ messages[0]['content'] ~ '\\n' }}}}"
    else:
        own = tokenizer.get_chat_template().removesuffix("\n")  # as Jinja does at the end of a template
    return _PROMPT_ALONE + own + _THEN_THE_RESPONSE


def _check(language_model: LanguageModel, tokenizer: Any, texts: Sequence[Text]) -> None:
    for prompt, response in texts:
        own_ids = [*language_model.prompt_ids(prompt), *language_model.response_ids(response)]
        if templated_ids(tokenizer, (prompt, response)) != own_ids:
            raise ModelUnavailable(
                f"the tokenizer of {language_model.name!r} splits a prompt and its response into other tokens together "
                f"than separately ({prompt[:60]!r}, {response[:60]!r}): the exported model would score another text"
            )
