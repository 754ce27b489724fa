"""What gives the outputs of a batch of texts: a decoder with a head on the last token, or an encoder's classifier.

Decoders and their heads are read by the names of their weights (`weights`, `adapter`, `head`), as the settings of many
trainers do not say what was trained. Encoders are transformers' own classifiers, with as many outputs as their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from pipeline.errors import ModelUnavailable
from pipeline.models.elsewhere.adapter import base_of, merged
from pipeline.models.elsewhere.head import output_names, take_head
from pipeline.models.elsewhere.weights import (
    ADAPTER,
    UNREADABLE,
    VALUE_HEAD,
    file_weights,
    local_folder,
    model_weights,
    own_revision,
    unavailable,
)

_BUFFERS = (".inv_freq", ".masked_bias", ".attn.bias", ".position_ids")
"""Ends of names of constants that older versions of transformers saved with the weights."""
_MOST_NAMED = 4


@dataclass(frozen=True)
class Reader:
    """A loaded model. `outputs` takes tokens `[B, T]`, padded on the right, their mask and the B lengths: `[B, K]`.

    `names` are those of the K outputs, `head` says where they come from, `longest` how many tokens a text may have.
    `skips` is a token that transformers' own classifiers do not count as the last one of a text. `any_batch`: texts of
    different lengths can be read together.
    """

    outputs: Callable[[Tensor, Tensor, Tensor], Tensor]
    names: list[str]
    head: str
    device: str
    longest: int | None
    padding: int
    skips: int | None
    any_batch: bool


@dataclass(frozen=True)
class _Saved:
    """The weights of a model by name, the settings that they belong to, and the files that they came from."""

    name: str
    config: Any
    weights: dict[str, Tensor]
    head_file: str


def revision_of(model: str) -> str:
    """What pins a model: `sha256:…` of a folder's files or the commit of a hub id; after `+` that of an adapter's base.

    Raises ModelUnavailable if one of them does not exist.
    """
    own, base = own_revision(model), base_of(local_folder(model))
    return own if base is None else f"{own}+{own_revision(base.model, base.commit)}"


def load_reader(model: str, revision: str, dtype: torch.dtype) -> Reader:
    """Load a model at a `revision_of` it.

    Raises ModelUnavailable for another revision, and, with their names, for weights that are missing or left over.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # it lists what it misses; errors here name that in one line
    saved = _saved(model, revision)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with torch.device("meta"):
            classifier = _meta(AutoModelForSequenceClassification, saved.config)
            decoder = _meta(AutoModel, saved.config)
        if decoder is None:
            raise ValueError(f"transformers has no model for {saved.config.model_type}")
        if classifier is None or isinstance(getattr(classifier, "score", None), torch.nn.Linear):
            return _decoder(saved, type(decoder), decoder, dtype, device)
        return _encoder(saved, classifier, dtype, device)
    except UNREADABLE as error:
        if isinstance(error, ModelUnavailable):
            raise
        raise unavailable(model, error) from error


def _saved(model: str, revision: str) -> _Saved:
    own, _, of_base = revision.partition("+")
    folder = local_folder(model, own)
    base = base_of(folder)
    of_model = folder if base is None else local_folder(base.model, of_base)
    if base is not None and base_of(of_model) is not None:
        raise ModelUnavailable(f"model {model!r}: its base {base.model!r} is an adapter too; merge that one first")
    try:
        config = AutoConfig.from_pretrained(of_model, trust_remote_code=False)
    except UNREADABLE as error:
        raise unavailable(of_model, error) from error
    weights = model_weights(of_model)
    if base is not None:
        weights = merged(weights, folder)
    beside = next((place for place in (folder, of_model) if (place / VALUE_HEAD).is_file()), None)
    if beside is None:
        return _Saved(model, config, weights, "the model's weights" if base is None else f"{ADAPTER} or its base")
    head = {name: tensor for name, tensor in file_weights(beside / VALUE_HEAD).items() if name.startswith("v_head.")}
    if not head:
        raise ModelUnavailable(f"{beside / VALUE_HEAD} has no v_head.summary.weight; save the model again")
    return _Saved(model, config, {**weights, **head}, VALUE_HEAD)


