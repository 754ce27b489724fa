"""A reward model that was trained elsewhere, with its own tokenizer and chat template; safetensors only.

A text is a user's and an assistant's turn in the template. The score is the model's single output, unchanged, or a
weighted sum of its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jinja2 import TemplateError
from numpy.typing import NDArray
from transformers import AutoTokenizer

from pipeline.config import AddedRewardModel
from pipeline.errors import ModelUnavailable, NoScore
from pipeline.models.elsewhere.adapter import base_of
from pipeline.models.elsewhere.head import output_weights
from pipeline.models.elsewhere.reader import Reader, load_reader, revision_of
from pipeline.models.elsewhere.weights import UNREADABLE, local_folder, unavailable
from pipeline.models.performance.packing import pad_right
from pipeline.scoring.texts import Text

__all__ = ["Classifier", "chat_renderer", "load_classifier", "revision_of", "templated_ids"]


class Classifier:
    """A loaded reward model; `weights_K` say how much each of its K outputs counts."""

    def __init__(self, settings: AddedRewardModel, reader: Reader, tokenizer: Any) -> None:
        self._name, self._reader, self._tokenizer = settings.name, reader, tokenizer
        self._weights_K = output_weights(reader.names, settings.attributes, str(settings.model))
        # an encoder without a padding token cannot tell padding from text, so it reads texts one by one
        self._batch_texts = settings.batch_texts if reader.any_batch else 1

    @property
    def description(self) -> str:
        """What is read of the model: `head score from the model's weights`, and which of its outputs."""
        if len(self._weights_K) == 1:
            return self._reader.head
        chosen = [
            f"{weight:g} × {name}" for name, weight in zip(self._reader.names, self._weights_K, strict=True) if weight
        ]
        return f"{self._reader.head}, {len(self._weights_K)} outputs: {' + '.join(chosen)}"

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Scores of (prompt, response) texts, in order, float32 `[texts]`.

        Raises NoScore for a text that is too long for the model, or one whose score is not finite.
        """
        ids = [self._ids(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))  # little padding
        scores = np.zeros(len(ids), dtype=np.float32)
        for start in range(0, len(order), self._batch_texts):
            rows = order[start : start + self._batch_texts]
            scores[rows] = self._scores([ids[row] for row in rows])
        if not np.isfinite(scores).all():
            prompt, _ = texts[int(np.flatnonzero(~np.isfinite(scores))[0])]
            raise NoScore(
                f"{self._name}: the score of a response to {prompt[:60]!r} is not finite; try --dtype float32"
            )
        return scores

    def _ids(self, text: Text) -> list[int]:
        try:
            ids = templated_ids(self._tokenizer, text)
        except (TemplateError, ValueError) as error:
            raise NoScore(
                f"{self._name}: its chat template refuses a user's and an assistant's turn ({error})"
            ) from error
        longest = self._reader.longest
        if longest is not None and len(ids) > longest:
            raise NoScore(f"{self._name}: a text has {len(ids)} tokens and the model reads {longest}; use another one")
        while len(ids) > 1 and ids[-1] == self._reader.skips:
            del ids[-1]
        return ids

    @torch.inference_mode()
    def _scores(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        tokens_BT, lengths_B = pad_right(ids, torch.device(self._reader.device), padding=self._reader.padding)
        mask_BT = (torch.arange(tokens_BT.shape[1], device=tokens_BT.device) < lengths_B[:, None]).long()
        outputs_BK = self._reader.outputs(tokens_BT, mask_BT, lengths_B)
        return (outputs_BK @ outputs_BK.new_tensor(self._weights_K)).float().cpu().numpy()


def templated_ids(tokenizer: Any, text: Text) -> list[int]:
    """Token ids of a prompt and a response as a user's and an assistant's turn in the tokenizer's chat template."""
    turns = [{"role": role, "content": content} for role, content in zip(("user", "assistant"), text, strict=True)]
    return list(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"])


def chat_renderer(tokenizer: str) -> Callable[[Text], tuple[str, str]]:
    """What a server gets for a text: the prompt in a tokenizer's chat template, and with the response and its end.

    Raises ModelUnavailable for a tokenizer that cannot be loaded or has no chat template.
    """
    loaded = _tokenizer(tokenizer, revision=None)
    if loaded.chat_template is None:
        raise ModelUnavailable(f"tokenizer {tokenizer!r} has no chat template; give one that has")

    def render(text: Text) -> tuple[str, str]:
        turns = [{"role": "user", "content": text[0]}]
        prompt = loaded.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return prompt, f"{prompt}{text[1]}{loaded.eos_token or ''}"

    return render


def load_classifier(settings: AddedRewardModel) -> Classifier:
    """Load a model at its pinned revision. Raises ModelUnavailable if it was changed or is no reward model."""
    model, revision = str(settings.model), str(settings.revision)
    reader = load_reader(model, revision, getattr(torch, settings.dtype))
    tokenizer = _tokenizer(model, revision)
    if tokenizer.chat_template is None:
        raise ModelUnavailable(f"model {model!r} has no chat template; save its tokenizer with one, or use a server")
    return Classifier(settings, reader, tokenizer)


def _tokenizer(model: str, revision: str | None) -> Any:
    """The tokenizer of a model; that of an adapter's base if the adapter has none."""
    own, _, of_base = (revision or "").partition("+")
    folder = local_folder(model, own or None)
    if not (folder / "tokenizer_config.json").is_file() and (base := base_of(folder)) is not None:
        folder = local_folder(base.model, of_base or base.commit)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except UNREADABLE as error:
        raise unavailable(model, error) from error