def _meta(auto: Any, config: Any) -> Any:
    """A model without weights; None if transformers has none of this kind."""
    try:
        return auto.from_config(config)
    except ValueError:
        return None


def _decoder(saved: _Saved, kind: Any, decoder: Any, dtype: torch.dtype, device: str) -> Reader:
    config, prefix = saved.config, f"{decoder.base_model_prefix}."
    inner = {name for name, _ in decoder.named_children()} | {name for name, _ in decoder.named_parameters()}
    outside = {
        name: tensor
        for name, tensor in saved.weights.items()
        if not name.startswith(prefix) and name.partition(".")[0] not in inner
    }
    head = take_head(outside, config, config.get_text_config().hidden_size, saved.name).to(device)
    weights = {name: tensor for name, tensor in saved.weights.items() if name not in outside}
    embedding = next((name for name in decoder.state_dict() if name.endswith("embed_tokens.weight")), "")
    rows = weights.get(embedding, weights.get(prefix + embedding))
    if rows is not None:  # trainers add tokens; the settings of an adapter's base do not have them
        config.get_text_config().vocab_size = len(rows)
    trunk = _loaded(saved, kind, weights, dtype).to(device)

    def outputs(tokens_BT: Tensor, mask_BT: Tensor, lengths_B: Tensor) -> Tensor:
        hidden_BTH = trunk(input_ids=tokens_BT, attention_mask=mask_BT).last_hidden_state
        return head.outputs(hidden_BTH[torch.arange(len(lengths_B), device=device), lengths_B - 1])

    padding = config.get_text_config().pad_token_id
    plain = head.name == "score" and getattr(config, "value_head_prefix", None) is None
    return Reader(
        outputs,
        output_names(config, len(head.weight_KH)),
        f"head {head.name} from {saved.head_file}",
        device,
        _longest(config),
        padding=padding or 0,
        skips=padding if plain else None,
        any_batch=True,
    )


def _encoder(saved: _Saved, classifier: Any, dtype: torch.dtype, device: str) -> Reader:
    config, prefix = saved.config, f"{classifier.base_model_prefix}."
    last = [name for name, tensor in classifier.named_parameters() if not name.startswith(prefix) and tensor.ndim == 2]
    name = last[-1] if last else ""
    if name not in saved.weights:
        raise ModelUnavailable(
            f"model {saved.name!r} lacks {name}: it was not trained as a reward model; give one saved with its head"
        )
    count = len(saved.weights[name])
    if count != config.num_labels:
        config.num_labels = count
    model = _loaded(saved, type(classifier), saved.weights, dtype).to(device)

    def outputs(tokens_BT: Tensor, mask_BT: Tensor, lengths_B: Tensor) -> Tensor:
        return model(input_ids=tokens_BT, attention_mask=mask_BT).logits.float()

    padding = config.get_text_config().pad_token_id
    return Reader(
        outputs,
        output_names(config, count),
        f"head {name.removesuffix('.weight')} from {saved.head_file}",
        device,
        _longest(config),
        padding=padding or 0,
        skips=None,
        any_batch=padding is not None,
    )


def _longest(config: Any) -> int | None:
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def _loaded(saved: _Saved, kind: Any, weights: Mapping[str, Tensor], dtype: torch.dtype) -> Any:
    """A model with exactly these weights."""
    state = {name: tensor for name, tensor in weights.items() if not name.endswith(_BUFFERS)}
    model, report = kind.from_pretrained(
        pretrained_model_name_or_path=None,
        config=saved.config,
        state_dict=state,
        dtype=dtype,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    wrong = {
        "lacks": sorted(report["missing_keys"]),
        "has, but does not use,": sorted(report["unexpected_keys"]),
        "has in another shape than its config.json says": sorted(str(key[0]) for key in report["mismatched_keys"]),
    }
    for what, names in wrong.items():
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            raise ModelUnavailable(
                f"model {saved.name!r} {what} {', '.join(names[:_MOST_NAMED])}{more}; save it whole, with the "
                "config.json of its architecture"
            )
    return model.requires_grad_(requires_grad=False).eval()
